import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { dollars, short } from "./money";
import { dialog, ended, failure, loadOverview, overview, portfolio, route, search, session, spoken, trader, wallet } from "./store";
import { heardMs, link } from "./stream";
import { switchTheme, theme } from "./theme";

const STALE_MS = 12_000;

function Mark() {
  return (
    <svg width="26" height="26" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M1.5 17.5h21M4.5 17.5v-3.7a3.75 3.75 0 0 1 7.5 0v3.7m0 0v-3.7a3.75 3.75 0 0 1 7.5 0v3.7" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
    </svg>
  );
}

function NavLink({ to, children }: { to: string; children: string }) {
  const on = route.value === to || (to === "#/" && route.value.startsWith("#/m/")) || (to !== "#/" && route.value.startsWith(to));
  return <a href={to} aria-current={on ? "page" : undefined}>{children}</a>;
}

/** Says whether what is on the screen is live, old, or cut off. */
function Link() {
  const age = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => (age.value = Date.now() - heardMs.value), 1_000);
    return () => clearInterval(timer);
  }, []);
  const stale = link.value === "live" && age.value > STALE_MS;
  const state = link.value === "live" ? (stale ? "stale" : "live") : link.value;
  document.documentElement.dataset.link = state;
  const words = { live: "Live", stale: `${Math.round(age.value / 1000)} s old`, connecting: "Connecting", lost: "Reconnecting" }[state];
  return <span class={`link ${state}`} title={`Block ${overview.value?.final_block ?? "–"} is final`}><i aria-hidden="true" />{words}</span>;
}

function Who() {
  const cash = portfolio.value?.account.balances.USD;
  if (!trader.value) return <button class="primary" onClick={() => (dialog.value = "account")}>Start trading</button>;
  const name = wallet.value ? short(wallet.value.address) : (session.value?.name || "Account");
  return (
    <button class={`who ${wallet.value?.kind ?? "custodial"}`} onClick={() => (dialog.value = "account")} title={wallet.value?.address ?? session.value?.account}>
      <span class="num">{dollars(cash?.available ?? 0)}</span>
      <span class="muted">{wallet.value?.kind === "burner" ? "Burner" : name}</span>
    </button>
  );
}

function Notices() {
  const venue = overview.value;
  const found: string[] = [];
  if (venue?.frozen) found.push(`Trading is frozen: ${venue.frozen}. Cancelling and leaving still work.`);
  if (venue?.chain_halted) found.push("The chain has stopped making blocks final. Wallet orders wait; custodial trading goes on.");
  if (venue && venue.mode !== "open") found.push(`The exchange is ${venue.mode.replace("_", " ")}.`);
  if (venue && venue.session !== "open") found.push(`Outside trading hours (${venue.session}).`);
  return (
    <>
      {ended.value && <p class="notice" role="status">Your session has ended. Nothing was lost: open orders stay. <button class="plain" onClick={() => (dialog.value = "account")}>Sign in again</button></p>}
      {found.map((text) => <p class="notice halted" role="status" key={text}>{text}</p>)}
    </>
  );
}

function Body({ children }: { children: ComponentChildren }) {
  if (overview.value) return <>{link.value === "lost" && <p class="notice lost" role="status">The connection broke. What you see is from the moment it did; it resumes by itself.</p>}<Notices />{children}</>;
  if (failure.value)
    return (
      <section class="empty">
        <h1>The venue does not answer</h1>
        <p>{failure.value}</p>
        <button onClick={() => void loadOverview()}>Try again</button>
      </section>
    );
  return <><h1 class="sr">Loading</h1><div class="skeleton" role="status" aria-busy="true" aria-label="Loading markets">{[1, 2, 3, 4, 5, 6].map((n) => <span key={n} />)}</div></>;
}

export function Shell({ children, dialogs }: { children: ComponentChildren; dialogs: ComponentChildren }) {
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>Skip to content</a>
      <header class="top">
        <a class="brand" href="#/" aria-label="Causeway, all markets"><Mark /><b>Causeway</b></a>
        <nav aria-label="Main">
          <NavLink to="#/">Markets</NavLink>
          <NavLink to="#/portfolio">Portfolio</NavLink>
          <NavLink to="#/proof">Proof</NavLink>
          <NavLink to="#/operator">Operator</NavLink>
        </nav>
        <input type="search" class="search" placeholder="Search markets" aria-label="Search markets" value={search.value}
          onInput={(event) => ((search.value = event.currentTarget.value), !/^#\/?$/.test(route.value) && (location.hash = "#/"))} />
        <Link />
        <button class="icon" onClick={switchTheme} aria-label={theme.value === "dark" ? "Use the light theme" : "Use the dark theme"}>{theme.value === "dark" ? "☀" : "☾"}</button>
        <button class="icon help" onClick={() => (dialog.value = "keys")} aria-label="Keyboard map" aria-keyshortcuts="?">?</button>
        <Who />
      </header>
      <main id="main" tabIndex={-1}><Body>{children}</Body></main>
      <footer>
        <span>Test money on a local chain. Its keys are public: send nothing of value.</span>
        <span><button class="plain" onClick={() => (dialog.value = "keys")}>Keyboard</button> · <a href="/docs">API</a> · <a href="https://www.tradingview.com/">Charts by TradingView Lightweight Charts™</a></span>
      </footer>
      <div class="sr" role="status" aria-live="polite">{spoken.value}</div>
      {dialogs}
    </>
  );
}
