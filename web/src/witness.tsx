// Book, ledger and chain as they were after one command: three witnesses of the same moment.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get, sentence } from "./api";
import { cents, clock, count, dollars, plural, short, utc } from "./money";
import { markets, overview, wallet } from "./store";
import { Panes, type Trace } from "./trace";

interface Pair { holder: string; asset: string; ledger_micros: number; in_flight_micros: number; on_chain_micros: number | null; difference_micros: number | null }
interface Moment {
  seq: number; newest: number; state_hash: string; command: { kind: string; at_ms: number; request_id: string };
  book: { open_orders: number; held_micros: number; markets: { ticker: string; orders: number; bids: [number, number][]; asks: [number, number][] }[] };
  ledger: { assets: { asset: string; micros: Record<string, number> }[]; mine: { asset: string; total_micros: number; held_micros: number; pending_micros: number }[] };
  chain: { final_block: number; final_hash: string; block_number: number | null; next_operation?: number; deposits?: number; skipped?: number; equal: boolean | null; waiting: string | null; rows: Pair[]; zero_rows: number };
}
const WHOSE: Record<string, string> = { custodial: "Custodial accounts", wallets: "Wallets", equity: "Venue's equity", guarantee: "Guarantee", advances: "Advances", suspense: "Nobody named", sets: "Behind Yes and No" };
const money = (asset: string, micros: number) => (asset === "USD" ? dollars(micros) : count(micros));
const held = (name: string) => ({ pool: "Custody pool", wallets: "All wallets" })[name] ?? "My wallet";
const levels = (side: [number, number][]) => (side.length ? side.slice(0, 3).map(([p, s]) => `${count(s)} at ${cents(p)}`).join(", ") : "nobody");

function BookPane({ book }: { book: Moment["book"] }) {
  return (
    <section class="panel" aria-label="Book"><h2>Book<small>{plural(book.open_orders, "open order")}</small></h2>
      <dl class="figures"><div class="line"><dt>Cash that secures them</dt><dd class="num">{dollars(book.held_micros)}</dd></div></dl>
      <div class="scroll" tabIndex={0} role="region" aria-label="Best prices, market by market">{book.markets.map((m) => (
        <div class="was" key={m.ticker}>
          <p><a href={`#/m/${m.ticker}`}>{markets.value.get(m.ticker)?.title ?? m.ticker}</a></p>
          <p class="num"><span class="yes">Bid</span> {levels(m.bids)}</p>
          <p class="num"><span class="no">Ask</span> {levels(m.asks)}</p>
        </div>
      ))}</div>
      {!book.markets.length && <p class="quiet">Every book was empty.</p>}
    </section>
  );
}

function LedgerPane({ ledger }: { ledger: Moment["ledger"] }) {
  const mine = ledger.mine;
  return (
    <section class="panel" aria-label="Ledger"><h2>Ledger<small>what everybody had</small></h2>
      {mine.length > 0 && <dl class="figures mine">{mine.map((m) => <div class="line" key={m.asset}><dt>Mine, {m.asset}</dt><dd class="num">{money(m.asset, m.total_micros)}</dd></div>)}</dl>}
      <div class="scroll" tabIndex={0} role="region" aria-label="Everything by asset">{ledger.assets.map(({ asset, micros }) => (
        <dl class="figures asset" key={asset}>
          <div class="line strong"><dt class="break">{asset}</dt><dd class="num">{money(asset, Object.values(micros).reduce((sum, n) => sum + n, 0))}</dd></div>
          {Object.entries(micros).map(([whose, n]) => <div class="line" key={whose}><dt>{WHOSE[whose] ?? whose}</dt><dd class="num">{money(asset, n)}</dd></div>)}
        </dl>
      ))}</div>
    </section>
  );
}

function ChainPane({ chain }: { chain: Moment["chain"] }) {
  const verdict = chain.equal === null ? ["wait", `… ${chain.waiting}`] : chain.equal ? ["good", "✓ agrees with the ledger"] : ["bad", "✕ differs from the ledger"];
  return (
    <section class="panel" aria-label="Chain"><h2>Chain<small>{chain.block_number === null ? "not recorded" : <>final block <span class="num">{chain.block_number}</span></>}</small></h2>
      <p class={`verdict small ${verdict[0]}`}>{verdict[1]}</p>
      {chain.block_number !== null && (
        <>
          <dl class="facts">
            <div><dt>Executed</dt><dd class="num">{plural(chain.next_operation ?? 0, "operation")}{chain.skipped ? `, ${chain.skipped} skipped` : ""}</dd></div>
            <div><dt>Deposits</dt><dd class="num">{chain.deposits}</dd></div>
            {chain.block_number === chain.final_block && <div><dt>Hash</dt><dd><code title={chain.final_hash}>{short(chain.final_hash)}</code></dd></div>}
          </dl>
          <div class="scroll" tabIndex={0} role="region" aria-label="What the contract held">
            <table>
              <thead><tr><th scope="col">Holder</th><th scope="col" class="r">Ledger</th><th scope="col" class="r">In flight</th><th scope="col" class="r">On chain</th></tr></thead>
              <tbody>{chain.rows.map((r) => (
                <tr key={r.holder + r.asset}>
                  <td><b>{held(r.holder)}</b> <span class="muted break">{r.asset}</span></td>
                  <td class="num r">{money(r.asset, r.ledger_micros)}</td>
                  <td class="num r muted">{r.in_flight_micros ? money(r.asset, r.in_flight_micros) : "–"}</td>
                  <td class={`num r ${r.difference_micros ? "no" : ""}`}>{r.on_chain_micros === null ? "not read" : money(r.asset, r.on_chain_micros)}</td>
                </tr>))}
              </tbody>
            </table>
          </div>
          {chain.zero_rows > 0 && <p class="quiet">{plural(chain.zero_rows, "balance")} of zero on both sides.</p>}
        </>
      )}
    </section>
  );
}

export const goTo = (n: number) => (location.hash = `#/proof/${Math.min(overview.value!.seq, Math.max(1, n))}`);
/** The command that is shown; the newest one when none is named. */
export const shownSeq = (seq: string) => Math.min(overview.value!.seq, Math.max(1, Number(seq) || overview.value!.seq));

export function Sequence({ seq }: { seq: string }) {
  const newest = overview.value!.seq;
  const pinned = useSignal(newest);
  /** What is being typed: the page is drawn anew meanwhile. */
  const typed = useSignal<string | null>(null);
  const at = Number(seq) ? shownSeq(seq) : pinned.value;
  const found = useSignal<{ moment?: Moment; trace?: Trace; problem?: string }>({});
  useEffect(() => {
    let wanted = true;
    const mine = wallet.value ? `?wallet=${wallet.value.address}` : "";
    const timer = setTimeout(() => {
      void Promise.all([get<Moment>(`/venue/at/${at}${mine}`), get<Trace>(`/venue/trace/command:${at}`)]).then(
        ([moment, trace]) => wanted && (found.value = { moment, trace }),
        (error) => wanted && (found.value = { problem: sentence(error) }),
      );
    }, 120);
    return () => ((wanted = false), clearTimeout(timer));
  }, [at, wallet.value?.address]);
  const { moment, trace, problem } = found.value;
  const old = moment && moment.seq !== at;
  return (
    <section aria-label="One sequence number">
      <div class="slider">
        <h2>One sequence number, three witnesses</h2>
        <label for="seq-number">Command</label>
        <button onClick={() => goTo(at - 1)} disabled={at <= 1} aria-label="One command back" aria-keyshortcuts=",">‹</button>
        <input id="seq-number" class="num" inputMode="numeric" autocomplete="off" value={typed.value ?? at} onInput={(e) => (typed.value = e.currentTarget.value)} onBlur={() => (typed.value = null)}
          onChange={(e) => (goTo(Number(e.currentTarget.value) || at), (typed.value = null))} />
        <button onClick={() => goTo(at + 1)} disabled={at >= newest} aria-label="One command on" aria-keyshortcuts=".">›</button>
        <input type="range" min={1} max={newest} value={at} aria-label="Command" aria-valuetext={`Command ${at} of ${newest}`} onInput={(e) => goTo(Number(e.currentTarget.value))} />
        <button class="small" onClick={() => ((pinned.value = newest), (location.hash = "#/proof"))}>Newest, <span class="num">{newest}</span></button>
      </div>
      {problem && <p class="problem" role="alert">{problem}</p>}
      {!moment ? !problem && <div class="panes"><div class="skeleton lines" role="status" aria-busy="true" aria-label="Replaying the journal"><span /><span /><span /></div></div> : (
        <div class={old ? "old" : ""} aria-busy={old}>
          <p class="moment" role="status">After command <b class="num">#{moment.seq}</b>, <b>{moment.command.kind}</b>, <time class="num" title={utc(moment.command.at_ms)}>{clock(moment.command.at_ms)}</time> <span class="muted">state <code title={moment.state_hash}>{short(moment.state_hash)}</code></span></p>
          <div class="panes"><BookPane book={moment.book} /><LedgerPane ledger={moment.ledger} /><ChainPane chain={moment.chain} /></div>
          {trace && <><h3 class="did">What the command did</h3><Panes trace={trace} /></>}
        </div>
      )}
    </section>
  );
}
