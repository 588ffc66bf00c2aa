import { useSignal } from "@preact/signals";
import { type AutoscaleInfo, CandlestickSeries, createChart, HistogramSeries, type IChartApi, type ISeriesApi, LineSeries, LineType, type UTCTimestamp } from "lightweight-charts";
import { useEffect, useRef } from "preact/hooks";
import { get } from "./api";
import { cents, count, moment, plural } from "./money";
import { book, overview, tradesSeen } from "./store";
import { theme } from "./theme";
import type { Candle, Levels } from "./types";

const PERIODS: [number, string][] = [[1, "1 min"], [5, "5 min"], [60, "1 hour"], [1440, "1 day"]];
export const IN_CENTS = { type: "custom", formatter: (price: number) => `${Math.round(price * 100) / 100}¢`, minMove: 0.01 } as const;
export const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** What every chart looks like in the theme of now. */
export const dressed = () => ({
  layout: { background: { color: "transparent" }, textColor: token("--muted"), fontFamily: token("--font"), fontSize: 11, attributionLogo: false },
  grid: { vertLines: { visible: false }, horzLines: { color: token("--line") } },
  rightPriceScale: { borderVisible: false },
  timeScale: { borderColor: token("--line"), timeVisible: true, rightOffset: 2, maxBarSpacing: 22 },
});
export const drawn = (box: HTMLElement) => createChart(box, { ...dressed(), autoSize: true, handleScroll: { mouseWheel: false }, handleScale: { mouseWheel: false } });
/** A few cents of movement do not fill the pane: at least ten cents are shown, and nothing beyond 0 and 100. */
export const roomy = (original: () => AutoscaleInfo | null): AutoscaleInfo | null => {
  const range = original()?.priceRange;
  if (!range) return null;
  const spare = Math.max(1, (10 - (range.maxValue - range.minValue)) / 2);
  return { priceRange: { minValue: Math.max(0, range.minValue - spare), maxValue: Math.min(100, range.maxValue + spare) } };
};
/** The library knows UTC alone: the local time is told as if it were that. */
export const local = (time_s: number) => (time_s - new Date().getTimezoneOffset() * 60) as UTCTimestamp;

function colours(chart: IChartApi, bars: ISeriesApi<"Candlestick">) {
  chart.applyOptions(dressed());
  const [up, down] = [token("--yes"), token("--no")];
  bars.applyOptions({ upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down });
}

const MOST_FLAT = 240;

/** Candles without gaps: a period without trades is flat at the last price, up to now. */
function whole(candles: Candle[], minutes: number): Candle[] {
  const step = 60 * minutes;
  const now = Math.floor(overview.value!.now_ms / 1000 / step) * step;
  const made: Candle[] = [];
  candles.forEach((c, i) => {
    made.push(c);
    const until = Math.min(candles[i + 1]?.time_s ?? now + step, c.time_s + step * MOST_FLAT);
    for (let at = c.time_s + step; at < until; at += step) made.push({ time_s: at, open_e4: c.close_e4, high_e4: c.close_e4, low_e4: c.close_e4, close_e4: c.close_e4, volume_micros: 0 });
  });
  return made;
}

export function Chart({ ticker }: { ticker: string }) {
  const minutes = useSignal(1);
  const found = useSignal<Candle[] | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const parts = useRef<{ chart: IChartApi; steps: ISeriesApi<"Line">; bars: ISeriesApi<"Candlestick">; volume: ISeriesApi<"Histogram"> } | null>(null);

  useEffect(() => {
    let wanted = true;
    void get<{ candles: Candle[] }>(`/venue/page/markets/${ticker}/candles?minutes=${minutes.value}`).then((answer) => wanted && (found.value = answer.candles), () => undefined);
    return () => void (wanted = false);
  }, [ticker, minutes.value, tradesSeen.value]);

  const empty = found.value !== null && found.value.length === 0;
  useEffect(() => {
    if (!box.current || empty || !found.value) return;
    const chart = drawn(box.current);
    // A thin market has candles of one price: a line of steps behind them shows which way it went.
    const steps = chart.addSeries(LineSeries, { priceFormat: IN_CENTS, lineType: LineType.WithSteps, lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false });
    const bars = chart.addSeries(CandlestickSeries, { priceFormat: IN_CENTS, autoscaleInfoProvider: roomy });
    const volume = chart.addSeries(HistogramSeries, { priceScaleId: "", priceLineVisible: false, lastValueVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    colours(chart, bars);
    parts.current = { chart, steps, bars, volume };
    return () => (chart.remove(), void (parts.current = null));
  }, [empty, found.value === null]);
  useEffect(() => {
    if (parts.current) colours(parts.current.chart, parts.current.bars);
  }, [theme.value]);
  useEffect(() => {
    if (!parts.current || !found.value) return;
    const all = whole(found.value, minutes.value);
    parts.current.bars.setData(all.map((c) => ({ time: local(c.time_s), open: c.open_e4 / 100, high: c.high_e4 / 100, low: c.low_e4 / 100, close: c.close_e4 / 100 })));
    parts.current.steps.setData(all.map((c) => ({ time: local(c.time_s), value: c.close_e4 / 100 })));
    parts.current.steps.applyOptions({ color: token("--field") });
    parts.current.volume.setData(all.map((c) => ({ time: local(c.time_s), value: c.volume_micros / 1e6, color: token("--volume") })));
    if (all.length <= 90) parts.current.chart.timeScale().fitContent();
  }, [found.value, empty, theme.value]);

  const last = found.value?.at(-1);
  const first = found.value?.[0];
  const summary = first && last ? `From ${cents(first.open_e4)} to ${cents(last.close_e4)} over ${plural(found.value!.length, "period")} with trades.` : "";
  return (
    <>
      <div class="periods" role="group" aria-label="Period">
        {PERIODS.map(([n, name]) => <button key={n} aria-pressed={minutes.value === n} onClick={() => (minutes.value = n)}>{name}</button>)}
      </div>
      {empty ? <p class="quiet tall">No price yet: candles appear with the first trade.</p> : <div class="chart" ref={box} role="img" aria-label={`Candles of the yes price. ${summary}`} />}
      {found.value && found.value.length > 0 && (
        <details class="twin">
          <summary>{summary} Show as a table</summary>
          <div class="scroll" tabIndex={0} role="region" aria-label="Candles as a table">
            <table>
              <thead><tr>{["Time", "Open", "High", "Low", "Close", "Contracts"].map((h, i) => <th scope="col" class={i ? "r" : ""} key={h}>{h}</th>)}</tr></thead>
              <tbody>{found.value.slice(-60).reverse().map((c) => <tr key={c.time_s}><td class="num">{moment(c.time_s * 1000)}</td>{[c.open_e4, c.high_e4, c.low_e4, c.close_e4].map((p, i) => <td class="num r" key={i}>{cents(p)}</td>)}<td class="num r">{count(c.volume_micros)}</td></tr>)}</tbody>
            </table>
          </div>
        </details>
      )}
    </>
  );
}

const W = 640;
const H = 260;

function area(levels: Levels, most: number): string {
  let sum = 0;
  const x = (price: number) => (price / 10_000) * W;
  const points = levels.map(([price, size], i) => {
    const before = H - (sum / most) * H;
    sum += size;
    const after = H - (sum / most) * H;
    return `${i ? `H${x(price)}` : `M${x(price)} ${H}V${before}`}V${after}`;
  });
  return points.join("") + `H${levels[0]![0] > levels.at(-1)![0] || levels === book.value?.bids ? 0 : W}V${H}Z`;
}

export function Depth() {
  const now = book.value;
  if (!now || (!now.bids.length && !now.asks.length)) return <p class="quiet tall">No depth: nobody is quoting.</p>;
  const sum = (levels: Levels) => levels.reduce((total, [, size]) => total + size, 0);
  const [bids, asks] = [sum(now.bids), sum(now.asks)];
  const most = Math.max(bids, asks) * 1.1;
  return (
    <figure class="depth">
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={`${count(bids)} contracts bid, ${count(asks)} offered`}>
        {now.bids.length > 0 && <path class="bid" d={area(now.bids, most)} />}
        {now.asks.length > 0 && <path class="ask" d={area(now.asks, most)} />}
      </svg>
      <figcaption><span>0¢</span><span><b class="yes">{count(bids)}</b> bid · <b class="no">{count(asks)}</b> offered</span><span>100¢</span></figcaption>
    </figure>
  );
}
