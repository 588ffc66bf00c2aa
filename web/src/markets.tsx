import { signal } from "@preact/signals";
import { brief, cents, chance, day, percent, plural } from "./money";
import { narrow, overview, search, sheet, ticket } from "./store";
import type { Market, Outcome, VenueEvent } from "./types";

export const STATUS: Record<string, string> = {
  initialized: "Opens soon", active: "Open", inactive: "Paused", closed: "Closed", determined: "Decided", disputed: "Disputed", amended: "Amended", finalized: "Settled",
};

/** What somebody pays now for one contract of an outcome; null on an empty side of the book. */
export const ask = (m: Market, outcome: Outcome) => {
  if (outcome === "yes") return m.best_ask_e4 < 10_000 ? m.best_ask_e4 : null;
  return m.best_bid_e4 > 0 ? 10_000 - m.best_bid_e4 : null;
};

export function Buy({ market, outcome }: { market: Market; outcome: Outcome }) {
  const price = ask(market, outcome);
  const word = outcome === "yes" ? "Yes" : "No";
  return (
    <a class={`pick ${outcome}`} href={`#/m/${market.ticker}`}
      onClick={() => ((ticket.value = { ...ticket.value, action: "buy", outcome, price: "" }), narrow.value && (sheet.value = market.ticker))}>
      <span>{word}<span class="sr">: buy, {market.yes || market.title},</span></span><b class="num">{price ? cents(price) : <span class="none">no offer</span>}</b>
    </a>
  );
}

export function Row({ market, exclusive, current }: { market: Market; exclusive: boolean; current?: boolean }) {
  const likely = chance(market);
  return (
    <li class={current ? "row current" : "row"}>
      <a class="name" href={`#/m/${market.ticker}`} aria-current={current ? "true" : undefined}>{exclusive ? market.yes || market.title : market.title}</a>
      <span class="likely num">{likely === null ? "–" : percent(likely)}</span>
      {market.status === "active" ? <span class="picks"><Buy market={market} outcome="yes" /><Buy market={market} outcome="no" /></span> : <span class="chip">{STATUS[market.status]}</span>}
      <span class="bar" aria-hidden="true"><i style={{ width: `${Math.round((likely ?? 0) / 100)}%` }} /></span>
    </li>
  );
}

/** The last prices as a small line; the row beside it has the figure. */
function Trend({ market }: { market: Market }) {
  const all = market.trend_e4;
  if (all.length < 2) return null;
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const y = (price: number) => 38 - (34 * (price - low)) / Math.max(200, high - low);
  const points = all.map((price, i) => `${((100 * i) / (all.length - 1)).toFixed(1)},${y(price).toFixed(1)}`).join(" ");
  return <svg class="trend" viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true"><polyline points={points} /></svg>;
}

const topic = signal("");

function Topics({ events }: { events: VenueEvent[] }) {
  const all = [...new Set(events.map((e) => e.category).filter(Boolean))].sort();
  if (all.length < 2) return null;
  return (
    <div class="topics" role="group" aria-label="Topic">
      {["", ...all].map((name) => <button key={name} class="chip" aria-pressed={topic.value === name} onClick={() => (topic.value = name)}>{name || "All topics"}</button>)}
    </div>
  );
}

function Card({ event }: { event: VenueEvent }) {
  const volume = event.markets.reduce((sum, m) => sum + m.volume_micros, 0);
  const first = event.markets[0]!;
  const single = event.markets.length === 1;
  return (
    <article class="card">
      <p class="kicker">{event.category}{event.mutually_exclusive && " · one outcome wins"}</p>
      <h2><a href={`#/m/${first.ticker}`}>{single ? first.title : event.title}</a></h2>
      <ul class="rows">{event.markets.slice(0, 4).map((m) => <Row key={m.ticker} market={m} exclusive={!single || Boolean(m.yes)} />)}</ul>
      {event.markets.length > 4 && <p class="more"><a href={`#/m/${first.ticker}`}>All {event.markets.length} outcomes</a></p>}
      {single && <Trend market={first} />}
      <p class="meta"><span class="num">{brief(volume)}</span> contracts · closes {day(first.close_ms)}</p>
    </article>
  );
}

export function Markets() {
  const wanted = search.value.trim().toLowerCase();
  const all = overview.value!.events;
  const found = all.filter((e) => (wanted || !topic.value || e.category === topic.value) && (!wanted || [e.title, e.category, e.event_ticker, ...e.markets.flatMap((m) => [m.title, m.yes, m.ticker])].join(" ").toLowerCase().includes(wanted)));
  const total = all.reduce((sum, e) => sum + e.markets.length, 0);
  return (
    <>
      <div class="head">
        <h1>{wanted ? `“${search.value.trim()}”` : "Markets"}</h1>
        <p class="muted" role="status">{wanted ? plural(found.length, "event") : `${plural(total, "question")}, one order book each. Prices are cents on the dollar.`}</p>
      </div>
      {!wanted && <Topics events={all} />}
      {found.length ? <div class="cards">{found.map((e) => <Card key={e.event_ticker} event={e} />)}</div> : (
        <section class="empty">
          <h2>{wanted ? "Nothing matches" : "No markets yet"}</h2>
          <p>{wanted ? "Try a ticker, a topic or an outcome." : "An operator lists the first one on the operator page or with causeway market create."}</p>
          {wanted && <button onClick={() => (search.value = "")}>Show all markets</button>}
        </section>
      )}
    </>
  );
}
