import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, post, sentence } from "./api";
import { decimal, dollars, micros, short } from "./money";
import { dialog, loadPortfolio, loadSession, overview, portfolio, session, spoken, trader, useWallet, wallet } from "./store";
import { Run } from "./vault";
import { act, announced, connect, deposit, forgetBurner, freeCash, makeBurner, testMoney, type Announced } from "./wallet";

const GIFT = "1000";

function Burner() {
  const busy = useSignal("");
  const problem = useSignal("");
  async function take() {
    const venue = overview.value!;
    problem.value = "";
    try {
      const made = makeBurner(venue);
      busy.value = "Getting test dollars and gas…";
      if ((await freeCash(venue, made.address)) === 0n) await testMoney(made.address, GIFT);
      busy.value = "Depositing into your vault…";
      for (let tries = 0; (await freeCash(venue, made.address)) === 0n && tries < 60; tries++) await new Promise((r) => setTimeout(r, 250));
      await deposit(venue, made, await freeCash(venue, made.address));
      await useWallet(made);
      spoken.value = "The burner wallet is ready; its deposit is final in a few seconds.";
      dialog.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
    busy.value = "";
  }
  return (
    <>
      <button class="choice burner" disabled={Boolean(busy.value)} onClick={() => void take()}>
        <b>{busy.value || "Use a burner wallet"}</b>
        <span>A key made in this browser with $1,000 of test money. No extension, no prompts. For this local chain only.</span>
      </button>
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
    </>
  );
}

function Injected({ found }: { found: Announced }) {
  const busy = useSignal(false);
  const problem = useSignal("");
  async function use() {
    busy.value = true;
    problem.value = "";
    try {
      await useWallet(await connect(overview.value!, found));
      await loadPortfolio();
      if ((portfolio.value?.account.balances.USD?.total ?? 0) > 0) dialog.value = "";
    } catch (error) {
      problem.value = sentence(error);
    }
    busy.value = false;
  }
  return (
    <>
      <button class="choice" disabled={busy.value} onClick={() => void use()}>
        <b>{found.info.icon.startsWith("data:") && <img src={found.info.icon} alt="" width="18" height="18" />} {busy.value ? "Waiting for the wallet…" : `Connect ${found.info.name}`}</b>
        <span>You keep the keys: one signature per order.</span>
      </button>
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
    </>
  );
}

async function pkcs8(pem: string) {
  const der = Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, "")), (c) => c.charCodeAt(0));
  return crypto.subtle.importKey("pkcs8", der, { name: "RSA-PSS", hash: "SHA-256" }, false, ["sign"]);
}

async function signInByKey(keyId: string, pem: string) {
  const path = "/venue/page/session/key";
  const at = String(Date.now());
  const bytes = new TextEncoder();
  const hex = (raw: ArrayBuffer) => [...new Uint8Array(raw)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const body = JSON.stringify({});
  const text = at + "POST" + path + hex(await crypto.subtle.digest("SHA-256", bytes.encode(body)));
  const signature = await crypto.subtle.sign({ name: "RSA-PSS", saltLength: 32 }, await pkcs8(pem), bytes.encode(text));
  const encoded = btoa(String.fromCharCode(...new Uint8Array(signature)));
  return post(path, {}, { "KALSHI-ACCESS-KEY": keyId.trim(), "KALSHI-ACCESS-TIMESTAMP": at, "KALSHI-ACCESS-SIGNATURE": encoded });
}

function Custodial() {
  const way = useSignal<"up" | "in" | "key">("up");
  const problem = useSignal("");
  const busy = useSignal(false);
  async function submit(event: SubmitEvent) {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(form.get(name) ?? "");
    busy.value = true;
    problem.value = "";
    try {
      if (way.value === "key") await signInByKey(text("key"), text("pem"));
      else await post(way.value === "up" ? "/venue/page/people" : "/venue/page/session", { name: text("name"), password: text("password") });
      if (wallet.value) await ask("DELETE", "/venue/session");
      wallet.value = null;
      await loadSession();
      await loadPortfolio();
      if ((portfolio.value?.account.balances.USD?.total ?? 0) > 0) dialog.value = "";
    } catch (error) {
      problem.value = /name|pattern/.test(sentence(error)) && way.value === "up" && !/somebody/.test(sentence(error)) ? "A name has 2 to 32 lower-case letters, digits, dots or dashes; a password at least 8 characters." : sentence(error);
    }
    busy.value = false;
  }
  return (
    <form class="custodial" onSubmit={(e) => void submit(e as unknown as SubmitEvent)}>
      <span class="tabs" role="group" aria-label="Custodial account">
        {([["up", "Sign up"], ["in", "Sign in"], ["key", "With a key"]] as const).map(([v, words]) => <button type="button" key={v} aria-pressed={way.value === v} onClick={() => ((way.value = v), (problem.value = ""))}>{words}</button>)}
      </span>
      {way.value === "key" ? (
        <>
          <div class="field" key="key"><label for="key">API key id</label><input id="key" name="key" autocomplete="off" required /></div>
          <div class="field" key="pem"><label for="pem">Private key (PEM, stays in this browser)</label><textarea id="pem" name="pem" rows={3} autocomplete="off" spellcheck={false} required /></div>
        </>
      ) : (
        <>
          <div class="field" key="name"><label for="name">Name</label><input id="name" name="name" autocomplete="username" autocapitalize="off" spellcheck={false} minLength={2} maxLength={32} required /></div>
          <div class="field" key={`password-${way.value}`}><label for="password">Password, at least 8 characters</label><input id="password" name="password" type="password" autocomplete={way.value === "up" ? "new-password" : "current-password"} minLength={8} maxLength={200} required /></div>
        </>
      )}
      {problem.value && <p class="problem" role="alert">{problem.value}</p>}
      <button class="primary wide" disabled={busy.value}>{busy.value ? "One moment…" : way.value === "up" ? "Create account" : "Sign in"}</button>
    </form>
  );
}

function Choices() {
  return (
    <>
      <h2 id="account-title">Start trading</h2>
      <p class="muted">Keep your own keys, or let the venue keep them. Both trade in the same book.</p>
      {overview.value?.gives_test_money && <Burner />}
      {announced.value.map((found) => <Injected key={found.info.uuid} found={found} />)}
      {!announced.value.length && <p class="quiet">No wallet extension was found in this browser.</p>}
      <h3>Or a custodial account</h3>
      <Custodial />
    </>
  );
}

async function leave() {
  await ask("DELETE", "/venue/session");
  wallet.value = null;
  dialog.value = "";
  await loadSession();
}

function Wallet() {
  const venue = overview.value!;
  const mine = wallet.value!;
  const free = useSignal<bigint | null>(null);
  const amount = useSignal("100");
  const wanted = micros(amount.value);
  const usd = portfolio.value?.account.balances.USD;
  const look = () => void freeCash(venue, mine.address).then((found) => (free.value = found), () => (free.value = null));
  useEffect(look, [mine.address, usd?.total]);
  return (
    <>
      <h2 id="account-title">{mine.name}</h2>
      <p class="address"><code>{mine.address}</code> <button class="small" onClick={() => (void navigator.clipboard?.writeText(mine.address), (spoken.value = "Copied."))}>Copy</button></p>
      <dl class="figures">
        <div class="line"><dt>In the wallet</dt><dd class="num">{free.value === null ? "–" : dollars(Number(free.value))}</dd></div>
        <div class="line strong"><dt>In your vault, available</dt><dd class="num">{dollars(usd?.available ?? 0)}</dd></div>
        {Boolean(usd?.pending) && <div class="line"><dt>Pending settlement</dt><dd class="num">{dollars(usd!.pending)}</dd></div>}
      </dl>
      <div class="field"><label for="amount">Amount in dollars</label><input id="amount" class="num" inputMode="decimal" value={amount.value} onInput={(e) => (amount.value = e.currentTarget.value)} /></div>
      <div class="buttons">
        {venue.gives_test_money && <Run label="Get test money" disabled={!(wanted > 0)} work={async () => (await testMoney(mine.address, decimal(wanted)), look(), "Test dollars and gas are on their way to the wallet.")} />}
        <Run label="Deposit" disabled={!(wanted > 0)} work={async () => (await deposit(venue, mine, BigInt(wanted)), look(), "Deposited: tradable when its block is final, in a few seconds.")} />
        <Run label="Withdraw" disabled={!(wanted > 0)} work={async () => (await act(venue, mine, "withdraw", "0", wanted), "The withdrawal is signed and queued; it arrives with the next batch.")} />
      </div>
      <p class="quiet">{mine.kind === "injected" ? "A deposit is one prompt, a withdrawal too; the venue pays the gas." : "The burner signs by itself. Its key is in this browser only."}</p>
      <button class="small" onClick={() => void leave()}>Disconnect</button>
      {mine.kind === "burner" && <button class="small" onClick={() => (forgetBurner(), void leave())}>Forget this key</button>}
    </>
  );
}

function Account1() {
  const amount = useSignal("1000");
  const to = useSignal("");
  const wanted = micros(amount.value);
  const usd = portfolio.value?.account.balances.USD;
  return (
    <>
      <h2 id="account-title">{session.value!.name}</h2>
      <p class="muted">Custodial account <code>{short(session.value!.account)}</code></p>
      <dl class="figures"><div class="line strong"><dt>Available</dt><dd class="num">{dollars(usd?.available ?? 0)}</dd></div></dl>
      <div class="field"><label for="amount">Amount in dollars</label><input id="amount" class="num" inputMode="decimal" value={amount.value} onInput={(e) => (amount.value = e.currentTarget.value)} /></div>
      <div class="field"><label for="to">Withdraw to address</label><input id="to" placeholder="0x…" autocomplete="off" spellcheck={false} value={to.value} onInput={(e) => (to.value = e.currentTarget.value)} /></div>
      <div class="buttons">
        {overview.value!.gives_test_money && <Run label="Deposit test money" disabled={!(wanted > 0)} work={async () => (await post("/venue/page/test-money", { amount: decimal(wanted) }), "Paid into the pool for you: yours when its block is final, in a few seconds.")} />}
        <Run label="Withdraw" disabled={!(wanted > 0) || !/^0x[0-9a-fA-F]{40}$/.test(to.value)} work={async () => (await post("/venue/withdrawals", { reference: `page-${Date.now()}`, amount: decimal(wanted), to: to.value }), "The withdrawal is in the next batch.")} />
      </div>
      <button class="small" onClick={() => void ask("DELETE", "/venue/page/session").then(() => ((dialog.value = ""), loadSession()))}>Sign out</button>
    </>
  );
}

export function Account() {
  const box = useRef<HTMLDialogElement>(null);
  const open = dialog.value === "account";
  useEffect(() => {
    if (open && !box.current!.open) box.current!.showModal();
    if (!open && box.current!.open) box.current!.close();
  }, [open]);
  return (
    <dialog ref={box} class="side" aria-labelledby="account-title" onClose={() => open && (dialog.value = "")} onClick={(e) => e.target === box.current && (dialog.value = "")}>
      <div class="inside">
        <button class="icon close" aria-label="Close" onClick={() => (dialog.value = "")}>✕</button>
        {open && (!trader.value ? <Choices /> : wallet.value ? <Wallet /> : <Account1 />)}
      </div>
    </dialog>
  );
}
