// What the stream says (docs/streams.md).

import type { BookChange, BookSnapshot } from "../book/book";
import type { Candle, Market, Notification, Order, Portfolio, PublicTrade, Ticker, Trade, Wallet } from "../api/types";

export type BookMessage = BookSnapshot | BookChange;
export interface TapeMessage {
  type: "snapshot" | "change";
  trades: PublicTrade[];
}
export interface TickerMessage {
  type: "snapshot" | "change";
  ticker: Ticker;
}
export interface CandlesMessage {
  type: "snapshot" | "change";
  candles: Candle[];
}
export interface MarketsMessage {
  type: "snapshot" | "change";
  markets: Market[];
}

/** Own things, each as REST gives it. */
export interface Own {
  orders: Order;
  fills: Trade;
  wallets: Wallet;
  portfolios: Portfolio;
  notifications: Notification;
}
export type OwnChannel = keyof Own;
/** `data` is null where it is gone. */
export type OwnMessage<T> = { type: "snapshot"; sequence: number } | { type: "change"; sequence: number; id: string; data: T | null };

export interface ErrorMessage {
  type: "error";
  id?: number;
  code: string;
  detail: string;
  field?: string;
  channel?: string;
}

/** Any message of a channel. */
export type ChannelMessage = { type: string; channel: string; sequence?: number };
