import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get } from "./api";
import { Chart, Depth } from "./chart";
import { Ladder } from "./ladder";
import { ask, Row, STATUS } from "./markets";
import { brief, cents, chance, clock, count, day, percent, utc } from "./money";
import { Outcomes } from "./outcomes";
import { FillList, Orders } from "./portfolio";
import { eventOf, markets, narrow, portfolio, sheet, shown, ticket, trades } from "./store";
import { Ticket } from "./ticket";
import type { Market, Outcome, Trade, TradePage, VenueEvent } from "./types";

const PAGE = 50;

function Trades({ ticker }: { ticker: string }) {
  const older = useSignal<Trade[]>([]);
  const more = useSignal<boolean | null>(null);
  if (!trades.value.length) return <p class="quiet">No trades yet. The first one sets the price.</p>;
  const newest = new Set(trades.value.map((t) => t.trade));
  const all = [...trades.value, ...older.value.filter((t) => !newest.has(t.trade))];
  async function load() {
    const page = await get<TradePage>(`/venue/page/markets/${ticker}/trades?before=${all.at(-1)!.trade.split(":")[1]}`);
    older.value = [...older.value, ...page.trades];
    more.value = page.more;
  }
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Newest trades">
        <table>
          <thead><tr><th scope="col">Time</th><th scope="col">Taker bought</th><th scope="col" class="r">Price</th><th scope="col" class="r">Contracts</th><th scope="col" class="r">Settles</th></tr></thead>
          <tbody>
            {all.map((t) => (
              <tr key={t.trade}>
                <td class="num" title={utc(t.at_ms)}>{clock(t.at_ms)}</td>
                <td class={t.taker_side === "bid" ? "yes" : "no"}>{t.taker_side === "bid" ? "▲ Yes" : "▼ No"}</td>
                <td class="num r">{cents(t.price_e4)}</td>
                <td class="num r">{count(t.size_micros)}</td>
                <td class="r">{t.on_chain ? <a href={`#/trace/${t.trade}`}>{t.stage === "CONFIRMED" ? "on chain" : (t.stage ?? "matched").toLowerCase()}</a> : <a class="muted" href={`#/trace/${t.trade}`}>in ledger</a>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(more.value ?? trades.value.length >= PAGE) && <div class="buttons"><button class="small" onClick={() => void load()}>Older trades</button></div>}
    </>
  );
}

function Title({ market }: { market: Market }) {
  const event = eventOf(market.ticker)!;
  const likely = chance(market);
  return (
    <div class="title">
      <div>
        <p class="kicker"><a href="#/">Markets</a> / {event.category}</p>
        <h1>{market.title}</h1>
        <p class="meta">
          <span class={`chip ${market.status}`}>{STATUS[market.status] ?? market.status}</span>
          <span><b class="num">{brief(market.volume_micros)}</b> traded</span>
          <span><b class="num">{brief(market.open_interest_micros)}</b> open</span>
          <span>closes <time title={utc(market.close_ms)}>{day(market.close_ms)}</time></span>
          <code>{market.ticker}</code>
        </p>
      </div>
      <p class="big num" aria-label="Chance of yes">{likely === null ? "–" : percent(likely)}<small>{market.yes_payout_micros >= 0 ? "yes pays" : "chance of yes"}</small></p>
    </div>
  );
}

/** What the chart shows; stays as chosen from market to market. */
const view = signal<"outcomes" | "price" | "depth">("outcomes");

function Graph({ market, event }: { market: Market; event: VenueEvent }) {
  const several = event.markets.length > 1;
  const now = view.value === "outcomes" && !several ? "price" : view.value;
  const tabs: [typeof now, string][] = [...(several ? [["outcomes", "All outcomes"] as [typeof now, string]] : []), ["price", several ? "This outcome" : "Price"], ["depth", "Depth"]];
  return (
    <section class="panel graph" aria-label="Chart">
      <h2><span class="tabs" role="group" aria-label="Chart">{tabs.map(([name, words]) => <button key={name} aria-pressed={now === name} onClick={() => (view.value = name)}>{words}</button>)}</span></h2>
      {now === "outcomes" ? <Outcomes event={event} current={market.ticker} /> : now === "price" ? <Chart ticker={market.ticker} /> : <Depth />}
    </section>
  );
}

/** The ticket where there is no room beside the market: over it, from the bottom, and two buttons that open it. */
function Sheet({ market }: { market: Market }) {
  const box = useRef<HTMLDialogElement>(null);
  const open = sheet.value === market.ticker;
  useEffect(() => {
    if (open && !box.current!.open) box.current!.showModal();
    if (!open && box.current!.open) box.current!.close();
  }, [open]);
  const buy = (outcome: Outcome) => ((ticket.value = { ...ticket.value, action: "buy", outcome, price: "" }), (sheet.value = market.ticker));
  return (
    <>
      <div class="buybar" role="group" aria-label="Buy">
        {(["yes", "no"] as Outcome[]).map((o) => {
          const price = ask(market, o);
          return <button key={o} class={`primary ${o}`} aria-haspopup="dialog" onClick={() => buy(o)}><span>Buy {o === "yes" ? "Yes" : "No"}</span><b class="num">{price ? cents(price) : "no offer"}</b></button>;
        })}
      </div>
      <dialog ref={box} class="sheet ticket" aria-label="Order ticket" onClose={() => open && (sheet.value = "")} onClick={(e) => e.target === box.current && (sheet.value = "")}>
        <div class="inside">
          <p class="asked">{market.title}</p>
          <Ticket market={market} />
          <button class="icon close" aria-label="Close" onClick={() => (sheet.value = "")}>✕</button>
        </div>
      </dialog>
    </>
  );
}

export function MarketPage() {
  const market = markets.value.get(shown.value);
  if (!market) return <section class="empty"><h1>There is no market {shown.value}</h1><p><a href="#/">All markets</a></p></section>;
  const event = eventOf(market.ticker)!;
  const mine = portfolio.value;
  const fills = mine?.fills.filter((f) => f.ticker === market.ticker) ?? [];
  const orders = mine?.orders.filter((o) => o.ticker === market.ticker) ?? [];
  const over = narrow.value && market.status === "active";
  return (
    <>
      <Title market={market} />
      <div class="trade">
        <div class="left">
          <Graph market={market} event={event} />
          {event.markets.length > 1 && (
            <section class="panel siblings" aria-label={event.title}>
              <h2>{event.title}{event.mutually_exclusive && <small>one outcome wins</small>}</h2>
              <ul class="rows">{event.markets.map((m) => <Row key={m.ticker} market={m} exclusive current={m.ticker === market.ticker} />)}</ul>
            </section>
          )}
          {(fills.length > 0 || orders.length > 0) && (
            <section class="panel" aria-label="Yours in this market">
              <h2>Yours in this market</h2>
              {orders.length > 0 && <Orders orders={orders} />}
              {fills.length > 0 && <FillList fills={fills} />}
            </section>
          )}
          <div class="pair">
            <section class="panel book" aria-label="Order book"><h2>Order book<small>yes prices</small></h2><Ladder market={market} /></section>
            <section class="panel trades"><h2>Trades</h2><Trades key={market.ticker} ticker={market.ticker} /></section>
          </div>
          {market.rules && <section class="panel rules"><h2>Rules</h2><p>{market.rules}</p></section>}
        </div>
        {over ? <Sheet market={market} /> : <aside class="panel ticket" aria-label="Order ticket"><Ticket market={market} /></aside>}
      </div>
    </>
  );
}
