import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { decodeEventLog, parseAbi } from "viem";
import { get, sentence } from "./api";
import { verify, type Proof as Inclusion } from "./merkle";
import { clock, count, dollars, plural, short } from "./money";
import { overview, session, wallet } from "./store";
import { To } from "./trace";
import { reader } from "./wallet";
import { Sequence } from "./witness";

interface Row { holder: string; asset: string; ledger_micros: number; in_flight_micros: number; expected_micros: number; on_chain_micros: number; difference_micros: number }
interface Reserves {
  equal: boolean; waiting: string | null; frozen: string | null; block_number: number; compared_ms: number; rows: Row[];
  collateral: { held_micros: number; claimed_micros: number; block_number: number } | null;
  liabilities: { seq: number; root: string; published_ms: number; tx_hash: string; assets: { asset: string; leaves: number; total_micros: string }[] } | null;
}
const PUBLISHED = parseAbi(["event LiabilitiesPublished(bytes32 indexed root, uint256 cashTotal, uint256 nextOperation)"]);
const money = (asset: string, micros: number) => (asset === "USD" ? dollars(micros) : count(micros));

function Mine() {
  const said = useSignal<{ ok: boolean; text: string; rows: [string, string][] } | null>(null);
  const busy = useSignal(false);
  async function check() {
    busy.value = true;
    try {
      const proof = await get<Inclusion>("/venue/reserves/proof");
      const receipt = await reader(overview.value!).getTransactionReceipt({ hash: proof.tx_hash as `0x${string}` });
      const roots = receipt.logs.flatMap((log) => {
        try {
          return [String(decodeEventLog({ abi: PUBLISHED, data: log.data, topics: log.topics }).args.root)];
        } catch {
          return [];
        }
      });
      if (!roots[0]) throw new Error("The transaction published no root.");
      await verify(proof, roots[0]);
      said.value = { ok: true, text: `Your balances at command ${proof.statement.seq} are counted in the root on chain.`, rows: proof.inclusions.map((i) => [i.asset, money(i.asset, Number(i.amount_micros))]) };
    } catch (error) {
      said.value = { ok: false, text: sentence(error), rows: [] };
    }
    busy.value = false;
  }
  return (
    <section class="panel">
      <h2>My inclusion proof</h2>
      {wallet.value ? <p class="quiet">Your money is in your own vault account on chain, not among what the venue owes: read it there with any node (<code>cashOf</code>, <code>vaultBalanceOf</code>).</p>
        : !session.value ? <p class="quiet">Sign in with a custodial account to check that the published total counts it.</p>
        : <><p class="quiet">The browser hashes your balances up to the root and compares it with the one that the contract published.</p><button disabled={busy.value} onClick={() => void check()}>{busy.value ? "Hashing…" : "Verify my proof"}</button></>}
      {said.value && <><p class={said.value.ok ? "said" : "problem"} role="status">{said.value.ok ? "✓ " : "✕ "}{said.value.text}</p>{said.value.rows.length > 0 && <dl class="figures">{said.value.rows.map(([a, v]) => <div class="line" key={a}><dt>{a}</dt><dd class="num">{v}</dd></div>)}</dl>}</>}
    </section>
  );
}

/** The rows that say something, then the zeros as one line. */
function Rows({ rows }: { rows: Row[] }) {
  const all = useSignal(false);
  const shown = all.value ? rows : rows.filter((r) => r.ledger_micros || r.on_chain_micros || r.difference_micros);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Reserves">
        <table>
          <thead><tr><th scope="col">Holder</th><th scope="col">Asset</th><th scope="col" class="r">Ledger</th><th scope="col" class="r">In flight</th><th scope="col" class="r">On chain</th><th scope="col" class="r">Difference</th></tr></thead>
          <tbody>{shown.map((row) => <tr key={row.holder + row.asset}><td title={row.holder}>{short(row.holder)}</td><td class="break">{row.asset}</td><td class="num r">{money(row.asset, row.ledger_micros)}</td><td class="num r muted">{row.in_flight_micros ? money(row.asset, row.in_flight_micros) : "–"}</td><td class="num r">{money(row.asset, row.on_chain_micros)}</td><td class={`num r ${row.difference_micros ? "no" : ""}`}>{row.difference_micros ? money(row.asset, row.difference_micros) : "0"}</td></tr>)}</tbody>
        </table>
      </div>
      {rows.length > shown.length && <p class="quiet zeros">{plural(rows.length - shown.length, "asset")} of zero on both sides. <button class="plain" onClick={() => (all.value = true)}>Show</button></p>}
    </>
  );
}

export function Proof({ seq }: { seq: string }) {
  const found = useSignal<{ reserves?: Reserves; problem?: string }>({});
  useEffect(() => {
    let wanted = true;
    const load = () => get<Reserves>("/venue/reserves").then((reserves) => wanted && (found.value = { reserves }), (error) => wanted && (found.value = { ...found.value, problem: sentence(error) }));
    void load();
    const timer = setInterval(() => void load(), 5_000);
    return () => ((wanted = false), clearInterval(timer));
  }, []);
  const r = found.value.reserves;
  return (
    <>
      <div class="head"><h1>Proof</h1><p class="muted">What the ledger says against what the chain holds, unit by unit, in final blocks.</p></div>
      {!r ? <p class="quiet">{found.value.problem ?? "Comparing…"}</p> : (
        <>
          <p class={`verdict ${r.frozen || (!r.equal && !r.waiting) ? "bad" : r.equal ? "good" : "wait"}`} role="status">
            {r.frozen ? `✕ Frozen: ${r.frozen}` : r.equal ? "✓ Ledger and chain agree" : r.waiting ? `… ${r.waiting}` : "✕ Ledger and chain differ"} <span class="muted">block <span class="num">{r.block_number}</span>{r.compared_ms > 0 && <>, {clock(r.compared_ms)}</>}</span>
          </p>
          <div class="columns">
            <div>
            <section class="panel"><h2>Reserves</h2>
              <Rows rows={r.rows} />
            </section>
              <section class="panel"><h2>Collateral in the contract{r.collateral && <small>counted in block <span class="num">{r.collateral.block_number}</span></small>}</h2>{r.collateral ? <dl class="figures"><div class="line"><dt>Held</dt><dd class="num">{dollars(r.collateral.held_micros)}</dd></div><div class="line"><dt>Claimed by vaults and sets</dt><dd class="num">{dollars(r.collateral.claimed_micros)}</dd></div></dl> : <p class="quiet">Not counted yet.</p>}</section>
            </div>
            <div>
              <section class="panel"><h2>What is owed</h2>{r.liabilities ? <dl class="facts"><div><dt>Root</dt><dd><code title={r.liabilities.root}>{short(r.liabilities.root)}</code></dd></div><div><dt>Of command</dt><dd class="num">{r.liabilities.seq}</dd></div><div><dt>Published</dt><dd><To id={r.liabilities.tx_hash} /> <span class="num">{clock(r.liabilities.published_ms)}</span></dd></div><div><dt>Accounts</dt><dd class="num">{r.liabilities.assets.find((a) => a.asset === "USD")?.leaves ?? 0}</dd></div></dl> : <p class="quiet">The first statement follows the first final block.</p>}</section>
              <Mine />
            </div>
          </div>
        </>
      )}
      <Sequence seq={seq} />
    </>
  );
}
