// Words and figures. Money and sizes are millionths, prices ten-thousandths of a dollar.
const two = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const dollars = (micros: number) => `${micros < 0 ? "−" : ""}$${two.format(Math.abs(micros) / 1e6)}`;
export const fee = (micros: number) => (micros % 10_000 ? `$${(micros / 1e6).toFixed(4)}` : dollars(micros));
export const count = (micros: number) => whole.format(micros / 1e6);
export const brief = (micros: number) => compact.format(micros / 1e6);
export const cents = (e4: number) => `${e4 % 100 ? (e4 / 100).toFixed(e4 % 10 ? 2 : 1) : e4 / 100}¢`;
export const percent = (e4: number) => `${e4 % 100 ? (e4 / 100).toFixed(1) : e4 / 100}%`;
export const short = (text: string) => (text.length > 14 ? `${text.slice(0, 6)}…${text.slice(-4)}` : text);
export const clock = (ms: number) => new Date(ms).toLocaleTimeString("en-GB");
export const moment = (ms: number) => new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const utc = (ms: number) => new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");
export const day = (ms: number) => new Date(ms).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
export const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
export const seconds = (ms: number) => (ms ? `about ${Math.max(1, Math.round(ms / 1000))} s` : "a few seconds");
export const micros = (text: string) => {
  const found = /^(\d{1,9})(?:\.(\d{0,6}))?$/.exec(text.trim());
  return found ? Number(found[1]) * 1e6 + Number((found[2] ?? "").padEnd(6, "0")) : NaN;
};
export const decimal = (value: number) => (value / 1e6).toFixed(6).replace(/\.?0+$/, "");
/** The price to show for a market: the middle of a two-sided book, else the last trade, else nothing. */
export const chance = (m: { best_bid_e4: number; best_ask_e4: number; last_price_e4: number; yes_payout_micros: number }) => {
  if (m.yes_payout_micros >= 0) return m.yes_payout_micros / 100;
  if (m.best_bid_e4 > 0 && m.best_ask_e4 < 10_000) return Math.round((m.best_bid_e4 + m.best_ask_e4) / 200) * 100;
  return m.last_price_e4 || null;
};
