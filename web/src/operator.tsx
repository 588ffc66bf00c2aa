import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, get, sentence } from "./api";
import { STATUS } from "./markets";
import { brief } from "./money";
import { loadOverview, markets, overview } from "./store";
import { To } from "./trace";
import { Run } from "./vault";

/** Kept in memory only: a reload asks again. */
const token = signal("");
const headers = () => ({ authorization: `Bearer ${token.value}` });
const admin = <T,>(method: string, path: string, body?: unknown) => ask<T>(method, `/venue/admin${path}`, body, headers());
interface Status { operations: { next: number; open: number; confirmed: number; skipped: number }; checks: Record<string, { ok: boolean; detail: string }>; final_block: number }

function Enter() {
  const problem = useSignal("");
  async function enter(event: SubmitEvent) {
    event.preventDefault();
    token.value = String(new FormData(event.currentTarget as HTMLFormElement).get("token") ?? "").trim();
    try {
      await admin("GET", "");
      entered.value = true;
    } catch (error) {
      token.value = "";
      problem.value = sentence(error);
    }
  }
  return (
    <section class="empty">
      <h1>Operator</h1>
      <p>Markets, resolutions and the settlement queue stand behind the operator's token. <code>causeway status</code> names its file.</p>
      <form class="narrow" onSubmit={(e) => void enter(e as unknown as SubmitEvent)}>
        <div class="field"><label for="token">Operator token</label><input id="token" name="token" type="password" autocomplete="off" required /></div>
        {problem.value && <p class="problem" role="alert">{problem.value}</p>}
        <button class="primary">Enter</button>
      </form>
    </section>
  );
}
const entered = signal(false);

function MarketRow({ ticker }: { ticker: string }) {
  const m = markets.value.get(ticker)!;
  const open = m.yes_payout_micros < 0;
  const scalar = useSignal("0.5");
  const act = (verb: string, body?: unknown) => async () => {
    await admin("POST", `/markets/${ticker}/${verb}`, body);
    await loadOverview();
    return "Done.";
  };
  return (
    <tr>
      <td><a href={`#/m/${ticker}`}>{m.title}</a>{m.yes && <span class="muted"> · {m.yes}</span>}</td>
      <td><span class="chip">{STATUS[m.status] ?? m.status}</span></td>
      <td class="num r">{brief(m.volume_micros)}</td>
      <td class="verbs">
        {m.status === "active" && <><Run label="Pause" work={act("pause")} /><Run label="Close" work={act("close")} /></>}
        {m.status === "inactive" && <Run label="Resume" work={act("resume")} />}
        {open && m.type === "binary" && <><Run label="Resolve Yes" work={act("resolve", { outcome: "yes" })} /><Run label="Resolve No" work={act("resolve", { outcome: "no" })} /></>}
        {open && m.type !== "binary" && <><input class="num tiny" aria-label={`Yes pays, ${ticker}`} value={scalar.value} onInput={(e) => (scalar.value = e.currentTarget.value)} /><Run label="Resolve" work={() => act("resolve", { outcome: scalar.value })()} /></>}
        {!open && <span class="muted">yes pays {m.yes_payout_micros / 1e4}¢{m.resolved_on_chain ? ", on chain" : ", going to the chain"}</span>}
      </td>
    </tr>
  );
}

export function Operator() {
  const status = useSignal<Status | null>(null);
  useEffect(() => {
    const load = () => get<Status>("/venue/status").then((found) => (status.value = found), () => undefined);
    void load();
    const timer = setInterval(() => void load(), 2_000);
    return () => clearInterval(timer);
  }, []);
  if (!entered.value) return <Enter />;
  const s = status.value;
  return (
    <>
      <div class="head"><h1>Operator</h1><p><Run label="Settle everything now" work={async () => { const done = await admin<{ settled: number }>("POST", "/flush", {}); return `${done.settled} operations were open; all are final.`; }} /></p></div>
      {s && (
        <div class="columns even">
          <section class="panel"><h2>Settlement queue</h2>
            <dl class="money four">{([["Open", s.operations.open], ["Next", s.operations.next], ["Confirmed", s.operations.confirmed], ["Skipped", s.operations.skipped]] as const).map(([name, n]) => <div key={name}><dt>{name}</dt><dd class="num">{n}</dd></div>)}</dl>
            {s.operations.next > 0 && <p class="quiet">Newest: <To id={`operation:${s.operations.next - 1}`}>{`operation ${s.operations.next - 1}`}</To></p>}
          </section>
          <section class="panel"><h2>Checks</h2><ul class="events">{Object.entries(s.checks).map(([name, c]) => <li key={name}><b>{name}</b><span>{c.detail}</span><span class={`chip ${c.ok ? "" : "failed"}`}>{c.ok ? "✓ ok" : "✕ look"}</span></li>)}</ul></section>
        </div>
      )}
      <section class="panel"><h2>Markets and resolutions</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Markets">
          <table><thead><tr><th scope="col">Market</th><th scope="col">Status</th><th scope="col" class="r">Traded</th><th scope="col">Do</th></tr></thead>
            <tbody>{overview.value!.events.flatMap((e) => e.markets.map((m) => <MarketRow key={m.ticker} ticker={m.ticker} />))}</tbody></table>
        </div>
      </section>
    </>
  );
}
