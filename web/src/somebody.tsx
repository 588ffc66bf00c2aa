// What everybody may know of a wallet: its vault, its positions and its fills. Open orders are its own business.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get, Refusal, sentence } from "./api";
import { FillList, Money, Moves, Positions } from "./portfolio";
import { overview } from "./store";
import type { Portfolio } from "./types";

export function WalletPage({ address }: { address: string }) {
  const found = useSignal<{ of?: Portfolio; problem?: string }>({});
  useEffect(() => {
    let wanted = true;
    const unknown = (error: unknown) => (error instanceof Refusal && error.status === 404 ? "It has never deposited. Keys of the operator and of the oracle have no vault either." : sentence(error));
    void get<Portfolio>(`/venue/page/portfolio?wallet=${encodeURIComponent(address)}`).then((of) => wanted && (found.value = { of }), (error) => wanted && (found.value = { problem: unknown(error) }));
    return () => void (wanted = false);
  }, [address, overview.value?.final_block]);
  const { of, problem } = found.value;
  return (
    <>
      <div class="head"><p class="kicker"><a href="#/proof">Proof</a> / wallet</p><h1>Wallet</h1><p><code class="break">{address}</code></p></div>
      {problem ? <section class="empty"><h2>No vault</h2><p>{problem}</p></section> : !of ? <div class="skeleton" role="status" aria-busy="true" aria-label="Loading"><span /><span /><span /></div> : (
        <>
          <Money of={of} />
          <div class="columns">
            <div>
              <section class="panel"><h2>Positions</h2>{of.positions.length ? <Positions positions={of.positions} /> : <p class="quiet">No positions.</p>}</section>
              <Moves of={of} />
            </div>
            <section class="panel"><h2>Fills</h2>{of.fills.length ? <FillList fills={of.fills} /> : <p class="quiet">No fills yet.</p>}</section>
          </div>
        </>
      )}
    </>
  );
}
