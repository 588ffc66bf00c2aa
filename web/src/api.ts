// One way to ask the venue. A refusal becomes a Refusal with the venue's own sentence.
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly details: Record<string, unknown>) {
    super(message);
  }
}

export async function ask<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: { accept: "application/json", "x-causeway-page": "1", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, "UNREACHABLE", "The venue does not answer. Is it still running?", {});
  }
  if (answer.status === 204) return undefined as T;
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found as T;
  const error = found.error ?? {};
  if (typeof error === "string") throw new Refusal(answer.status, "ERROR", error, {});
  throw new Refusal(answer.status, error.code ?? "ERROR", error.message ?? `HTTP ${answer.status}`, error.details ?? {});
}

export const get = <T>(path: string, headers?: Record<string, string>) => ask<T>("GET", path, undefined, headers);
export const post = <T>(path: string, body: unknown, headers?: Record<string, string>) => ask<T>("POST", path, body, headers);
export const sentence = (error: unknown) =>
  (error instanceof Error ? ((error as { shortMessage?: string }).shortMessage ?? error.message) : String(error)).replace(/^./, (c) => c.toUpperCase());
