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

type Verb = { label: string; verb: string; body?: unknown; warns: string };

/** What cannot be undone is said in words, and asked twice. */
function MarketRow({ ticker }: { ticker: string }) {
  const m = markets.value.get(ticker)!;
  const open = m.yes_payout_micros < 0;
  const scalar = useSignal("0.5");
  const asked = useSignal<Verb | null>(null);
  const verbs: Verb[] = [];
  if (m.status === "active") verbs.push({ label: "Pause", verb: "pause", warns: "" }, { label: "Close", verb: "close", warns: "Closes for good: resting orders are cancelled." });
  if (m.status === "inactive") verbs.push({ label: "Resume", verb: "resume", warns: "" });
  if (open && m.type === "binary")
    for (const outcome of ["Yes", "No"]) verbs.push({ label: `Resolve ${outcome}`, verb: "resolve", body: { outcome: outcome.toLowerCase() }, warns: `Decides for ${outcome}: ${outcome} pays $1, ${outcome === "Yes" ? "No" : "Yes"} nothing. It goes to the chain.` });
  if (open && m.type !== "binary") verbs.push({ label: "Resolve", verb: "resolve", body: { outcome: scalar.value }, warns: `Decides: Yes pays $${scalar.value}, No the rest. It goes to the chain.` });
  const act = ({ verb, body }: Verb) => async () => {
    await admin("POST", `/markets/${ticker}/${verb}`, body);
    asked.value = null;
    await loadOverview();
    return "Done.";
  };
  return (
    <tr>
      <td><a href={`#/m/${ticker}`}>{m.title}</a>{m.yes && <span class="muted"> · {m.yes}</span>}</td>
      <td><span class={`chip ${m.status}`}>{STATUS[m.status] ?? m.status}</span></td>
      <td class="num r">{brief(m.volume_micros)}</td>
      <td>
        <div class="verbs">
          {asked.value ? (
            <><p class="warns" role="status">{asked.value.warns}</p><Run label={`Confirm: ${asked.value.label}`} work={act(asked.value)} /><button type="button" onClick={() => (asked.value = null)}>Keep it open</button></>
          ) : (
            <>
              {open && m.type !== "binary" && <input class="num tiny" aria-label={`Yes pays, ${ticker}`} value={scalar.value} onInput={(e) => (scalar.value = e.currentTarget.value)} />}
              {verbs.map((v) => (v.warns ? <button type="button" key={v.label} onClick={() => (asked.value = v)}>{v.label}</button> : <Run key={v.label} label={v.label} work={act(v)} />))}
            </>
          )}
          {!open && <span class="muted">Yes pays {m.yes_payout_micros / 1e4}¢{m.resolved_on_chain ? ", on chain" : ", on its way to the chain"}</span>}
        </div>
      </td>
    </tr>
  );
}

interface Operation { number: number; type: string; stage: string; batch: number | null; transaction: string | null; block: number | null; not_after_s: number; resolution: string | null }
const QUEUE = 8;

/** The newest operations of the stream, with where the submitter has them. */
function Queue({ next }: { next: number }) {
  const found = useSignal<Operation[]>([]);
  useEffect(() => {
    const load = async () => {
      const numbers = Array.from({ length: Math.min(QUEUE, next) }, (_, i) => next - 1 - i);
      found.value = await Promise.all(numbers.map((n) => admin<Operation>("GET", `/operations/${n}`))).catch(() => found.value);
    };
    void load();
    const timer = setInterval(() => void load(), 2_000);
    return () => clearInterval(timer);
  }, [next]);
  if (!next) return <p class="quiet">Nothing has gone to the chain yet: the first fill of a wallet will.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Newest operations">
      <table>
        <thead><tr><th scope="col">Operation</th><th scope="col">What</th><th scope="col">Batch</th><th scope="col">Transaction</th><th scope="col" class="r">Stage</th></tr></thead>
        <tbody>{found.value.map((o) => (
          <tr key={o.number}>
            <td class="num"><To id={`operation:${o.number}`}>{String(o.number)}</To></td>
            <td>{o.type.replace("_", " ")}</td>
            <td class="num">{o.batch === null ? <span class="muted">not cut</span> : <To id={`batch:${o.batch}`}>{String(o.batch)}</To>}</td>
            <td>{o.transaction ? <To id={o.transaction} /> : <span class="muted">not sent</span>}</td>
            <td class="r"><span class={`chip ${o.stage === "FAILED" ? "failed" : ""}`}>{o.stage.toLowerCase()}</span></td>
          </tr>))}
        </tbody>
      </table>
    </div>
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
            <Queue next={s.operations.next} />
          </section>
          <section class="panel"><h2>Checks</h2><ul class="events checks">{Object.entries(s.checks).map(([name, c]) => <li key={name}><b>{name}</b><span>{c.detail}</span><span class={`chip ${c.ok ? "" : "failed"}`}>{c.ok ? "✓ ok" : "✕ look"}</span></li>)}</ul></section>
        </div>
      )}
      <section class="panel"><h2>Markets and resolutions</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Markets">
          <table><thead><tr><th scope="col">Market</th><th scope="col">Status</th><th scope="col" class="r">Traded</th><th scope="col">Decide</th></tr></thead>
            <tbody>{overview.value!.events.flatMap((e) => e.markets.map((m) => <MarketRow key={m.ticker} ticker={m.ticker} />))}</tbody></table>
        </div>
      </section>
    </>
  );
}
