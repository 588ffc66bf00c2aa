import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { sentence } from "./api";
import { micros, utc } from "./money";
import { loadPortfolio, markets, overview, portfolio, spoken, wallet } from "./store";
import { act, call } from "./wallet";

export function Run({ label, work, disabled, children }: { label: string; work: () => Promise<string>; disabled?: boolean; children?: ComponentChildren }) {
  const busy = useSignal(false);
  const said = useSignal({ ok: true, text: "" });
  async function run() {
    busy.value = true;
    said.value = { ok: true, text: "" };
    try {
      said.value = { ok: true, text: await work() };
    } catch (error) {
      said.value = { ok: false, text: sentence(error) };
    }
    spoken.value = said.value.text;
    busy.value = false;
    await loadPortfolio();
  }
  return (
    <>
      <button type="button" disabled={busy.value || disabled} onClick={() => void run()}>{busy.value ? "Working…" : label}</button>
      {children}
      {said.value.text && <p class={said.value.ok ? "said" : "problem"} role={said.value.ok ? undefined : "alert"}>{said.value.text}</p>}
    </>
  );
}

/** A dollar becomes one Yes and one No, and back. */
export function Sets() {
  const open = [...markets.value.values()].filter((m) => m.status === "active");
  const ticker = useSignal(open[0]?.ticker ?? "");
  const amount = useSignal("10");
  const market = markets.value.get(ticker.value);
  const wanted = micros(amount.value);
  if (!market) return null;
  const go = (kind: "split" | "merge") => async () => {
    await act(overview.value!, wallet.value!, kind, market.condition_id, wanted);
    return kind === "split" ? `${amount.value} sets are being made.` : `${amount.value} sets are being turned back into dollars.`;
  };
  return (
    <section class="panel">
      <h2>Sets<small>$1 ⇄ one Yes + one No</small></h2>
      <div class="form-row">
        <div class="field grow"><label for="sets-market">Market</label><select id="sets-market" value={ticker.value} onChange={(e) => (ticker.value = e.currentTarget.value)}>{open.map((m) => <option key={m.ticker} value={m.ticker}>{m.title}{m.yes ? `: ${m.yes}` : ""}</option>)}</select></div>
        <div class="field"><label for="sets-amount">Sets</label><input id="sets-amount" class="num" inputMode="decimal" value={amount.value} onInput={(e) => (amount.value = e.currentTarget.value)} /></div>
      </div>
      <div class="buttons"><Run label="Split" work={go("split")} disabled={!(wanted > 0)} /><Run label="Merge" work={go("merge")} disabled={!(wanted > 0)} /></div>
    </section>
  );
}

/** Leaving needs nobody's consent: two transactions of the wallet's own, with the delay in between. */
export function Exit() {
  const venue = overview.value!;
  const at = portfolio.value?.account.exit_at_s;
  const tokens = Object.entries(portfolio.value?.account.balances ?? {}).filter(([asset, b]) => asset !== "USD" && b.total > 0).map(([asset]) => {
    const [ticker, side] = [asset.slice(0, asset.lastIndexOf(":")), asset.slice(asset.lastIndexOf(":") + 1)];
    const m = markets.value.get(ticker);
    return BigInt((side === "YES" ? m?.yes_token_id : m?.no_token_id) ?? 0);
  });
  const open = at && venue.now_ms / 1000 >= at;
  return (
    <section class="panel">
      <h2>Leave without the venue</h2>
      <p class="quiet">The contract pays out everything of yours {Math.round(venue.exit_delay_s / 60) || 1} min after you ask, whatever the venue does. Trading stops for this wallet at once.</p>
      {at && <p class="quiet">{open ? "The time has come: collect." : `Can be collected from ${utc(at * 1000)}.`}</p>}
      <div class="buttons">
        {!at && <Run label="Request exit" work={async () => (await call(venue, wallet.value!, "requestExit"), "The exit is requested; the contract counts the delay.")} />}
        {at && <Run label="Collect everything" disabled={!open} work={async () => (await call(venue, wallet.value!, "exit", tokens), "Paid out to your wallet.")} />}
      </div>
    </section>
  );
}
