import { useSignal } from "@preact/signals";
import { get } from "./api";
import { Chart, Depth } from "./chart";
import { Ladder } from "./ladder";
import { Row, STATUS } from "./markets";
import { brief, cents, chance, clock, count, day, percent, utc } from "./money";
import { FillList, Orders } from "./portfolio";
import { eventOf, markets, portfolio, shown, trades } from "./store";
import { Ticket } from "./ticket";
import type { Market, Trade, TradePage } from "./types";

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

export function MarketPage() {
  const view = useSignal<"price" | "depth">("price");
  const market = markets.value.get(shown.value);
  if (!market) return <section class="empty"><h1>There is no market {shown.value}</h1><p><a href="#/">All markets</a></p></section>;
  const event = eventOf(market.ticker)!;
  const mine = portfolio.value;
  const fills = mine?.fills.filter((f) => f.ticker === market.ticker) ?? [];
  const orders = mine?.orders.filter((o) => o.ticker === market.ticker) ?? [];
  return (
    <>
      <Title market={market} />
      <div class="trade">
        <div class="left">
          <section class="panel graph" aria-label="Price">
            <h2>
              <span class="tabs" role="group" aria-label="Chart">
                <button aria-pressed={view.value === "price"} onClick={() => (view.value = "price")}>Price</button>
                <button aria-pressed={view.value === "depth"} onClick={() => (view.value = "depth")}>Depth</button>
              </span>
            </h2>
            {view.value === "price" ? <Chart ticker={market.ticker} /> : <Depth />}
          </section>
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
          <section class="panel"><h2>Trades</h2><Trades key={market.ticker} ticker={market.ticker} /></section>
          {market.rules && <section class="panel rules"><h2>Rules</h2><p>{market.rules}</p></section>}
        </div>
        <section class="panel book" aria-label="Order book"><h2>Order book<small>yes prices</small></h2><Ladder market={market} /></section>
        <aside class="panel ticket" aria-label="Order ticket"><Ticket market={market} /></aside>
      </div>
    </>
  );
}
