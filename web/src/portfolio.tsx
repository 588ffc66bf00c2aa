import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask as call, get, sentence } from "./api";
import { Exit, Run, Sets } from "./vault";
import { cents, clock, count, dollars, fee, plural, short, utc } from "./money";
import { dialog, loadPortfolio, loadSession, markets, overview, portfolio, session, spoken, trader, wallet } from "./store";
import type { Fill, OpenOrder, Portfolio, Position, Stage } from "./types";
import { act, signIn } from "./wallet";

const sideOf = (x: { side: "bid" | "ask"; outcome: string }) => {
  if (!x.outcome) return x.side === "bid" ? "Yes" : "No";
  const buys = (x.outcome === "yes") === (x.side === "bid");
  return `${buys ? "Bought" : "Sold"} ${x.outcome === "yes" ? "Yes" : "No"}`;
};
const asked = (o: OpenOrder) => (o.outcome ? sideOf(o).replace("Bought", "Buy").replace("Sold", "Sell") : `Buy ${sideOf(o)}`);
const priceOf = (x: { side: "bid" | "ask"; outcome: string; price_e4: number }) => ((x.outcome || (x.side === "bid" ? "yes" : "no")) === "yes" ? x.price_e4 : 10_000 - x.price_e4);

/** How much later than the stage before: what a person wants to know of a stage. */
const later = (ms: number) => (ms < 1_000 ? `+${ms} ms` : `+${(ms / 1_000).toFixed(1)} s`);

/** A fill's way from the request to finality, with links to what proves each step. */
export function Stages({ fill, tall }: { fill: Fill; tall?: boolean }) {
  const failed = fill.stage === "FAILED" || fill.stage === "RETRYING";
  const known = fill.stages.filter((s) => s.at_ms > 0);
  const before = (s: Stage) => known[known.indexOf(s) - 1];
  return (
    <div class="stages-box">
      <ol class={tall ? "stages tall" : "stages"} aria-label={`Stages of ${fill.trade}`}>
        {fill.stages.map((s) => (
          <li key={s.name} class={`${s.done ? "done" : "todo"}${s.name === "failed" ? " failed" : ""}`}>
            <i aria-hidden="true" />
            {s.done && s.id ? <a href={`#/trace/${encodeURIComponent(s.id)}`}>{s.name}</a> : <span>{s.name}</span>}
            {s.at_ms > 0 && <time class="num" title={utc(s.at_ms)} dateTime={new Date(s.at_ms).toISOString()}>{clock(s.at_ms)}{before(s) && <small> {later(s.at_ms - before(s)!.at_ms)}</small>}</time>}
            <span class="sr">{s.done ? "done" : "waits"}</span>
          </li>
        ))}
      </ol>
      {failed && <p class="problem">{fill.stage === "RETRYING" ? "Being sent again: the chain did not take it yet." : `Will not execute on chain; ${fill.resolution || "its money is free again"}.`}</p>}
    </div>
  );
}

const SHOWN = 8;

export function FillList({ fills }: { fills: Fill[] }) {
  const shown = useSignal(SHOWN);
  return (
    <>
    <ul class="fills">
      {fills.slice(0, shown.value).map((f) => (
        <li key={f.trade}>
          <p class="fill">
            <b>{sideOf(f)}</b>
            <span><span class="num">{count(f.size_micros)}</span> at <span class="num">{cents(priceOf(f))}</span></span>
            <a href={`#/m/${f.ticker}`}>{markets.value.get(f.ticker)?.title ?? f.ticker}</a>
            <span class="muted num">{f.fee_micros ? `fee ${fee(f.fee_micros)}` : "no fee"}</span>
          </p>
          <Stages fill={f} />
        </li>
      ))}
    </ul>
    {fills.length > shown.value && <div class="buttons"><button class="small" onClick={() => (shown.value += SHOWN)}>Show {Math.min(SHOWN, fills.length - shown.value)} more of {fills.length}</button></div>}
    </>
  );
}

export function Orders({ orders }: { orders: OpenOrder[] }) {
  const busy = useSignal("");
  async function cancel(order: OpenOrder) {
    busy.value = order.order_id;
    try {
      await call("DELETE", `${wallet.value ? "/venue/orders" : "/venue/page/orders"}/${order.order_id}`);
      spoken.value = "Cancelled.";
    } catch (error) {
      spoken.value = sentence(error);
    }
    busy.value = "";
    await loadPortfolio();
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Open orders">
      <table>
        <thead><tr><th scope="col">Open order</th><th scope="col" class="r">Price</th><th scope="col" class="r">Left</th><th scope="col"><span class="sr">Cancel</span></th></tr></thead>
        <tbody>
          {orders.map((o) => (
            <tr key={o.order_id}>
              <td><b>{asked(o)}</b> <a href={`#/m/${o.ticker}`}>{markets.value.get(o.ticker)?.title ?? o.ticker}</a></td>
              <td class="num r">{cents(priceOf(o))}</td>
              <td class="num r">{count(o.remaining_micros)} of {count(o.size_micros)}</td>
              <td class="r"><button class="small" data-cancel disabled={busy.value === o.order_id} onClick={() => void cancel(o)} aria-label={`Cancel ${o.ticker} at ${cents(priceOf(o))}`}>Cancel</button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Redeem({ position }: { position: Position }) {
  const busy = useSignal(false);
  const problem = useSignal("");
  const market = markets.value.get(position.ticker);
  if (!wallet.value || !market || market.yes_payout_micros < 0) return null;
  if (!market.resolved_on_chain) return <span class="muted">decided, not on chain yet</span>;
  async function redeem() {
    busy.value = true;
    problem.value = "";
    try {
      for (const [id, amount] of [[market!.yes_token_id, position.yes_micros], [market!.no_token_id, position.no_micros]] as const)
        if (amount) await act(overview.value!, wallet.value!, "redeem", id, amount);
      spoken.value = "Redemption is on its way.";
      await loadPortfolio();
    } catch (error) {
      problem.value = sentence(error);
    }
    busy.value = false;
  }
  return <><button class="small primary" disabled={busy.value} onClick={() => void redeem()}>Redeem</button>{problem.value && <p class="problem" role="alert">{problem.value}</p>}</>;
}

export function Positions({ positions }: { positions: Position[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Positions">
      <table>
        <thead><tr><th scope="col">Market</th><th scope="col" class="r">Yes</th><th scope="col" class="r">No</th><th scope="col" class="r">Pending</th><th scope="col" class="r">Worth</th><th scope="col"><span class="sr">Redeem</span></th></tr></thead>
        <tbody>
          {positions.map((p) => {
            const m = markets.value.get(p.ticker);
            const yes = p.yes_payout_micros >= 0 ? p.yes_payout_micros / 100 : m?.last_price_e4 || 0;
            const worth = (p.yes_micros * yes + p.no_micros * (10_000 - yes)) / 10_000;
            return (
              <tr key={p.ticker}>
                <td><a href={`#/m/${p.ticker}`}>{m?.title ?? p.ticker}</a></td>
                <td class="num r">{p.yes_micros ? count(p.yes_micros) : "–"}</td>
                <td class="num r">{p.no_micros ? count(p.no_micros) : "–"}</td>
                <td class="num r muted">{p.yes_pending_micros || p.no_pending_micros ? count(p.yes_pending_micros || p.no_pending_micros) : "–"}</td>
                <td class="num r">{yes || p.yes_payout_micros >= 0 ? dollars(worth) : "–"}</td>
                <td class="r"><Redeem position={p} /></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function Money({ of }: { of: Portfolio }) {
  const usd = of.account.balances.USD ?? { available: 0, held: 0, pending: 0, settled: 0, total: 0, withdrawable: 0 };
  const cells: [string, number, string][] = [
    ["Available", usd.available, "What new orders may use: everything that is not held"],
    ["Held", usd.held, "Secures your open orders and actions"],
    ["Pending", usd.pending, "Moved by fills that are not final on chain yet; may be traded, not withdrawn"],
    ["Settled", usd.settled, of.account.custody === "wallet" ? "The vault balance in the newest final block" : "Everything that waits for nothing"],
  ];
  return <dl class="money">{cells.map(([name, value, why]) => <div key={name}><dt>{name}</dt><dd class="num">{dollars(value)}</dd><dd class="why">{why}</dd></div>)}</dl>;
}

/** Deposits and what was done with the vault, each with what proves it. */
export function Moves({ of }: { of: Portfolio }) {
  if (!of.deposits.length && !of.actions.length) return null;
  return (
    <section class="panel"><h2>Money and vault</h2>
      <ul class="events">
        {of.actions.map((a) => <li key={a.id}><a href={`#/trace/${a.id}`}>{a.kind}</a><span class="num">{count(a.amount_micros)}</span><span class="chip">{a.stage.toLowerCase()}</span></li>)}
        {of.deposits.slice().reverse().map((d) => <li key={d.id}><a href={`#/trace/${d.id}`}>deposit</a><span class="num">{d.asset === "USD" ? dollars(d.amount_micros) : `${count(d.amount_micros)} ${d.asset}`}</span><span class="chip">final</span></li>)}
      </ul>
    </section>
  );
}

interface OrderPage { orders: OpenOrder[]; next: number }

/** Finished orders, a page at a time: the venue keeps all of them. */
function History() {
  const pages = useSignal<OrderPage[]>([]);
  const at = useSignal(0);
  const problem = useSignal("");
  const load = (before: number) => get<OrderPage>(`/venue/page/orders?before=${before}`);
  const open = portfolio.value!.orders.length;
  useEffect(() => {
    let wanted = true;
    void load(0).then((page) => wanted && ((pages.value = [page]), (at.value = 0)), (error) => wanted && (problem.value = sentence(error)));
    return () => void (wanted = false);
  }, [open, portfolio.value!.fills[0]?.trade]);
  async function older() {
    const last = pages.value[at.value]!;
    if (!pages.value[at.value + 1]) pages.value = [...pages.value, await load(last.next)];
    at.value += 1;
  }
  const page = pages.value[at.value];
  if (problem.value) return <section class="panel"><h2>Order history</h2><p class="problem">{problem.value}</p></section>;
  return (
    <section class="panel"><h2>Order history{page && page.orders.length > 0 && <small>newest first</small>}</h2>
      {!page ? <div class="skeleton lines" role="status" aria-busy="true" aria-label="Loading orders"><span /><span /></div> : !page.orders.length ? <p class="quiet">Orders that were filled or cancelled are listed here.</p> : (
        <>
          <div class="scroll" tabIndex={0} role="region" aria-label="Order history">
            <table>
              <thead><tr><th scope="col">When</th><th scope="col">Order</th><th scope="col" class="r">Price</th><th scope="col" class="r">Filled</th><th scope="col">Became</th></tr></thead>
              <tbody>{page.orders.map((o) => (
                <tr key={o.order_id}>
                  <td class="num" title={utc(o.created_ms)}>{clock(o.created_ms)}</td>
                  <td><b>{asked(o)}</b> <a href={`#/trace/${encodeURIComponent(o.order_id)}`}>{markets.value.get(o.ticker)?.title ?? o.ticker}</a></td>
                  <td class="num r">{cents(priceOf(o))}</td>
                  <td class="num r">{count(o.filled_micros)} of {count(o.size_micros)}</td>
                  <td><span class="chip">{o.status}</span></td>
                </tr>))}
              </tbody>
            </table>
          </div>
          {(at.value > 0 || page.next > 0) && <div class="buttons"><button class="small" disabled={!at.value} onClick={() => (at.value -= 1)}>Newer</button><button class="small" disabled={!page.next} onClick={() => void older()}>Older</button><span class="quiet">Page {at.value + 1}</span></div>}
        </>
      )}
    </section>
  );
}

export function PortfolioPage() {
  const mine = portfolio.value;
  if (!trader.value)
    return <section class="empty"><h1>Portfolio</h1><p>Connect a wallet, take a burner, or sign in to see balances, positions and every fill's way to the chain.</p><button class="primary" onClick={() => (dialog.value = "account")}>Start trading</button></section>;
  if (!mine)
    return <section class="empty"><h1>Portfolio</h1><p>Nothing here yet: {short(trader.value)} has not deposited.</p><button class="primary" onClick={() => (dialog.value = "account")}>Add money</button></section>;
  return (
    <>
      <div class="head"><h1>Portfolio</h1><p class="muted">{wallet.value ? <>Wallet <code title={wallet.value.address}>{short(wallet.value.address)}</code>, keys are yours</> : <>Custodial account <b>{session.value?.name}</b></>} <button class="small" onClick={() => (dialog.value = "account")}>Deposit or withdraw</button></p></div>
      <Money of={mine} />
      <div class="columns">
        <div>
          <section class="panel"><h2>Positions</h2>{mine.positions.length ? <Positions positions={mine.positions} /> : <p class="quiet">No positions.</p>}</section>
          <section class="panel"><h2>Open orders</h2>{mine.orders.length ? <Orders orders={mine.orders} /> : !mine.private && mine.account.open_orders ? <><p class="quiet">{plural(mine.account.open_orders, "order")} in the book. Others cannot see them; sign in once to.</p><div class="buttons"><Run label="Show my orders" work={async () => (await signIn(wallet.value!), await loadSession(), "")} /></div></> : <p class="quiet">Nothing waits in the book.</p>}</section>
          {mine.private && <History key={trader.value} />}
          {wallet.value && <Sets />}
          {wallet.value && <Exit />}
        </div>
        <div>
          <section class="panel"><h2>Fills</h2>{mine.fills.length ? <FillList fills={mine.fills} /> : <p class="quiet">No fills yet. <a href="#/">Find a market</a></p>}</section>
          <Moves of={mine} />
        </div>
      </div>
    </>
  );
}
