// What the venue's routes answer (offchain_book/gateways/page_*.py); names end in their units.
export interface Market {
  ticker: string; event_ticker: string; title: string; yes: string; no: string; rules: string; type: string; status: string;
  open_ms: number; close_ms: number; price_ranges: [number, number, number][]; fee_cap_bps: number; condition_id: string;
  yes_token_id: string; no_token_id: string; best_bid_e4: number; best_ask_e4: number; last_price_e4: number;
  volume_micros: number; open_interest_micros: number; yes_payout_micros: number; resolved_on_chain: boolean; trend_e4: number[];
}
export interface VenueEvent {
  event_ticker: string; title: string; sub_title: string; category: string; mutually_exclusive: boolean; markets: Market[];
}
export interface Overview {
  seq: number; now_ms: number; chain_id: number; rpc_url: string; venue: `0x${string}`; collateral: `0x${string}`;
  gives_test_money: boolean; exit_delay_s: number; settles_ms: number; mode: string; session: string; frozen: string;
  chain_halted: boolean; final_block: number; final_hash: string; open_operations: number; events: VenueEvent[];
}
export type Levels = [number, number][];
export interface Book { ticker: string; bids: Levels; asks: Levels }
export interface Trade {
  trade: string; ticker: string; price_e4: number; size_micros: number; taker_side: "bid" | "ask"; on_chain: boolean;
  stage?: string; at_ms: number;
}
export interface TradePage { trades: Trade[]; more: boolean }
export interface Candle {
  time_s: number; open_e4: number; high_e4: number; low_e4: number; close_e4: number; volume_micros: number;
}
export interface Lines { event_ticker: string; times_s: number[]; markets: { ticker: string; prices_e4: number[] }[] }
export interface Stage { name: string; done: boolean; at_ms: number; id: string }
export interface Fill {
  trade: string; order_id: string; ticker: string; side: "bid" | "ask"; outcome: "" | "yes" | "no"; price_e4: number;
  size_micros: number; fee_micros: number; is_taker: boolean; at_ms: number; stage: string; resolution: string;
  tx_hash: string; block_number: number; operation: number; stages: Stage[];
}
export interface OpenOrder {
  order_id: string; ticker: string; side: "bid" | "ask"; outcome: "" | "yes" | "no"; price_e4: number; size_micros: number;
  filled_micros: number; remaining_micros: number; status: string; created_ms: number;
}
export interface Balance { total: number; available: number; held: number; pending: number; settled: number; withdrawable: number }
export interface Position {
  ticker: string; yes_micros: number; no_micros: number; yes_pending_micros: number; no_pending_micros: number;
  yes_payout_micros: number; resolved_on_chain: boolean;
}
export interface Portfolio {
  account: { account: string; custody: string; name: string; linked_wallet: string | null; exit_at_s: number | null;
    open_orders: number; balances: Record<string, Balance> };
  private: boolean; positions: Position[]; orders: OpenOrder[]; fills: Fill[];
  deposits: { id: string; asset: string; amount_micros: number; tx_hash: string; at_ms: number }[];
  actions: { id: string; kind: string; amount_micros: number; stage: string; tx_hash: string; at_ms: number; resolution: string }[];
}
export interface Quote {
  at_once_micros: number; rests_micros: number; value_micros: number; fee_micros: number; total_micros: number;
  most_win_micros: number; most_lose_micros: number; settles_ms: number;
}
export type Action = "buy" | "sell";
export type Outcome = "yes" | "no";
