// What the page knows, as signals. Views read, the stream and a few actions write.
import { computed, effect, signal } from "@preact/signals";
import { ask, get, post, Refusal } from "./api";
import { Message, Stream } from "./stream";
import type { Action, Book, Levels, Market, Outcome, Overview, Portfolio, Trade, VenueEvent } from "./types";
import { restoredBurner, signIn, type Wallet } from "./wallet";

export const overview = signal<Overview | null>(null);
export const failure = signal("");
export const route = signal(location.hash || "#/");
export const book = signal<Book | null>(null);
export const trades = signal<Trade[]>([]);
export const session = signal<{ account: string; name: string; custody: string } | null>(null);
export const wallet = signal<Wallet | null>(null);
export const portfolio = signal<Portfolio | null>(null);
export const search = signal("");
export const dialog = signal<"" | "account" | "keys" | "money">("");
export const spoken = signal("");
export const ticket = signal<{ action: Action; outcome: Outcome; price: string; count: string }>({ action: "buy", outcome: "yes", price: "", count: "10" });
export const tradesSeen = signal(0);
/** The same for all markets of the event that is shown. */
export const eventTradesSeen = signal(0);
/** Whether there is no room for the ticket beside the market: then it lies over it, for the market named by `sheet`. */
const room = matchMedia("(max-width: 60rem)");
export const narrow = signal(room.matches);
export const sheet = signal("");
/** Set when a session that this page was in is over, until somebody signs in again. */
export const ended = signal(false);
/** Who trades: the wallet if one is connected, else the custodial account that is signed in. */
export const trader = computed(() => (wallet.value ? wallet.value.address.toLowerCase() : (session.value?.account ?? "")));
export const markets = computed(() => new Map((overview.value?.events ?? []).flatMap((e) => e.markets.map((m) => [m.ticker, m] as const))));
export const eventOf = (ticker: string): VenueEvent | undefined => overview.value?.events.find((e) => e.markets.some((m) => m.ticker === ticker));
export const shown = computed(() => /^#\/m\/([A-Z0-9._-]+)/.exec(route.value)?.[1] ?? "");

const change = (ticker: string, fields: Partial<Market>) => {
  const now = overview.value;
  if (!now) return;
  overview.value = { ...now, events: now.events.map((e) => (e.markets.some((m) => m.ticker === ticker) ? { ...e, markets: e.markets.map((m) => (m.ticker === ticker ? { ...m, ...fields } : m)) } : e)) };
};

export async function loadOverview() {
  try {
    overview.value = await get<Overview>("/venue/page/overview");
    failure.value = "";
  } catch (error) {
    failure.value = (error as Error).message;
  }
}

let asked = 0;
let taken = 0;
/** Answers count in the order of the questions. That a newer question is out spoils none: slow answers would never be shown. */
export async function loadPortfolio() {
  const who = trader.value;
  const mine = ++asked;
  const take = (found: Portfolio | null) => {
    if (mine > taken && who === trader.value) [taken, portfolio.value] = [mine, found];
  };
  if (!who) return take(null);
  try {
    take(await get<Portfolio>(`/venue/page/portfolio${wallet.value ? `?wallet=${who}` : ""}`));
  } catch (error) {
    if (error instanceof Refusal && error.status) take(null);
    await noteEnd(error);
  }
}

/** A custodial session that the venue no longer knows: say so, and be nobody from now on. */
export async function noteEnd(error: unknown) {
  if (!(error instanceof Refusal) || error.code !== "NOT_SIGNED_IN" || !session.value) return;
  ended.value = true;
  spoken.value = "Your session has ended: sign in again.";
  await loadSession();
}

let timer = 0;
export const soon = () => {
  timer ||= window.setTimeout(() => ((timer = 0), void loadPortfolio()), 150);
};

const place = (levels: Levels, price: number, size: number, best: (a: number, b: number) => number): Levels => {
  const rest = levels.filter(([p]) => p !== price);
  return size ? [...rest, [price, size] as [number, number]].sort((a, b) => best(a[0], b[0])) : rest;
};

function hear(message: Message) {
  if (message.type === "book") book.value = message as unknown as Book;
  else if (message.type === "levels" && book.value?.ticker === message.ticker) {
    let { bids, asks } = book.value!;
    for (const level of message.levels) {
      if (level.side === "bid") bids = place(bids, level.price_e4, level.size_micros, (a, b) => b - a);
      else asks = place(asks, level.price_e4, level.size_micros, (a, b) => a - b);
    }
    book.value = { ticker: message.ticker, bids, asks };
  } else if (message.type === "ticker") {
    const { best_bid_e4, best_ask_e4, last_price_e4, volume_micros, open_interest_micros } = message;
    change(message.ticker, { best_bid_e4, best_ask_e4, last_price_e4, volume_micros, open_interest_micros });
  } else if (message.type === "market") void loadOverview();
  else if (message.type === "trade") {
    if (eventOf(message.ticker) === eventOf(shown.value)) eventTradesSeen.value += 1;
    if (message.ticker !== shown.value) return;
    if (!trades.value.some((t) => t.trade === message.trade)) trades.value = [message as unknown as Trade, ...trades.value].slice(0, 50);
    tradesSeen.value += 1;
  } else if (message.type === "settlement") {
    trades.value = trades.value.map((t) => (t.trade === message.trade ? { ...t, stage: message.stage } : t));
    if (portfolio.value?.fills.some((f) => f.trade === message.trade)) soon();
  } else if (["account", "order", "fill", "fill_stage", "balance"].includes(message.type)) {
    if (message.type === "fill") spoken.value = `Filled: ${message.size_micros / 1e6} contracts of ${message.ticker}.`;
    soon();
  }
}

export const stream = new Stream(hear, async () => (session.value || walletSession.value ? (await post<{ ticket: string }>("/venue/stream/tickets", {})).ticket : ""));
/** The wallet that is signed in, if one is: only then are its open orders shown. */
export const walletSession = signal("");

export async function loadSession() {
  const nobody = { account: null, name: "", custody: "" };
  const [person, signed] = await Promise.all([
    get<{ account: string | null; name: string; custody: string }>("/venue/page/session").catch(() => nobody),
    get<{ wallet: string | null }>("/venue/session").catch(() => ({ wallet: null })),
  ]);
  const before = `${session.value?.account} ${walletSession.value}`;
  session.value = person.account ? { ...person, account: person.account } : null;
  if (person.account) ended.value = false;
  walletSession.value = signed.wallet ?? "";
  if (before !== `${session.value?.account} ${walletSession.value}`) stream.restart();
}

/** Trade as a wallet from now on. A burner also signs in by itself; others are asked when they want to see open orders. */
export async function useWallet(found: Wallet) {
  if (session.value) await ask("DELETE", "/venue/page/session");
  if (found.kind === "burner" && walletSession.value !== found.address.toLowerCase()) await signIn(found);
  wallet.value = found;
  await loadSession();
}

export async function start() {
  room.addEventListener("change", () => (narrow.value = room.matches));
  window.addEventListener("hashchange", () => {
    route.value = location.hash || "#/";
    if (sheet.value !== shown.value) sheet.value = "";
    if (route.value !== "#/") search.value = "";
    window.scrollTo(0, 0);
  });
  await Promise.all([loadOverview(), loadSession()]);
  const known = session.value ? null : restoredBurner(overview.value);
  if (known) await useWallet(known).catch(() => undefined);
  effect(() => void (trader.value, loadPortfolio()));
  effect(() => {
    const ticker = shown.value;
    stream.follow(ticker);
    book.value = null;
    trades.value = [];
    if (ticker) void get<{ trades: Trade[] }>(`/venue/page/markets/${ticker}/trades`).then((found) => shown.value === ticker && (trades.value = found.trades), () => undefined);
  });
  setInterval(() => void loadOverview(), 5_000);
  setInterval(() => trader.value && document.visibilityState === "visible" && void loadPortfolio(), 2_000);
}
