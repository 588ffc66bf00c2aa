import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { formatGwei, type TransactionReceipt } from "viem";
import { get, sentence } from "./api";
import { Address, Logs } from "./logs";
import { cents, count, dollars, short, utc } from "./money";
import { loadOverview, overview } from "./store";
import { reader } from "./wallet";

type Row = Record<string, any>;
export interface Trace { id: string; commands: Row[]; orders: Row[]; fills: Row[]; operations: Row[]; transactions: Row[]; deposits: Row[]; postings: Row[] }

export const To = ({ id, children }: { id: string; children?: string }) => <a href={`#/trace/${encodeURIComponent(id)}`}>{children ?? short(id)}</a>;
const amount = (asset: string, micros: number) => (asset === "USD" ? dollars(micros) : `${micros < 0 ? "−" : ""}${count(Math.abs(micros))}`);

/** What the chain says of one transaction, read from the chain itself. */
export function ChainPane({ hashes }: { hashes: string[] }) {
  const found = useSignal<{ receipts: TransactionReceipt[]; problem: string } | null>(null);
  useEffect(() => {
    const venue = overview.value!;
    let wanted = true;
    void loadOverview();
    Promise.all(hashes.map((hash) => reader(venue).getTransactionReceipt({ hash: hash as `0x${string}` }))).then(
      (receipts) => wanted && (found.value = { receipts, problem: "" }),
      (error) => wanted && (found.value = { receipts: [], problem: sentence(error) }),
    );
    return () => void (wanted = false);
  }, [hashes.join()]);
  if (!hashes.length) return <p class="quiet">Nothing of this is on chain: it moved between custodial accounts, or has not been sent yet.</p>;
  if (!found.value) return <p class="quiet" aria-busy="true">Asking the chain…</p>;
  if (found.value.problem) return <p class="problem">{found.value.problem}</p>;
  return (
    <>
      {found.value.receipts.map((r) => (
        <div class="tx" key={r.transactionHash}>
          <dl class="facts">
            <div><dt>Transaction</dt><dd><code title={r.transactionHash}>{short(r.transactionHash)}</code></dd></div>
            <div><dt>Result</dt><dd class={r.status === "success" ? "yes" : "no"}>{r.status === "success" ? "✓ executed" : "✕ reverted"}</dd></div>
            <div><dt>Block</dt><dd class="num">{String(r.blockNumber)}{overview.value && Number(r.blockNumber) <= overview.value.final_block ? ", final" : ", not final"}</dd></div>
            <div><dt>Gas</dt><dd class="num">{Number(r.gasUsed).toLocaleString("en-US")} at {Number(formatGwei(r.effectiveGasPrice)).toFixed(2)} gwei</dd></div>
            <div><dt>From</dt><dd><Address of={r.from} /></dd></div>
            <div><dt>To</dt><dd>{r.to ? <Address of={r.to} venue="venue contract" /> : "a new contract"}</dd></div>
          </dl>
          <Logs logs={r.logs} />
        </div>
      ))}
    </>
  );
}

/** Whose money it is: a wallet by its address, a custodial account by a hash, the venue's own by name. */
function Holder({ of }: { of: string }) {
  const [kind, rest = ""] = of.split(":");
  if (of.startsWith("0x")) return <Address of={of} />;
  if (kind === "market") return <>behind Yes and No</>;
  return <>{kind === "custodial" && rest ? <>custodial <code>{rest.slice(-4)}</code></> : short(of)}</>;
}

/** What one id did, in three columns: book, ledger, chain. */
export function Panes({ trace }: { trace: Trace }) {
  const hashes = [...new Set([...trace.transactions.map((t) => t.hash as string), ...trace.deposits.map((d) => d.tx_hash as string)].filter(Boolean))];
  return (
    <div class="panes">
      <section class="panel"><h2>Book</h2>
        {trace.commands.map((c) => <p class="fact" key={c.seq}><To id={`command:${c.seq}`}>{`#${c.seq}`}</To> <b>{c.kind}</b> <time class="muted num">{utc(c.at_ms)}</time></p>)}
        {trace.orders.map((o) => <p class="fact" key={o.order_id}><b>{String(o.side).toLowerCase() === "bid" ? "Bid" : "Ask"}</b> <span class="num">{count(o.size_micros)}</span> at <span class="num">{cents(o.yes_price_e4)}</span> of <a href={`#/m/${o.ticker}`}>{o.ticker}</a> <span class="chip">{o.status}</span> <To id={o.order_id} /></p>)}
        {trace.fills.map((f) => <p class="fact" key={f.trade_id}><b>Fill</b> <span class="num">{count(f.size_micros)}</span> at <span class="num">{cents(f.yes_price_e4)}</span> <To id={f.trade_id}>{f.trade_id}</To> <span class="chip">{String(f.stage).toLowerCase()}</span></p>)}
        {trace.deposits.map((d) => <p class="fact" key={d.deposit_index}><b>Deposit</b> {amount(d.asset, d.amount_micros)}</p>)}
        {!trace.orders.length && !trace.fills.length && !trace.deposits.length && <p class="quiet">It moved no order.</p>}
      </section>
      <section class="panel"><h2>Ledger</h2>
        {trace.postings.map((p, i) => (
          <table class="posting" key={i}>
            <caption>{p.reference} <span class="muted">at #{p.seq}</span></caption>
            <tbody>{p.lines.map((l: Row, j: number) => <tr key={j}><td title={l.account}><Holder of={String(l.account)} /></td><td>{l.asset}</td><td class={`num r ${l.micros < 0 ? "no" : "yes"}`}>{l.micros < 0 ? "" : "+"}{amount(l.asset, l.micros)}</td></tr>)}</tbody>
          </table>
        ))}
        {!trace.postings.length && <p class="quiet">No money and no token moved.</p>}
      </section>
      <section class="panel"><h2>Chain</h2>
        {trace.operations.map((o) => <p class="fact" key={o.number}><To id={`operation:${o.number}`}>{`operation ${o.number}`}</To> {o.type} <span class="chip">{String(o.stage).toLowerCase()}</span>{o.batch >= 0 && <> <To id={`batch:${o.batch}`}>{`batch ${o.batch}`}</To></>}{o.resolution && <span class="problem"> {o.resolution}</span>}</p>)}
        <ChainPane hashes={hashes} />
      </section>
    </div>
  );
}

const kindOf = (id: string, trace?: Trace) => (!trace ? "Looking for it" : trace.orders.some((o) => o.order_id === id) ? "Order" : "Transaction");

export function TracePage({ id }: { id: string }) {
  const found = useSignal<{ trace?: Trace; problem?: string }>({});
  useEffect(() => {
    let wanted = true;
    const load = () => get<Trace>(`/venue/trace/${id}`).then((trace) => wanted && (found.value = { trace }), (error) => wanted && (found.value = { problem: sentence(error) }));
    void load();
    const timer = setInterval(() => found.value.trace?.operations.some((o) => o.stage !== "CONFIRMED") && void load(), 1_000);
    return () => ((wanted = false), clearInterval(timer));
  }, [id]);
  return (
    <>
      <div class="head"><p class="kicker"><a href="#/proof">Proof</a> / trace</p><h1 class="break">{id.startsWith("0x") ? kindOf(id, found.value.trace) : id}</h1>{id.startsWith("0x") && <p><code class="break">{id}</code></p>}</div>
      {found.value.trace ? <Panes trace={found.value.trace} /> : found.value.problem ? <section class="empty"><h2>Not found</h2><p>{found.value.problem}</p></section> : <div class="skeleton" role="status" aria-busy="true" aria-label="Loading"><span /><span /><span /></div>}
    </>
  );
}
