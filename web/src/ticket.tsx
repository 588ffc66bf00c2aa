import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { post, sentence } from "./api";
import { ask } from "./markets";
import { cents, count, decimal, dollars, fee, micros, seconds } from "./money";
import { Stages } from "./portfolio";
import { dialog, loadPortfolio, noteEnd, overview, portfolio, spoken, ticket, trader, wallet } from "./store";
import type { Action, Market, Outcome, Overview, Quote } from "./types";
import { placeSigned } from "./wallet";

interface Placed { order_id: string; filled_micros: number; rests_micros: number }
/** What was asked for and what came of it: shown until something else is asked for. */
interface Answered { asked: typeof ticket.value; placed: Placed }

/** The nearest price of the market's grid, in the outcome's own prices. */
const step = (market: Market, priceE4: number) => market.price_ranges.find(([from, to]) => priceE4 >= from && priceE4 <= to)?.[2] ?? 100;

function Field({ id, label, unit, value, onInput, onStep, problem }: { id: string; label: string; unit: string; value: string; onInput: (text: string) => void; onStep: (by: number) => void; problem: string }) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="stepper">
        <button type="button" onClick={() => onStep(-1)} aria-label={`Less: ${label}`}>−</button>
        <input id={id} class="num" inputMode="decimal" autocomplete="off" value={value} aria-invalid={problem ? "true" : undefined} aria-describedby={problem ? `${id}-problem` : undefined} onInput={(e) => onInput(e.currentTarget.value)} />
        <span class="unit" aria-hidden="true">{unit}</span>
        <button type="button" onClick={() => onStep(1)} aria-label={`More: ${label}`}>+</button>
      </div>
      {problem && <p class="problem" id={`${id}-problem`}>{problem}</p>}
    </div>
  );
}

function Line({ name, value, strong }: { name: string; value: string; strong?: boolean }) {
  return <div class={strong ? "line strong" : "line"}><dt>{name}</dt><dd class="num">{value}</dd></div>;
}

function Figures({ quote, buys }: { quote: Quote; buys: boolean }) {
  return (
    <dl class="figures">
      <Line name={buys ? "Cost" : "Proceeds"} value={dollars(quote.value_micros)} />
      <Line name="Fee, at most" value={quote.fee_micros ? fee(quote.fee_micros) : "none"} />
      <Line name={buys ? "You pay at most" : "You get at least"} value={dollars(quote.total_micros)} strong />
      <Line name={buys ? "Most you can win" : "You keep, if it loses"} value={dollars(quote.most_win_micros)} />
      <Line name={buys ? "Most you can lose" : "You forgo, if it wins"} value={dollars(quote.most_lose_micros)} />
    </dl>
  );
}

function When({ quote }: { quote: Quote | null }) {
  if (!quote) return null;
  const parts = [];
  if (quote.at_once_micros) parts.push(`${count(quote.at_once_micros)} fill at once`);
  if (quote.rests_micros) parts.push(`${count(quote.rests_micros)} wait in the book`);
  return <p class="when">{parts.join(", ")}. A fill {wallet.value ? `settles on chain in ${seconds(quote.settles_ms)}` : "is yours in the ledger at once; against a wallet it also settles on chain"}.</p>;
}

/** The order that was just placed, until it is dismissed: its fills with their stages. */
function Result({ placed, onDone }: { placed: Placed; onDone: () => void }) {
  const fills = portfolio.value?.fills.filter((f) => f.order_id === placed.order_id) ?? [];
  const settled = fills.length > 0 && fills.every((f) => f.stage === "CONFIRMED") && placed.rests_micros === 0;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section class="result" aria-label="Your order">
      <h3 ref={heading} tabIndex={-1}>{placed.filled_micros ? (settled ? "Filled and settled" : `Filled ${count(placed.filled_micros)}`) : "In the book"}</h3>
      {placed.rests_micros > 0 && <p>{count(placed.rests_micros)} contracts wait in the book until somebody takes them or you cancel.</p>}
      {placed.filled_micros === 0 && placed.rests_micros === 0 && <p>Nothing was filled, and nothing is left in the book.</p>}
      {fills.map((f) => <Stages key={f.trade} fill={f} tall />)}
      <button onClick={onDone}>New order</button>
    </section>
  );
}

/** Why nobody can place an order now; empty when somebody can. */
const stop = (venue: Overview) => {
  if (venue.frozen) return "No orders are taken while the exchange is frozen. What is open can be cancelled, and wallets can leave.";
  if (venue.mode === "paused" || venue.mode === "cancel_only") return "The exchange takes no new orders now. What is open can be cancelled.";
  if (venue.session !== "open") return "The exchange is outside its trading hours. What is open can be cancelled.";
  if (venue.chain_halted && wallet.value) return "The chain stands still, so orders of wallets would not settle: none are taken until blocks are final again.";
  return "";
};

export function Ticket({ market }: { market: Market }) {
  const step1 = useSignal<"edit" | "review" | "sending">("edit");
  const quote = useSignal<Quote | null>(null);
  const problem = useSignal("");
  const answered = useSignal<Answered | null>(null);
  const confirm = useRef<HTMLButtonElement>(null);
  const { action, outcome, price, count: size } = ticket.value;
  const best = action === "buy" ? ask(market, outcome) : outcome === "yes" ? market.best_bid_e4 || null : market.best_ask_e4 < 10_000 ? 10_000 - market.best_ask_e4 : null;
  const priceText = price || (best ? String(best / 100) : "50");
  const priceE4 = Math.round(Number(priceText) * 100);
  const sizeMicros = micros(size);
  const set = (fields: Partial<typeof ticket.value>) => ((ticket.value = { ...ticket.value, ...fields }), (step1.value = "edit"), (problem.value = ""));
  const priceWrong = !(priceE4 > 0 && priceE4 < 10_000) ? "Between 0 and 100 cents." : "";
  const sizeWrong = !(sizeMicros > 0) ? "A number of contracts, such as 10." : sizeMicros % 10_000 ? "Hundredths of a contract at the finest." : "";

  useEffect(() => {
    if (priceWrong || sizeWrong) return void (quote.value = null);
    let wanted = true;
    const timer = setTimeout(() => {
      void post<Quote>("/venue/page/quote", { ticker: market.ticker, action, outcome, price_e4: priceE4, count: decimal(sizeMicros) }).then((q) => wanted && (quote.value = q), () => wanted && (quote.value = null));
    }, 120);
    return () => ((wanted = false), clearTimeout(timer));
  }, [market.ticker, action, outcome, priceE4, sizeMicros, market.best_bid_e4, market.best_ask_e4]);
  useEffect(() => {
    if (step1.value === "review") confirm.current?.focus();
  }, [step1.value]);

  if (answered.value?.asked === ticket.value) return <Result placed={answered.value.placed} onDone={() => (answered.value = null)} />;
  if (market.status !== "active") return <><h2>Order</h2><p class="quiet">{market.yes_payout_micros >= 0 ? `Decided: yes pays ${dollars(market.yes_payout_micros)}. Redeem what you hold in your portfolio.` : "This market takes no orders now."}</p></>;

  const stopped = stop(overview.value!);
  if (stopped) return <><h2>Order</h2><p class="quiet">{stopped}</p></>;

  const usd = portfolio.value?.account.balances.USD;
  const held = portfolio.value?.account.balances[`${market.ticker}:${outcome.toUpperCase()}`];
  const has = action === "buy" ? (usd?.available ?? 0) : (held?.available ?? 0);
  const needs = action === "buy" ? (quote.value?.total_micros ?? 0) : sizeMicros;
  const custodial = !wallet.value;
  const lacks = trader.value && quote.value && has < needs && !(custodial && action === "sell");
  const name = `${action === "buy" ? "Buy" : "Sell"} ${size} ${outcome === "yes" ? "Yes" : "No"}`;
  const words = `${name} of “${market.title}” at ${cents(priceE4)} each`;

  async function send() {
    step1.value = "sending";
    problem.value = "";
    const asked = ticket.value;
    try {
      const venue = overview.value!;
      const placed = wallet.value
        ? await placeSigned(venue, wallet.value, { tokenId: outcome === "yes" ? market.yes_token_id : market.no_token_id, action, priceE4, sizeMicros, feeCapBps: market.fee_cap_bps })
        : await post<Placed>("/venue/page/orders", { ticker: market.ticker, action, outcome, price_e4: priceE4, count: decimal(sizeMicros) });
      answered.value = { asked, placed };
      spoken.value = placed.filled_micros ? `Filled ${placed.filled_micros / 1e6} contracts.` : "Your order is in the book.";
      await loadPortfolio();
      step1.value = "edit";
    } catch (error) {
      problem.value = sentence(error);
      await noteEnd(error);
      spoken.value = `Refused: ${problem.value}`;
      step1.value = "edit";
    }
  }

  const tick = (by: number) => {
    const next = Math.min(9_999, Math.max(1, priceE4 + by * step(market, outcome === "yes" ? priceE4 : 10_000 - priceE4)));
    set({ price: String(next / 100) });
  };
  return (
    <>
      <div class="sides" role="group" aria-label="Buy or sell">
        {(["buy", "sell"] as Action[]).map((a) => <button key={a} aria-pressed={action === a} onClick={() => set({ action: a, price: "" })}>{a === "buy" ? "Buy" : "Sell"}</button>)}
      </div>
      <div class="outcomes" role="group" aria-label="Outcome">
        {(["yes", "no"] as Outcome[]).map((o) => {
          const shown = ask(market, o);
          return <button key={o} class={o} aria-pressed={outcome === o} onClick={() => set({ outcome: o, price: "" })}><span>{o === "yes" ? "Yes" : "No"}</span><b class="num">{shown ? cents(shown) : "–"}</b></button>;
        })}
      </div>
      <form onSubmit={(e) => (e.preventDefault(), step1.value === "edit" && !priceWrong && !sizeWrong && trader.value && !lacks && (step1.value = "review"))}>
        <Field id="count" label="Contracts" unit="" value={size} onInput={(text) => set({ count: text })} onStep={(by) => set({ count: String(Math.max(1, (Number(size) || 0) + by)) })} problem={sizeWrong} />
        <Field id="price" label="Limit price" unit="¢" value={priceText} onInput={(text) => set({ price: text || " " })} onStep={tick} problem={priceWrong} />
        {quote.value && <Figures quote={quote.value} buys={action === "buy"} />}
        <When quote={quote.value} />
        {problem.value && <p class="problem" role="alert">{problem.value}</p>}
        {!trader.value ? (
          <button type="button" class="primary wide" onClick={() => (dialog.value = "account")}>Start trading</button>
        ) : step1.value === "edit" ? (
          <>
            <p class="has muted">Available: <b class="num">{action === "buy" ? dollars(has) : count(has)}</b>{usd && action === "buy" && usd.pending !== 0 && <> · pending {dollars(usd.pending)}</>}</p>
            {lacks && <p class="problem">{action === "buy" ? <>This needs {dollars(needs)}. <button type="button" class="plain" onClick={() => (dialog.value = "account")}>Add money</button></> : `You have ${count(has)} to sell.`}</p>}
            <button class={`primary wide ${outcome}`} disabled={Boolean(priceWrong || sizeWrong || lacks || !quote.value)}>Review order</button>
          </>
        ) : (
          <div class="review" role="group" aria-label="Confirm">
            <p>{words}. {action === "buy" ? `You pay at most ${dollars(quote.value?.total_micros ?? 0)}.` : `You get at least ${dollars(quote.value?.total_micros ?? 0)}.`} {wallet.value?.kind === "injected" && "Your wallet shows the same terms and asks for one signature."}</p>
            <button type="button" class={`primary wide ${outcome}`} ref={confirm} disabled={step1.value === "sending"} onClick={() => void send()}>{step1.value === "sending" ? "Sending…" : `Confirm: ${name}`}</button>
            <button type="button" class="wide" disabled={step1.value === "sending"} onClick={() => (step1.value = "edit")}>Change</button>
          </div>
        )}
      </form>
    </>
  );
}
