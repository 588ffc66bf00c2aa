// A wallet extension as a page sees it: an EIP-1193 provider, announced by EIP-6963. The key is on the other side.
const provider = {
  request: ({ method, params }) => window.causewayTestWallet(JSON.stringify({ method, params })),
  on: () => provider,
  removeListener: () => provider,
};
const info = { uuid: "6b1d6f0e-0000-4000-8000-000000000001", name: "Test Wallet", icon: "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", rdns: "test.wallet" };
const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
window.addEventListener("eip6963:requestProvider", announce);
announce();
