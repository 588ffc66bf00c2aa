// The venue's own stream: one connection, resumed where it broke off; docs/interfaces.md describes the messages.
import { signal } from "@preact/signals";
import { WebSocket as Reconnecting } from "partysocket";

export type Message = { type: string; cursor?: string; [name: string]: any };
export const link = signal<"connecting" | "live" | "lost">("connecting");
export const heardMs = signal(Date.now());

const PUBLIC = ["tickers", "markets", "trades", "settlement"];
const PING_MS = 5_000;

export class Stream {
  private readonly socket: Reconnecting;
  private cursor = "";
  private ticker = "";
  private ticket = "";
  /** Whether this connection has asked for its channels: from then on a change of market is asked for by itself. */
  private begun = false;
  /** Which connection this is, and which pause between two. */
  private turn = 0;

  constructor(private readonly hear: (message: Message) => void, private readonly getTicket: () => Promise<string>) {
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/venue/ws`;
    this.socket = new Reconnecting(address, [], { maxReconnectionDelay: 5_000, minReconnectionDelay: 300, connectionTimeout: 4_000 });
    this.socket.addEventListener("open", () => void this.begin(++this.turn));
    this.socket.addEventListener("close", () => ((link.value = "lost"), (this.begun = false), this.turn++));
    this.socket.addEventListener("message", (event) => this.take(JSON.parse(event.data as string)));
    setInterval(() => link.value === "live" && this.send({ op: "ping" }), PING_MS);
  }

  /** Hear one market's book, and no other's. */
  follow(ticker: string) {
    if (ticker === this.ticker) return;
    if (this.begun) {
      if (this.ticker) this.send({ op: "unsubscribe", channels: ["book"], tickers: [this.ticker] });
      if (ticker) this.send({ op: "subscribe", channels: ["book"], tickers: [ticker] });
    }
    this.ticker = ticker;
  }

  /** Begin anew, because somebody signed in or out. */
  restart() {
    this.cursor = "";
    this.socket.reconnect();
  }

  private async begin(turn: number) {
    const ticket = await this.getTicket().catch(() => "");
    if (turn !== this.turn) return; // it broke meanwhile: what is sent now would wait for the next one, and come before its own beginning
    this.ticket = ticket;
    if (this.ticket) this.send({ op: "auth", ticket: this.ticket });
    const resume = this.cursor ? { resume_from: this.cursor } : {};
    this.send({ op: "subscribe", channels: this.ticket ? [...PUBLIC, "account"] : PUBLIC, ...resume });
    if (this.ticker) this.send({ op: "subscribe", channels: ["book"], tickers: [this.ticker] });
    this.begun = true;
  }

  private send(message: object) {
    this.socket.send(JSON.stringify(message));
  }

  private take(message: Message) {
    heardMs.value = Date.now();
    if (message.type === "subscribed") link.value = "live";
    if (message.cursor && message.type !== "ready") this.cursor = message.cursor;
    this.hear(message);
  }
}
