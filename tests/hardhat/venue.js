// The venue on Hardhat's own network, from JavaScript alone. The contracts' full tests are tests/contracts/ (pytest, anvil).
"use strict";
const assert = require("node:assert/strict");
const {
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
} = require("./stage");

const ZERO_ADDRESS = "0x" + "00".repeat(20);
const QUESTION = "0x" + "71".repeat(32);
const DOLLAR = 1_000_000n;
const CONTRACT = 1_000_000n;
const LOTS_PER_CONTRACT = 100n;
const EXIT_DELAY_S = 600;
const SETTLEMENT_DEADLINE_S = 60;
const BAD_SIGNATURE = 8n;

describe("Venue", function () {
  let admin, operator, oracle, reviewer, guardian, alice, bob;
  let libraries, terms, collateral, venue, condition, yes, no;
  let snapshot;

  before(async function () {
    [admin, operator, oracle, reviewer, guardian, alice, bob] = await request("eth_accounts");
    collateral = await Contract.deploy("TestUSD", { from: admin });
    libraries = {
      Actions: await Contract.deploy("Actions", { from: admin }),
      Intake: await Contract.deploy("Intake", { from: admin }),
      Metadata: await Contract.deploy("Metadata", { from: admin }),
      Watermarks: await Contract.deploy("Watermarks", { from: admin }),
    };
    terms = {
      collateral: collateral.address,
      operator,
      oracle,
      reviewer,
      guardian,
      admin,
      exitDelay: EXIT_DELAY_S,
      settlementDeadline: SETTLEMENT_DEADLINE_S,
      observationLag: 30,
      salt: "0x" + "5a".repeat(32),
      compatibleChainId: COMPATIBLE_CHAIN_ID,
      compatibleV1: ZERO_ADDRESS,
      compatibleV2: COMPATIBLE_V2,
      poolOutflowLimit: 1_000_000n * DOLLAR,
      poolOutflowWindow: 3600,
    };
    venue = await Contract.deploy("Venue", { from: admin, values: [terms], libraries });
    condition = await venue.call("conditionIdOf", QUESTION);
    [yes, no] = [BigInt(condition) | OUTCOME.YES, BigInt(condition) | OUTCOME.NO];
    await venue.send(operator, "prepareCondition", QUESTION);
    for (const wallet of [alice, bob]) {
      await collateral.send(wallet, "faucet", wallet, 100n * DOLLAR);
      await collateral.send(wallet, "approve", venue.address, 100n * DOLLAR);
      await venue.send(wallet, "deposit", 100n * DOLLAR);
    }
  });

  beforeEach(async function () {
    snapshot = await request("evm_snapshot");
  });

  afterEach(async function () {
    await request("evm_revert", snapshot);
  });

  const notAfter = async () => (await now()) + SETTLEMENT_DEADLINE_S;
  const settle = (first, ...operations) => venue.send(operator, "settleBatch", first, batch(...operations));

  /** alice buys YES at 60 cents, bob NO at 40: a full set is minted for each pair. `signer` signs alice's order. */
  async function mint({ contracts, nonce, signer = alice, takerFee = 0n }) {
    const gets = contracts * CONTRACT;
    const taker = await nativeBuy(venue, { wallet: alice, signer, tokenId: yes, pays: (gets * 6n) / 10n, gets, nonce });
    const maker = await polymarketBuy({ wallet: bob, tokenId: no, pays: (gets * 4n) / 10n, gets, salt: 7_000 + nonce });
    const lots = contracts * LOTS_PER_CONTRACT;
    return fill({ notAfter: await notAfter(), condition, taker, maker, kind: KIND.MINT, price: 6000, lots, takerFee });
  }

  /** [alice's cash, bob's cash, the pool's cash, alice's YES, bob's NO, the condition's collateral] */
  async function holdings() {
    const [, locked] = await venue.call("conditionOf", condition);
    return [
      await venue.call("cashOf", alice),
      await venue.call("cashOf", bob),
      await venue.call("cashOf", venue.address),
      await venue.call("vaultBalanceOf", alice, yes),
      await venue.call("vaultBalanceOf", bob, no),
      locked,
    ];
  }

  it("fits the size limit, links its libraries and keeps its constructor's terms", async function () {
    assert.ok(venue.runtimeBytes <= 24_576);
    const expected = Object.values(terms).map((value) => (typeof value === "number" ? BigInt(value) : value));
    assert.deepEqual(await venue.call("configuration"), expected);
    assert.match(await venue.call("uri", yes), /^data:application\/json/);
  });

  it("cannot be deployed for Polymarket's chain, or with an exit that is faster than settlement", async function () {
    const deploy = (changes) => Contract.deploy("Venue", { from: admin, values: [{ ...terms, ...changes }], libraries });
    await assert.rejects(deploy({ compatibleChainId: 137 }), /^Error: ForbiddenChainId\(137\)$/);
    await assert.rejects(deploy({ exitDelay: 90 }), /^Error: ExitDelayTooShort\(90, 90\)$/);
  });

  it("credits deposits in order and opens a condition once", async function () {
    await collateral.send(alice, "faucet", alice, 5n * DOLLAR);
    await collateral.send(alice, "approve", venue.address, 5n * DOLLAR);
    const events = await venue.send(alice, "deposit", 5n * DOLLAR);
    assert.deepEqual(events, [["Deposited", 2n, alice, ZERO_BYTES32, alice, 0n, 5n * DOLLAR]]);
    assert.equal(await venue.call("cashOf", alice), 105n * DOLLAR);
    await assert.rejects(venue.send(operator, "prepareCondition", QUESTION), /^Error: WrongConditionState\(/);
  });

  it("mints for a native and a Polymarket V2 order that Hardhat's accounts signed", async function () {
    const [filled, ...others] = await settle(0, await mint({ contracts: 10n, nonce: 1, takerFee: DOLLAR / 10n }));
    assert.deepEqual(filled.slice(0, 4), ["Filled", alice, bob, yes]);
    assert.ok(others.every(([name]) => name === "TransferSingle" || name === "TransferBatch"));
    const expected = [939n, 960n, 1n, 100n, 100n, 100n].map((tenths) => (tenths * DOLLAR) / 10n);
    assert.deepEqual(await holdings(), expected);
    assert.deepEqual(await venue.call("nativeOrderFilled", alice, 1), [6n * DOLLAR, false]);
    assert.equal(await venue.call("nextOperation"), 1n);
  });

  it("skips an operation that fails and settles those around it", async function () {
    const before = await holdings();
    const events = await settle(
      0,
      await mint({ contracts: 1n, nonce: 1 }),
      await mint({ contracts: 50n, nonce: 2, signer: bob }),
      await mint({ contracts: 1n, nonce: 3 }),
    );
    const skips = events.filter(([name]) => name === "OperationSkipped");
    assert.deepEqual(skips, [["OperationSkipped", 1n, BAD_SIGNATURE + 128n]]);
    assert.equal(events.filter(([name]) => name === "Filled").length, 2);
    const after = await holdings();
    const [cash, tokens] = [after[0] - before[0], after[3] - before[3]];
    assert.deepEqual([cash, tokens], [(-12n * DOLLAR) / 10n, 2n * CONTRACT]);
    assert.deepEqual([await venue.call("nextOperation"), await venue.call("skippedOperations")], [3n, 1n]);
  });

  it("takes a batch from the operator alone, whole, and only once", async function () {
    const operation = await mint({ contracts: 1n, nonce: 1 });
    await settle(0, operation);
    await assert.rejects(settle(0, operation), /^Error: OutOfOrder\(0, 1\)$/);
    await assert.rejects(venue.send(alice, "settleBatch", 1, batch(operation)), /^Error: NotOperator\(/);
    await assert.rejects(settle(1, operation.slice(0, -2)), /^Error: MalformedOperations\(/);
  });

  it("runs the pool's operations in the linked library", async function () {
    await collateral.send(alice, "faucet", alice, 20n * DOLLAR);
    await collateral.send(alice, "approve", venue.address, 20n * DOLLAR);
    await venue.send(alice, "depositFor", "0x" + "ac".repeat(32), 20n * DOLLAR);
    const events = await settle(0, poolSplit({ notAfter: await notAfter(), condition, amount: 15n * CONTRACT }));
    assert.ok(events.some(([name, number, action]) => name === "PoolActionExecuted" && number === 0n && action === 0n));
    const pool = await venue.call("pool");
    assert.equal(await venue.call("cashOf", pool), 5n * DOLLAR);
    assert.equal(await venue.call("vaultBalanceOf", pool, yes), 15n * CONTRACT);
    assert.equal(await venue.call("vaultBalanceOf", pool, no), 15n * CONTRACT);
  });

  it("lets a wallet leave with cash and tokens, without the operator, after the delay", async function () {
    await settle(0, await mint({ contracts: 10n, nonce: 1 }));
    await venue.send(alice, "requestExit");
    await assert.rejects(venue.send(alice, "exit", [yes]), /^Error: ExitNotReady\(/);
    await request("evm_increaseTime", EXIT_DELAY_S);
    const events = await venue.send(alice, "exit", [yes]);
    const exited = events.find(([name]) => name === "Exited");
    assert.deepEqual(exited, ["Exited", alice, 94n * DOLLAR, [yes], true]);
    assert.equal(await collateral.call("balanceOf", alice), 94n * DOLLAR);
    assert.equal(await venue.call("balanceOf", alice, yes), 10n * CONTRACT);
    assert.equal(await collateral.call("balanceOf", venue.address), 106n * DOLLAR);
  });
});
