import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { tinykeys } from "tinykeys";
import { cents, count } from "./money";
import { book, dialog, narrow, route, search, sheet, shown, spoken, ticket } from "./store";
import { switchTheme } from "./theme";
import { goTo, shownSeq } from "./witness";

const KEY = "causeway.keys";
/** Longest pause between the two keys of a sequence: some hands are slow. */
const SEQUENCE_MS = 3_000;
const enabled = signal(localStorage.getItem(KEY) !== "off");
const focus = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();
const go = (hash: string) => (location.hash = hash);

function move(by: number) {
  const links = [...document.querySelectorAll<HTMLElement>(".rows .name, .card h2 a")];
  const at = links.indexOf(document.activeElement as HTMLElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

function readBook() {
  const now = book.value;
  if (!now) return (spoken.value = "No book is open.");
  const side = (levels: [number, number][]) => levels.slice(0, 5).map(([p, s]) => `${count(s)} at ${cents(p)}`).join(", ") || "nobody";
  return (spoken.value = `Bids: ${side(now.bids)}. Offers: ${side(now.asks)}.`);
}
function contracts() {
  if (!narrow.value) return focus("#count");
  sheet.value = shown.value;
  requestAnimationFrame(() => focus("#count"));
}
const press = (name: string) => [...document.querySelectorAll<HTMLElement>(".stepper button")].find((b) => b.getAttribute("aria-label") === name)?.click();

const step = (by: number) => {
  const [, seq] = /^#\/proof\/?(\d*)$/.exec(route.value) ?? [];
  if (seq !== undefined) goTo(shownSeq(seq) + by);
};
function cancel() {
  const row = document.activeElement?.closest("tr");
  (row?.querySelector<HTMLElement>("button[data-cancel]") ?? document.querySelector<HTMLElement>("button[data-cancel]"))?.click();
}
/** From anywhere that is not itself a control. */
function review() {
  if (document.activeElement?.matches("a, button, summary")) return false;
  document.querySelector<HTMLElement>(".ticket .review .primary, .ticket form button.primary:not([type=button])")?.click();
  return true;
}

// Sequences stand first: a key that ends one does nothing else.
export const MAP: [string, string, string, () => void | boolean][] = [
  ["g m", "g m", "Markets", () => go("#/")],
  ["g p", "g p", "Portfolio", () => go("#/portfolio")],
  ["g c", "g c", "Proof: book, ledger, chain", () => go("#/proof")],
  [",", ",", "One command back (on Proof)", () => step(-1)],
  [".", ".", "One command on (on Proof)", () => step(1)],
  ["/", "/", "Search", () => focus(".search")],
  ["j", "j", "Next market in the list", () => move(1)],
  ["k", "k", "Previous market in the list", () => move(-1)],
  ["y", "y", "Outcome Yes", () => (ticket.value = { ...ticket.value, outcome: "yes", price: "" })],
  ["n", "n", "Outcome No", () => (ticket.value = { ...ticket.value, outcome: "no", price: "" })],
  ["b", "b", "Buy", () => (ticket.value = { ...ticket.value, action: "buy", price: "" })],
  ["s", "s", "Sell", () => (ticket.value = { ...ticket.value, action: "sell", price: "" })],
  ["c", "c", "To the number of contracts", contracts],
  ["[", "[", "Price one tick down", () => press("Less: Limit price")],
  ["]", "]", "Price one tick up", () => press("More: Limit price")],
  ["r", "r", "Read the top of the book aloud", readBook],
  ["x", "x", "Cancel the open order that is in focus, or the first one", cancel],
  ["Enter", "Enter", "Review the order; again: confirm it", review],
  ["a", "a", "Account and money", () => (dialog.value = "account")],
  ["t", "t", "Light or dark", switchTheme],
];

export function listen() {
  const guarded = (work: () => unknown, inDialogs = false) => (event: KeyboardEvent) => {
    const inField = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (inField || !enabled.value || (document.querySelector("dialog[open]") && !inDialogs)) return;
    if (work() !== false) event.preventDefault();
  };
  const map = Object.fromEntries(MAP.map(([key, , , work]) => [key, guarded(work)]));
  const help = guarded(() => (dialog.value = dialog.value === "keys" ? "" : "keys"), true);
  tinykeys(window, { ...map, "?": help, "Shift+?": help }, { timeout: SEQUENCE_MS });
  window.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (event.target as Element).matches?.(".search")) search.value = "";
  });
}

export function Keys() {
  const box = useRef<HTMLDialogElement>(null);
  const open = dialog.value === "keys";
  useEffect(() => {
    if (open && !box.current!.open) box.current!.showModal();
    if (!open && box.current!.open) box.current!.close();
  }, [open]);
  return (
    <dialog ref={box} class="center" aria-labelledby="keys-title" onClose={() => open && (dialog.value = "")}>
      <div class="inside">
        <button class="icon close" aria-label="Close" onClick={() => (dialog.value = "")}>✕</button>
        <h2 id="keys-title">Keyboard</h2>
        <dl class="keys">
          {MAP.map(([key, shown, words]) => <div key={key}><dt>{shown.split(" ").map((k) => <kbd key={k}>{k}</kbd>)}</dt><dd>{words}</dd></div>)}
          <div><dt><kbd>?</kbd></dt><dd>This map</dd></div>
          <div><dt><kbd>Esc</kbd></dt><dd>Close</dd></div>
        </dl>
        <label class="check"><input type="checkbox" checked={enabled.value} onChange={(e) => ((enabled.value = e.currentTarget.checked), localStorage.setItem(KEY, enabled.value ? "on" : "off"))} /> Keys are on</label>
        <p class="muted quiet">Speech input or a slip of the hand can press single keys: switch all of them off here. This map stays under “?” at the top and “Keyboard” at the bottom of every page.</p>
      </div>
    </dialog>
  );
}
