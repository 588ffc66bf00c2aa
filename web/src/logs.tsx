// The logs of a transaction in words: every field with its name and unit, wallets and markets as links.
import type { ComponentChildren } from "preact";
import { decodeEventLog, type Log } from "viem";
import { collateralAbi, SKIP_REASONS, venueAbi } from "./abi";
import { cents, count, dollars, fee, short, utc } from "./money";
import { markets, overview, wallet } from "./store";

type Args = Record<string, any>;
type Field = [name: string, value: ComponentChildren];
interface Said { title: string; fields: Field[] }

const LOT_MICROS = 10_000;
const NOBODY = "0x0000000000000000000000000000000000000000";
const ROLES = ["operator", "oracle", "reviewer", "guardian", "admin"];
const POOL_ACTIONS = ["split", "merge", "redeem", "send cash", "send tokens"];
const VAULT_ACTIONS = ["withdraw", "split", "merge", "redeem", "set delivery", "take back", "take back free tokens"];

/** An address by the name that it has here, else as a link to what the venue knows of it. */
export function Address({ of, venue: called = "custody pool" }: { of: string; venue?: string }) {
  const venue = overview.value!;
  const at = of.toLowerCase();
  if (at === venue.venue.toLowerCase()) return <span title={of}>{called}</span>;
  if (at === venue.collateral.toLowerCase()) return <span title={of}>test dollars</span>;
  if (at === NOBODY) return <span title={of}>nobody</span>;
  return <a href={`#/wallet/${of}`} title={of}>{wallet.value?.address.toLowerCase() === at ? "my wallet" : <code>{short(of)}</code>}</a>;
}

const marketOf = (id: bigint) => [...markets.value.values()].find((m) => BigInt(m.condition_id) === id >> 8n << 8n);

function Token({ id }: { id: bigint }) {
  const market = marketOf(id);
  const outcome = { 1: "Yes", 2: "No" }[Number(id & 0xffn)];
  if (id === 0n) return <>dollars</>;
  if (!market) return <code title={String(id)}>{short(String(id))}</code>;
  return <>{outcome && <b class={outcome.toLowerCase()}>{outcome} </b>}<a href={`#/m/${market.ticker}`}>{market.title}</a></>;
}

const Operation = ({ number }: { number: bigint }) => <a href={`#/trace/operation:${number}`}>{`#${number}`}</a>;
const Bytes = ({ of }: { of: string }) => <code title={of}>{short(of)}</code>;
const amount = (id: bigint, micros: bigint) => (id === 0n ? dollars(Number(micros)) : contracts(micros));
const contracts = (micros: bigint) => `${count(Number(micros))} contracts`;
const instant = (seconds: bigint) => utc(Number(seconds) * 1_000);
const charged = (micros: bigint) => (micros ? fee(Number(micros)) : "none");

/** `details` as contracts/interfaces/ISettlement.sol packs it. */
function filled({ taker, maker, takerTokenId: token, details }: Args): Field[] {
  const bits = (from: bigint, width: bigint) => (details >> from) & ((1n << width) - 1n);
  const sells = Boolean(bits(144n, 8n) & 8n);
  const kind = Number((bits(136n, 8n) >> 2n) & 3n);
  const no = (token & 0xffn) === 2n;
  const [own, other] = [<b class={no ? "no" : "yes"}>{no ? "No" : "Yes"}</b>, <b class={no ? "yes" : "no"}>{no ? "Yes" : "No"}</b>];
  const makerDid = kind === 0 ? <>{sells ? "bought" : "sold"} {own}</> : <>{sells ? "sold" : "bought"} {other}</>;
  return [
    ["Operation", <Operation number={bits(152n, 48n)} />],
    ["Market", <Token id={(token >> 8n) << 8n} />],
    ["Taker", <><Address of={taker} /> {sells ? "sold" : "bought"} {own}</>],
    ["Maker", <><Address of={maker} /> {makerDid}</>],
    ["Size", contracts(bits(80n, 40n) * BigInt(LOT_MICROS))],
    ["Yes price", cents(Number(bits(120n, 14n)))],
    ["Fees", `taker ${charged(bits(40n, 40n))}, maker ${charged(bits(0n, 40n))}`],
    ["Tokens", ["changed hands", "made as full sets: each side paid its part of a dollar", "merged: the dollar behind each set was shared"][kind]],
  ];
}

const WORDS: Record<string, (args: Args) => Said> = {
  Filled: (a) => ({ title: "Two orders were filled", fields: filled(a) }),
  OperationSkipped: (a) => ({ title: "An operation changed nothing", fields: [["Operation", <Operation number={a.number} />], ["Because", `${SKIP_REASONS[(a.reason & 127) - 1] ?? a.reason}${a.reason & 128 ? ", on the taker's side" : ""}`]] }),
  Deposited: (a) => ({ title: "A deposit arrived", fields: [["Deposit", <a href={`#/trace/deposit:${a.index}`}>{`#${a.index}`}</a>], ["Into", <Address of={a.wallet} />], ["From", <Address of={a.from} />], ["Amount", amount(a.id, a.amount)], ["Of", <Token id={a.id} />], ...(BigInt(a.accountReference) ? [["For account", <Bytes of={a.accountReference} />] as Field] : [])] }),
  DeliveryRefused: (a) => ({ title: "A wallet's code refused tokens", fields: [["Wallet", <Address of={a.wallet} />], ["Of", <Token id={a.id} />], ["Kept in its vault", contracts(a.amount)]] }),
  PoolActionExecuted: (a) => ({ title: `The custody pool: ${POOL_ACTIONS[a.action] ?? a.action}`, fields: [["Operation", <Operation number={a.number} />], ["Amount", amount(a.action === 2 ? 0n : a.id, a.amount)], ["Of", <Token id={a.id} />], ...(a.to === NOBODY ? [] : [["To", <Address of={a.to} />] as Field])] }),
  VaultActionExecuted: (a) => ({ title: `A wallet's signed action: ${VAULT_ACTIONS[a.kind] ?? a.kind}`, fields: [["Operation", <Operation number={a.number} />], ["Wallet", <Address of={a.wallet} />], a.kind === 4 ? ["Bought tokens arrive", a.amount ? "free, outside the vault" : "in the vault"] : ["Amount", amount(a.kind === 3 ? 0n : a.id, a.amount)], ...(a.kind === 4 ? [] : [["Of", <Token id={a.id} />] as Field]), ...(a.to === NOBODY ? [] : [["To", <Address of={a.to} />] as Field])] }),
  OrderApproved: (a) => ({ title: "A contract wallet approved an order", fields: [["Wallet", <Address of={a.wallet} />], ["Digest", <Bytes of={a.digest} />]] }),
  MinNonceSet: (a) => ({ title: "A wallet cancelled its older orders", fields: [["Wallet", <Address of={a.wallet} />], ["Nonces below", String(a.minNonce)], ["From", instant(a.effectiveAt)]] }),
  CancelledBefore: (a) => ({ title: "A wallet cancelled its older orders", fields: [["Wallet", <Address of={a.wallet} />], ["Signed before", utc(Number(a.timestampMs))], ["From", instant(a.effectiveAt)]] }),
  ExitRequested: (a) => ({ title: "A wallet asked to leave", fields: [["Wallet", <Address of={a.wallet} />], ["May leave", instant(a.effectiveAt)]] }),
  Exited: (a) => ({ title: "A wallet left", fields: [["Wallet", <Address of={a.wallet} />], ["Took", dollars(Number(a.cash))], ["Tokens", a.ids.length ? a.ids.map((id: bigint) => <span key={id}><Token id={id} /> </span>) : "none"], ["Nothing left", a.finished ? "yes" : "no"]] }),
  ConditionPrepared: (a) => ({ title: "A market was opened", fields: [["Market", <Token id={BigInt(a.conditionId)} />], ["Question", <Bytes of={a.questionId} />]] }),
  ResolutionReported: (a) => ({ title: "The oracle reported an outcome", fields: resolved(a) }),
  ResolutionRejected: (a) => ({ title: "The reviewer rejected an outcome", fields: resolved(a) }),
  ConditionResolved: (a) => ({ title: "A market was resolved", fields: resolved(a) }),
  SetsSplit: (a) => ({ title: "Dollars became full sets", fields: [["Holder", <Address of={a.holder} />], ["Market", <Token id={BigInt(a.conditionId)} />], ["Sets", count(Number(a.amount))]] }),
  SetsMerged: (a) => ({ title: "Full sets became dollars", fields: [["Holder", <Address of={a.holder} />], ["Market", <Token id={BigInt(a.conditionId)} />], ["Sets", count(Number(a.amount))]] }),
  Redeemed: (a) => ({ title: "Tokens were redeemed", fields: [["Holder", <Address of={a.holder} />], ["Market", <Token id={BigInt(a.conditionId)} />], ["Yes", contracts(a.yesAmount)], ["No", contracts(a.noAmount)], ["Paid", dollars(Number(a.payout))]] }),
  LiabilitiesPublished: (a) => ({ title: "The operator stated what it owes", fields: [["Root", <Bytes of={a.root} />], ["Dollars owed", dollars(Number(a.totalMicros))], ["Before operation", <Operation number={a.nextOperation} />]] }),
  Paused: (a) => ({ title: "The guardian paused the contract", fields: [["Fills stop", instant(a.fillsBlockedFrom)], ["Ends by itself", instant(a.until)]] }),
  Unpaused: (a) => ({ title: "The pause was ended", fields: [["Next one from", instant(a.nextPauseAllowedAt)]] }),
  RoleProposed: (a) => ({ title: `A new ${ROLES[a.role]} was announced`, fields: [["Account", <Address of={a.account} />], ["Ready", instant(a.readyAt)]] }),
  RoleProposalCancelled: (a) => ({ title: `A new ${ROLES[a.role]} was called off`, fields: [["Account", <Address of={a.account} />]] }),
  RoleChanged: (a) => ({ title: `The ${ROLES[a.role]} changed`, fields: [["Before", <Address of={a.previous} />], ["Now", <Address of={a.account} />]] }),
  Transfer: (a) => ({ title: "Dollars moved", fields: [["From", <Address of={a.from} />], ["To", <Address of={a.to} />], ["Amount", dollars(Number(a.value))]] }),
  Approval: (a) => ({ title: "Dollars may be taken", fields: [["Owner", <Address of={a.owner} />], ["By", <Address of={a.spender} />], ["At most", a.value >= 1n << 128n ? "any amount" : dollars(Number(a.value))]] }),
  EIP712DomainChanged: () => ({ title: "The signing domain of the dollars changed", fields: [] }),
  TransferSingle: (a) => ({ title: "Tokens moved", fields: [["From", <Address of={a.from} />], ["To", <Address of={a.to} />], ["Amount", contracts(a.value)], ["Of", <Token id={a.id} />], ["By", <Address of={a.operator} />]] }),
  TransferBatch: (a) => ({ title: "Tokens moved", fields: [["From", <Address of={a.from} />], ["To", <Address of={a.to} />], ...a.ids.map((id: bigint, i: number): Field => [contracts(a.values[i]), <Token id={id} />]), ["By", <Address of={a.operator} />]] }),
  ApprovalForAll: (a) => ({ title: a.approved ? "Tokens may be moved by somebody" : "Tokens may not be moved by somebody any more", fields: [["Holder", <Address of={a.account} />], ["By", <Address of={a.operator} />]] }),
  URI: (a) => ({ title: "A token's description", fields: [["Of", <Token id={a.id} />], ["Address", a.value]] }),
};
const resolved = (a: Args): Field[] => [["Market", <Token id={BigInt(a.conditionId)} />], ["Yes pays", dollars(Number(a.yesPayoutMicros))], ["No pays", dollars(1_000_000 - Number(a.yesPayoutMicros))]];

function Decoded({ log }: { log: Log }) {
  let name = "", args: Args = {};
  try {
    const found = decodeEventLog({ abi: [...venueAbi, ...collateralAbi], data: log.data, topics: log.topics });
    [name, args] = [found.eventName, (found.args ?? {}) as Args];
  } catch {
    return <li><b>An event of another contract</b><dl class="facts"><div><dt>Contract</dt><dd><Bytes of={log.address} /></dd></div></dl></li>;
  }
  const said = WORDS[name]!(args);
  return (
    <li>
      <p><b>{said.title}</b> <code class="muted">{name}</code></p>
      <dl class="facts">{said.fields.map(([field, value]) => <div key={field}><dt>{field}</dt><dd>{value}</dd></div>)}</dl>
    </li>
  );
}

export function Logs({ logs }: { logs: Log[] }) {
  return <ol class="logs">{logs.map((log) => <Decoded key={log.logIndex} log={log} />)}</ol>;
}
