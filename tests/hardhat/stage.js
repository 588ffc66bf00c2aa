// What the tests need and Hardhat does not bring: contracts by ABI, typed-data signatures, and `settleBatch`'s packed format,
// written down a second time from docs/contracts.md so that bridge/settlement.py is not its own judge. The only package used,
// the ABI coder, is one that Hardhat itself depends on.
"use strict";
const assert = require("node:assert/strict");
const { Interface } = require("@ethersproject/abi");
const { artifacts, network } = require("hardhat");

const ZERO_BYTES32 = "0x" + "00".repeat(32);
const COMPATIBLE_CHAIN_ID = 80002;
const COMPATIBLE_V2 = "0xe111180000d2663c0091e4f400237545b87b996b";
const OUTCOME = { YES: 1n, NO: 2n };
const BUY = 0;
const KIND = { COMPLEMENTARY: 0, MINT: 1, MERGE: 2 };

const request = (method, ...params) => network.provider.request({ method, params });

/** A deployed contract. Numbers come back as BigInt; a revert is thrown as `Error: Name(a, b)`. */
class Contract {
  constructor(address, abi) {
    this.address = address;
    this.interface = new Interface(abi);
  }

  static async deploy(name, { from, values = [], libraries = {} }) {
    const artifact = await artifacts.readArtifact(name);
    const contract = new Contract(null, artifact.abi);
    const data = linked(artifact, libraries) + contract.interface.encodeDeploy(values).slice(2);
    contract.address = (await contract.mined({ from, data })).contractAddress;
    contract.runtimeBytes = artifact.deployedBytecode.length / 2 - 1;
    return contract;
  }

  async call(name, ...values) {
    const data = this.interface.encodeFunctionData(name, values);
    const returned = await this.tried("eth_call", { to: this.address, data }, "latest");
    const answer = plain(this.interface.decodeFunctionResult(name, returned));
    return answer.length === 1 ? answer[0] : answer;
  }

  /** Send as `from`; return the events of this contract as [name, ...values], in order. */
  async send(from, name, ...values) {
    const receipt = await this.mined({ from, to: this.address, data: this.interface.encodeFunctionData(name, values) });
    return receipt.logs
      .filter((log) => log.address === this.address)
      .map((log) => this.interface.parseLog(log))
      .map((event) => [event.name, ...plain(event.args)]);
  }

  async mined(transaction) {
    const receipt = await request("eth_getTransactionReceipt", await this.tried("eth_sendTransaction", transaction));
    assert.equal(receipt.status, "0x1");
    return receipt;
  }

  async tried(method, ...params) {
    try {
      return await request(method, ...params);
    } catch (error) {
      if (typeof error.data !== "string" || error.data.length < 10) throw error;
      const { name, args } = this.interface.parseError(error.data);
      throw new Error(`${name}(${plain(args).join(", ")})`);
    }
  }
}

/** Creation code with the libraries' addresses filled in. */
function linked(artifact, libraries) {
  let code = artifact.bytecode;
  for (const [name, places] of Object.values(artifact.linkReferences).flatMap(Object.entries)) {
    for (const { start, length } of places) {
      code = code.slice(0, 2 + 2 * start) + libraries[name].address.slice(2) + code.slice(2 + 2 * (start + length));
    }
  }
  return code;
}

/** What the ABI coder returns, with every number a BigInt and every address in lower case. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "string") return value.toLowerCase();
  if (typeof value === "number") return BigInt(value);
  return value?._isBigNumber ? value.toBigInt() : value;
}

async function now() {
  return Number((await request("eth_getBlockByNumber", "latest", false)).timestamp);
}

// --- orders --------------------------------------------------------------------------------------------------------

const NATIVE_ORDER = `address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,uint256 nonce,
  uint256 expiration,uint256 feeCapBps,bytes32 builder`;
const V2_ORDER = `uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,uint8 side,
  uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder`;

/** Sign with the key that Hardhat's node holds for `signer`. `values` are given in the order of the type's fields. */
async function signTyped(signer, domain, type, values) {
  const fields = (text) => [...text.matchAll(/(\w+) (\w+)/g)].map(([, type, name]) => ({ name, type }));
  const types = {
    EIP712Domain: fields("string name,string version,uint256 chainId,address verifyingContract"),
    Order: fields(type),
  };
  const message = Object.fromEntries(types.Order.map(({ name }, i) => [name, String(values[i])]));
  return request("eth_signTypedData_v4", signer, { types, primaryType: "Order", domain, message });
}

/** A native buy order, signed (by `signer`, if it is not the wallet itself) and packed. */
async function nativeBuy(venue, { wallet, signer = wallet, tokenId, pays, gets, nonce, feeCapBps = 700 }) {
  const chainId = Number(await request("eth_chainId"));
  const domain = { name: "Causeway", version: "1", chainId, verifyingContract: venue.address };
  const expiration = (await now()) + 3600;
  const values = [wallet, tokenId, BUY, pays, gets, nonce, expiration, feeCapBps, ZERO_BYTES32];
  const signature = await signTyped(signer, domain, NATIVE_ORDER, values);
  const terms = [address(wallet), uint(pays, 8), uint(gets, 8), uint(expiration, 5), uint(nonce, 6), uint(feeCapBps, 2)];
  return { scheme: 1, packed: [...terms, packedSignature(signature)].join("") };
}

/** A Polymarket V2 buy order, signed in its own domain and packed. */
async function polymarketBuy({ wallet, tokenId, pays, gets, salt }) {
  const domain = {
    name: "Polymarket CTF Exchange",
    version: "2",
    chainId: COMPATIBLE_CHAIN_ID,
    verifyingContract: COMPATIBLE_V2,
  };
  const timestampMs = (await now()) * 1000;
  const values = [salt, wallet, wallet, tokenId, pays, gets, BUY, 0, timestampMs, ZERO_BYTES32, ZERO_BYTES32];
  const signature = await signTyped(wallet, domain, V2_ORDER, values);
  const terms = [address(wallet), uint(pays, 8), uint(gets, 8), uint(timestampMs, 6), uint(salt, 6)];
  return { scheme: 3, packed: [...terms, packedSignature(signature)].join("") };
}

// --- the packed format ---------------------------------------------------------------------------------------------

function uint(value, bytes) {
  const digits = BigInt(value).toString(16);
  const hex = digits.padStart(2 * bytes, "0");
  assert.equal(hex.length, 2 * bytes, `${value} does not fit ${bytes} bytes`);
  return hex;
}

const address = (value) => value.slice(2);

/** r, then v in the top bit and s below. */
function packedSignature(signature) {
  const [r, s, v] = [signature.slice(2, 66), signature.slice(66, 130), signature.slice(130)];
  return r + uint(BigInt("0x" + s) | (BigInt(Number("0x" + v) - 27) << 255n), 32);
}

/** One fill of a taker who buys YES; `price` is YES's, in ten-thousandths. */
function fill({ notAfter, condition, taker, maker, kind, price, lots, takerFee = 0, makerFee = 0 }) {
  const group = [uint(0x01, 1), uint(notAfter, 5), uint(1, 1), uint(taker.scheme, 1), condition.slice(2, 64), taker.packed];
  const flags = maker.scheme | (kind << 2);
  const record = [uint(flags, 1), uint(price, 2), uint(lots, 5), uint(takerFee, 5), uint(makerFee, 5), maker.packed];
  return [...group, ...record].join("");
}

/** The pool splits cash into full sets of the condition. */
function poolSplit({ notAfter, condition, amount }) {
  return [uint(0x20, 1), uint(notAfter, 5), address(condition), uint(amount, 16), uint(0, 20)].join("");
}

const batch = (...operations) => "0x" + uint(operations.length, 2) + operations.join("");

module.exports = {
  COMPATIBLE_CHAIN_ID,
  COMPATIBLE_V2,
  Contract,
  KIND,
  OUTCOME,
  ZERO_BYTES32,
  batch,
  fill,
  nativeBuy,
  now,
  polymarketBuy,
  poolSplit,
  request,
};
