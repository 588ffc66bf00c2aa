import { brief, cents, count } from "./money";
import { book, narrow, sheet, shown, ticket } from "./store";
import type { Levels, Market } from "./types";

const ROWS = 9;

function Side({ levels, side, most }: { levels: Levels; side: "bid" | "ask"; most: number }) {
  const take = (price: number) => {
    if (narrow.value) sheet.value = shown.value;
    const outcome = ticket.value.outcome;
    ticket.value = { ...ticket.value, price: String((outcome === "yes" ? price : 10_000 - price) / 100) };
  };
  let sum = 0;
  const rows = levels.slice(0, ROWS).map(([price, size]) => ({ price, size, total: (sum += size) }));
  if (side === "ask") rows.reverse();
  return (
    <tbody class={side}>
      {rows.map(({ price, size, total }) => (
        <tr key={price} style={{ "--w": `${Math.max(2, Math.round((100 * total) / most))}%` }}>
          <th scope="row"><button class="num" onClick={() => take(price)} aria-label={`${side === "bid" ? "Bid" : "Ask"} ${cents(price)}: use this price`}>{cents(price)}</button></th>
          <td class="num r">{count(size)}</td>
          <td class="num r muted">{brief(total)}</td>
        </tr>
      ))}
    </tbody>
  );
}

/** Up and down along the prices, from best to worst through both sides. */
function walk(event: KeyboardEvent) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const prices = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("th button")];
  const at = prices.indexOf(document.activeElement as HTMLElement);
  if (!by || at < 0) return;
  event.preventDefault();
  prices[Math.min(prices.length - 1, Math.max(0, at + by))]!.focus();
}

export function Ladder({ market }: { market: Market }) {
  const now = book.value;
  if (!now || now.ticker !== market.ticker) return <div class="skeleton lines" role="status" aria-busy="true" aria-label="Loading the book">{[1, 2, 3, 4, 5, 6].map((n) => <span key={n} />)}</div>;
  if (!now.bids.length && !now.asks.length) return <p class="quiet">Nobody is quoting. Your order would be the first in the book, and stays until somebody takes it.</p>;
  const sum = (levels: Levels) => levels.slice(0, ROWS).reduce((total, [, size]) => total + size, 0);
  const most = Math.max(sum(now.bids), sum(now.asks), 1);
  const spread = now.bids[0] && now.asks[0] ? now.asks[0][0] - now.bids[0][0] : null;
  return (
    <table class="ladder" onKeyDown={walk}>
      <caption class="sr">Order book of {market.ticker} in yes prices, best prices in the middle</caption>
      <thead><tr><th scope="col">Price</th><th scope="col" class="r">Contracts</th><th scope="col" class="r">Sum</th></tr></thead>
      <Side levels={now.asks} side="ask" most={most} />
      <tbody class="spread"><tr><td colSpan={3}>{spread === null ? "one side is empty" : <>spread <b class="num">{cents(spread)}</b></>}</td></tr></tbody>
      <Side levels={now.bids} side="bid" most={most} />
    </table>
  );
}
