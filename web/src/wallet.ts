// Wallets: one in this browser for the local chain (a burner), and those that announce themselves (EIP-6963).
import { signal } from "@preact/signals";
import { createPublicClient, createWalletClient, defineChain, encodeFunctionData, http, numberToHex, stringToHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { collateralAbi, venueAbi } from "./abi";
import { get, post } from "./api";
import { decimal } from "./money";
import type { Overview } from "./types";

type Hex = `0x${string}`;
export interface TypedData { domain: Record<string, unknown>; types: Record<string, { name: string; type: string }[]>; primaryType: string; message: Record<string, unknown> }
export interface Call { to: Hex; data: Hex }
export interface Wallet {
  kind: "burner" | "injected";
  name: string;
  address: Hex;
  sign(data: TypedData): Promise<Hex>;
  signText(text: string): Promise<Hex>;
  send(call: Call): Promise<Hex>;
  /** Send several calls with one prompt (EIP-5792); absent when the wallet cannot. */
  sendTogether?(calls: Call[]): Promise<void>;
}
interface Provider { request(args: { method: string; params?: unknown }): Promise<any> }
export interface Announced { info: { uuid: string; name: string; icon: string; rdns: string }; provider: Provider }

export const announced = signal<Announced[]>([]);
const BURNER = "causeway.burner";
const GAS = 400_000n;

export function discover() {
  window.addEventListener("eip6963:announceProvider", (event) => {
    const found = (event as CustomEvent<Announced>).detail;
    if (!announced.value.some((one) => one.info.uuid === found.info.uuid)) announced.value = [...announced.value, found];
  });
  window.dispatchEvent(new Event("eip6963:requestProvider"));
}

export const chainOf = (venue: Overview) =>
  defineChain({ id: venue.chain_id, name: "Causeway local", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: { default: { http: [venue.rpc_url] } } });
export const reader = (venue: Overview) => createPublicClient({ chain: chainOf(venue), transport: http(venue.rpc_url), pollingInterval: 250 });

function burner(venue: Overview, key: Hex): Wallet {
  const account = privateKeyToAccount(key);
  const client = createWalletClient({ account, chain: chainOf(venue), transport: http(venue.rpc_url) });
  return {
    kind: "burner",
    name: "Burner wallet",
    address: account.address,
    sign: (data) => account.signTypedData(data as Parameters<typeof account.signTypedData>[0]),
    signText: (message) => account.signMessage({ message }),
    send: (call) => client.sendTransaction({ ...call, gas: GAS }),
  };
}

export function restoredBurner(venue: Overview | null): Wallet | null {
  const key = localStorage.getItem(BURNER);
  return key && venue ? burner(venue, key as Hex) : null;
}
export function makeBurner(venue: Overview): Wallet {
  const known = restoredBurner(venue);
  if (known) return known;
  const key = generatePrivateKey();
  localStorage.setItem(BURNER, key);
  return burner(venue, key);
}
export const forgetBurner = () => localStorage.removeItem(BURNER);

/** Connect an announced wallet, put it on the venue's chain, and make sure that it is the same chain and not only the same number. */
export async function connect(venue: Overview, { info, provider }: Announced): Promise<Wallet> {
  const [address] = (await provider.request({ method: "eth_requestAccounts" })) as Hex[];
  if (!address) throw new Error("The wallet shared no account.");
  await onChain(venue, provider);
  const ours = await provider.request({ method: "eth_getBlockByNumber", params: [numberToHex(venue.final_block), false] });
  if (venue.final_hash && ours?.hash !== venue.final_hash)
    throw new Error("Your wallet is on another chain with this number, or this chain was restarted: reset the account in the wallet, or point its network at " + venue.rpc_url);
  const capabilities = await provider.request({ method: "wallet_getCapabilities", params: [address] }).catch(() => ({}));
  const atomic = capabilities?.[numberToHex(venue.chain_id)]?.atomic?.status;
  return {
    kind: "injected",
    name: info.name,
    address,
    sign: (data) => provider.request({ method: "eth_signTypedData_v4", params: [address, JSON.stringify({ ...data, types: { EIP712Domain: domainFields, ...data.types } })] }),
    signText: (text) => provider.request({ method: "personal_sign", params: [stringToHex(text), address] }),
    send: (call) => provider.request({ method: "eth_sendTransaction", params: [{ from: address, gas: numberToHex(GAS), ...call }] }),
    sendTogether: atomic === "supported" || atomic === "ready" ? (calls) => together(venue, provider, address, calls) : undefined,
  };
}
const domainFields = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];

async function together(venue: Overview, provider: Provider, from: Hex, calls: Call[]) {
  const params = [{ version: "2.0.0", chainId: numberToHex(venue.chain_id), from, atomicRequired: false, calls }];
  const { id } = await provider.request({ method: "wallet_sendCalls", params });
  for (;;) {
    const { status } = await provider.request({ method: "wallet_getCallsStatus", params: [id] });
    if (status === 200) return;
    if (status >= 400) throw new Error("The wallet's calls failed; nothing was deposited.");
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function onChain(venue: Overview, provider: Provider) {
  const chainId = numberToHex(venue.chain_id);
  if ((await provider.request({ method: "eth_chainId" })) === chainId) return;
  try {
    await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  } catch (error) {
    if ((error as { code?: number }).code !== 4902) throw error;
    const chain = { chainId, chainName: "Causeway local", nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 }, rpcUrls: [venue.rpc_url] };
    await provider.request({ method: "wallet_addEthereumChain", params: [chain] });
  }
}

export const mined = async (venue: Overview, hash: Hex) => {
  const receipt = await reader(venue).waitForTransactionReceipt({ hash, timeout: 30_000 });
  if (receipt.status !== "success") throw new Error("The transaction was reverted; nothing moved.");
  return receipt;
};
export const nativeDomain = (venue: Overview) => ({ name: "Causeway", version: "1", chainId: venue.chain_id, verifyingContract: venue.venue });
export const testMoney = (address: string, amount: string) => post<{ transaction: Hex }>("/venue/page/test-money", { wallet: address, amount });
export const freeCash = (venue: Overview, address: Hex) => reader(venue).readContract({ address: venue.collateral, abi: collateralAbi, functionName: "balanceOf", args: [address] });

/** Move dollars from the wallet into its vault with one prompt: a permit, which the venue sends and pays for; or two calls together. */
export async function deposit(venue: Overview, wallet: Wallet, amount: bigint) {
  if (wallet.sendTogether) {
    const approve = encodeFunctionData({ abi: collateralAbi, functionName: "approve", args: [venue.venue, amount] });
    const pay = encodeFunctionData({ abi: venueAbi, functionName: "deposit", args: [amount] });
    return wallet.sendTogether([{ to: venue.collateral, data: approve }, { to: venue.venue, data: pay }]);
  }
  const nonce = await reader(venue).readContract({ address: venue.collateral, abi: collateralAbi, functionName: "nonces", args: [wallet.address] });
  const deadline = BigInt(Math.floor(venue.now_ms / 1000) + 3_600);
  const signature = await wallet.sign({
    domain: { name: "Causeway Test USD", version: "1", chainId: venue.chain_id, verifyingContract: venue.collateral },
    types: { Permit: [{ name: "owner", type: "address" }, { name: "spender", type: "address" }, { name: "value", type: "uint256" }, { name: "nonce", type: "uint256" }, { name: "deadline", type: "uint256" }] },
    primaryType: "Permit",
    message: { owner: wallet.address, spender: venue.venue, value: String(amount), nonce: String(nonce), deadline: String(deadline) },
  });
  await post("/venue/deposits/permit", { wallet: wallet.address, amount: decimal(Number(amount)), deadline: Number(deadline), signature });
}

const nonceFor = async (address: Hex, kind: "orders" | "actions") => {
  const found = await get<Record<"orders" | "actions", string[]>>(`/venue/nonces/${address}?orders=${kind === "orders" ? 1 : 0}&actions=${kind === "actions" ? 1 : 0}`);
  return found[kind][0]!;
};

const ORDER = "address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,uint256 nonce,uint256 expiration,uint256 feeCapBps,bytes32 builder";
const ACTION = "address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline";
const fields = (text: string) => text.split(",").map((part) => ({ type: part.split(" ")[0]!, name: part.split(" ")[1]! }));

export interface OrderTerms { tokenId: string; action: "buy" | "sell"; priceE4: number; sizeMicros: number; feeCapBps: number }

/** Sign an order (the wallet's one prompt) and hand it in. */
export async function placeSigned(venue: Overview, wallet: Wallet, terms: OrderTerms) {
  const cash = (terms.sizeMicros * terms.priceE4) / 10_000;
  const [sell, buy] = terms.action === "buy" ? [cash, terms.sizeMicros] : [terms.sizeMicros, cash];
  const message = {
    wallet: wallet.address, tokenId: terms.tokenId, side: terms.action === "buy" ? 0 : 1, sellAmount: String(sell), buyAmount: String(buy),
    nonce: await nonceFor(wallet.address, "orders"), expiration: "0", feeCapBps: String(terms.feeCapBps), builder: `0x${"00".repeat(32)}`,
  };
  const signature = await wallet.sign({ domain: nativeDomain(venue), types: { Order: fields(ORDER) }, primaryType: "Order", message });
  const order = await post<{ order_id: string; filled_micros: number; remaining_micros: number }>("/venue/orders", { order: message, signature });
  return { order_id: order.order_id, filled_micros: order.filled_micros, rests_micros: order.remaining_micros };
}

/** Sign in, so that the venue shows this wallet its open orders and takes its cancels without another prompt. */
export async function signIn(wallet: Wallet) {
  const { message } = await post<{ message: string }>("/venue/session/nonce", { wallet: wallet.address });
  await post("/venue/session", { message, signature: await wallet.signText(message) });
}

export const KINDS = { withdraw: 0, split: 1, merge: 2, redeem: 3 } as const;

/** Sign a vault action and hand it in; the operator pays for its execution. */
export async function act(venue: Overview, wallet: Wallet, kind: keyof typeof KINDS, id: string, amountMicros: number) {
  const deadline = Math.floor(venue.now_ms / 1000) + 86_400;
  const message = { wallet: wallet.address, kind: KINDS[kind], id: String(BigInt(id)), amount: String(amountMicros), to: wallet.address, nonce: await nonceFor(wallet.address, "actions"), deadline };
  const signature = await wallet.sign({ domain: nativeDomain(venue), types: { VaultAction: fields(ACTION) }, primaryType: "VaultAction", message: { ...message, deadline: String(deadline) } });
  return post<{ operation: number }>("/venue/actions", { ...message, signature });
}

export const call = async (venue: Overview, wallet: Wallet, name: "requestExit" | "exit", ids: bigint[] = []) => {
  const data = name === "exit" ? encodeFunctionData({ abi: venueAbi, functionName: "exit", args: [ids] }) : encodeFunctionData({ abi: venueAbi, functionName: "requestExit" });
  await mined(venue, await wallet.send({ to: venue.venue, data }));
};
