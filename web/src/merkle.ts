// Checks an inclusion proof in the browser: offchain_book/liabilities.py is the definition.
const utf8 = new TextEncoder();
const hex = (raw: Uint8Array) => [...raw].map((b) => b.toString(16).padStart(2, "0")).join("");
const bytes = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
const wide = (value: bigint, size: number) => bytes(value.toString(16).padStart(2 * size, "0"));
const text = (value: string) => {
  const raw = utf8.encode(value);
  return [wide(BigInt(raw.length), 4), raw];
};
const sha = async (...parts: Uint8Array[]) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts as BlobPart[]).arrayBuffer())));

interface Node { digest: string; sum: bigint }
export interface Proof {
  account_id: string; salt: string; tx_hash: string;
  statement: { seq: number; root: string; assets: { asset: string; leaves: number; digest: string; total_micros: string }[] };
  inclusions: { asset: string; amount_micros: string; index: number; siblings: { digest: string; sum_micros: string }[] }[];
}

const join = async (left: Node, right: Node): Promise<Node> => ({
  digest: await sha(Uint8Array.of(1), wide(left.sum, 16), bytes(left.digest), wide(right.sum, 16), bytes(right.digest)),
  sum: left.sum + right.sum,
});

export async function rootOf(statement: Proof["statement"]): Promise<string> {
  const parts: Uint8Array[] = [Uint8Array.of(3), wide(BigInt(statement.seq), 8)];
  for (const one of statement.assets)
    parts.push(bytes(await sha(Uint8Array.of(2), ...text(one.asset), wide(BigInt(one.leaves), 8), bytes(one.digest), wide(BigInt(one.total_micros), 16))));
  return sha(...parts);
}

/** Throws with the check that fails; `root` is the one read from the chain. */
export async function verify(proof: Proof, root: string) {
  const made = await rootOf(proof.statement);
  if (made !== root.replace(/^0x/, "").toLowerCase()) throw new Error(`The statement's root is ${made}, the one on chain ${root}.`);
  for (const one of proof.inclusions) {
    const total = proof.statement.assets.find((a) => a.asset === one.asset);
    if (!total || one.index < 0 || one.index >= total.leaves) throw new Error(`${one.asset}: there is no such leaf.`);
    const amount = BigInt(one.amount_micros);
    let node: Node = { digest: await sha(Uint8Array.of(0), bytes(proof.salt), ...text(proof.account_id), ...text(one.asset), wide(amount, 16)), sum: amount };
    const rest = [...one.siblings];
    for (let index = one.index, count = total.leaves; count > 1; index >>= 1, count = (count + 1) >> 1) {
      if ((index ^ 1) >= count) continue;
      const next = rest.shift();
      if (!next) throw new Error(`${one.asset}: the proof is too short.`);
      const sibling = { digest: next.digest, sum: BigInt(next.sum_micros) };
      node = index % 2 ? await join(sibling, node) : await join(node, sibling);
    }
    if (rest.length) throw new Error(`${one.asset}: the proof is too long.`);
    if (node.digest !== total.digest || node.sum !== BigInt(total.total_micros)) throw new Error(`${one.asset}: your amount leads to another root than the statement's.`);
  }
}
