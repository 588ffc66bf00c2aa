// One chart for an event: a line of the last prices for each outcome, told apart by letter, name and colour.
import { useSignal } from "@preact/signals";
import { type IChartApi, type ISeriesApi, LineSeries, LineType } from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import { get } from "./api";
import { drawn, dressed, IN_CENTS, local, roomy, token } from "./chart";
import { cents, moment, plural, utc } from "./money";
import { eventTradesSeen, overview } from "./store";
import { theme } from "./theme";
import type { Lines, Market, VenueEvent } from "./types";

const SPANS: [number, string][] = [[1, "1 hour"], [6, "6 hours"], [24, "1 day"], [168, "1 week"], [0, "All"]];
const COLOURS = 8;
/** So many lines are drawn at first, the dearest ones and the market that is shown; the legend has them all. */
const FIRST = 6;
const TABLE_ROWS = 60;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

const letter = (i: number) => LETTERS[i % LETTERS.length]! + (i < LETTERS.length ? "" : Math.floor(i / LETTERS.length));
const colour = (i: number) => `--line-${(i % COLOURS) + 1}`;
const named = (m: Market) => m.yes || m.title;
const price = (e4: number | undefined) => (e4 ? cents(e4) : "–");

/** However few the points are, they fill the chart. */
const spread = () => ({ ...dressed(), timeScale: { ...dressed().timeScale, maxBarSpacing: 0 } });

function useLines(event: string, hours: number) {
  const found = useSignal<Lines | null>(null);
  const minute = Math.floor(overview.value!.now_ms / 60_000);
  useEffect(() => {
    let wanted = true;
    const timer = setTimeout(() => void get<Lines>(`/venue/page/events/${encodeURIComponent(event)}/lines?hours=${hours}`).then((lines) => wanted && (found.value = lines), () => undefined), found.value ? 250 : 0);
    return () => ((wanted = false), clearTimeout(timer));
  }, [event, hours, eventTradesSeen.value, minute]);
  return found.value;
}

export function Outcomes({ event, current }: { event: VenueEvent; current: string }) {
  const hours = useSignal(0);
  const lines = useLines(event.event_ticker, hours.value);
  const chosen = useSignal<Record<string, boolean>>({});
  const under = useSignal<number | null>(null);
  const over = useSignal("");
  const box = useRef<HTMLDivElement>(null);
  const parts = useRef<{ chart: IChartApi; series: Map<string, ISeriesApi<"Line">>; fitted: string } | null>(null);

  const prices = new Map(lines?.markets.map((m) => [m.ticker, m.prices_e4]) ?? []);
  const last = (m: Market) => prices.get(m.ticker)?.at(-1) ?? 0;
  const dearest = useRef<Set<string> | null>(null);
  if (lines) dearest.current ??= new Set([...event.markets].sort((a, b) => last(b) - last(a)).slice(0, FIRST).map((m) => m.ticker));
  const on = (m: Market) => chosen.value[m.ticker] ?? (!dearest.current || dearest.current.has(m.ticker) || m.ticker === current);
  const times = lines?.times_s ?? [];
  const empty = lines !== null && !times.length;

  useEffect(() => {
    if (!box.current || !lines || empty) return;
    const chart = drawn(box.current);
    chart.applyOptions(spread());
    const series = new Map(event.markets.map((m, i) => [m.ticker, chart.addSeries(LineSeries, { priceFormat: IN_CENTS, lineType: LineType.WithSteps, title: letter(i), priceLineVisible: false, autoscaleInfoProvider: roomy })]));
    chart.subscribeCrosshairMove((move) => (under.value = move.point && move.logical !== undefined ? move.logical : null));
    parts.current = { chart, series, fitted: "" };
    return () => (chart.remove(), void (parts.current = null));
  }, [event.event_ticker, event.markets.length, empty, lines === null]);
  useEffect(() => void parts.current?.chart.applyOptions(spread()), [theme.value]);
  useEffect(() => {
    event.markets.forEach((m, i) => {
      const lineWidth = m.ticker === over.value ? 4 : m.ticker === current ? 3 : 2;
      parts.current?.series.get(m.ticker)?.applyOptions({ color: token(colour(i)), visible: on(m), lineWidth });
    });
  }, [theme.value, over.value, chosen.value, current, lines, empty]);
  useEffect(() => {
    if (!parts.current || !lines) return;
    for (const { ticker, prices_e4 } of lines.markets)
      parts.current.series.get(ticker)?.setData(times.map((at, i) => ({ time: local(at), ...(prices_e4[i] ? { value: prices_e4[i]! / 100 } : {}) })));
    const whole = `${event.event_ticker} ${hours.value}`;
    if (parts.current.fitted !== whole) parts.current.chart.timeScale().fitContent();
    parts.current.fitted = whole;
  }, [lines, empty]);

  const at = under.value !== null && under.value >= 0 && under.value < times.length ? under.value : times.length - 1;
  const summary = times.length ? `${plural(event.markets.length, "outcome")}, last prices from ${moment(times[0]! * 1000)} to ${moment(times.at(-1)! * 1000)}.` : "";
  const shown = event.markets.filter(on);
  return (
    <>
      <div class="periods" role="group" aria-label="Span">
        {SPANS.map(([n, name]) => <button key={n} aria-pressed={hours.value === n} onClick={() => (hours.value = n)}>{name}</button>)}
        <span class="under num" aria-hidden="true">{under.value !== null && times[at] ? moment(times[at]! * 1000) : ""}</span>
      </div>
      <div class="legend" role="group" aria-label="Outcomes in the chart">
        {event.markets.map((m, i) => (
          <button key={m.ticker} aria-pressed={on(m)} class={m.ticker === current ? "current" : ""} style={{ "--own": `var(${colour(i)})` }}
            onClick={() => (chosen.value = { ...chosen.value, [m.ticker]: !on(m) })}
            onPointerEnter={() => (over.value = m.ticker)} onPointerLeave={() => (over.value = "")} onFocus={() => (over.value = m.ticker)} onBlur={() => (over.value = "")}>
            <i>{letter(i)}</i><span>{named(m)}</span><b class="num">{price(prices.get(m.ticker)?.[at])}</b>
          </button>
        ))}
      </div>
      {empty ? <p class="quiet tall">No prices yet: lines appear with the first trade.</p> : <div class="chart" ref={box} role="img" aria-label={`The yes prices of ${shown.map((m) => `${named(m)} ${price(last(m))}`).join(", ")}. ${summary}`} />}
      {times.length > 0 && (
        <details class="twin">
          <summary>{summary} Show as a table</summary>
          <div class="scroll" tabIndex={0} role="region" aria-label="Prices of all outcomes as a table">
            <table>
              <thead><tr><th scope="col">Time</th>{shown.map((m) => <th scope="col" class="r" key={m.ticker}>{named(m)}</th>)}</tr></thead>
              <tbody>{times.map((time, i) => [time, i] as const).slice(-TABLE_ROWS).reverse().map(([time, i]) => <tr key={time}><td class="num" title={utc(time * 1000)}>{moment(time * 1000)}</td>{shown.map((m) => <td class="num r" key={m.ticker}>{price(prices.get(m.ticker)?.[i])}</td>)}</tr>)}</tbody>
            </table>
          </div>
        </details>
      )}
    </>
  );
}
