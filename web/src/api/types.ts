// What the exchange answers, in the words of /openapi.json. Money is decimal texts.

export type Side = "buy" | "sell";
export type OrderType = "limit" | "market" | "stop" | "stop_limit";
export type TimeInForce = "gtc" | "ioc" | "fok";
export type MarketState = "open" | "cancel_only" | "halted";
export type OrderStatus = "pending" | "open" | "partially_filled" | "filled" | "cancelled" | "expired" | "rejected";

export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

export interface Market {
  symbol: string;
  base: string;
  quote: string;
  tickSize: string;
  lotSize: string;
  minNotional: string;
  makerFee: string;
  takerFee: string;
  priceBand: string;
  state: MarketState;
}

export interface Ticker {
  symbol: string;
  lastPrice: string | null;
  open: string | null;
  high: string | null;
  low: string | null;
  change: string | null;
  changePercent: string | null;
  volume: string;
  quoteVolume: string;
  trades: number;
  bestBid: string | null;
  bestAsk: string | null;
  at: string;
}

export interface Candle {
  start: string;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quoteVolume: string;
  trades: number;
}

export interface PublicTrade {
  tradeId: string;
  quantity: string;
  price: string;
  takerSide: Side;
  status: "executed" | "busted";
  executedAt: string;
}

export interface Order {
  orderId: string;
  userId: string;
  walletId: string;
  symbol: string;
  type: Side;
  orderType: OrderType | "block";
  timeInForce: TimeInForce;
  postOnly: boolean;
  quantity: string | null;
  price: string | null;
  stopPrice: string | null;
  worstPrice: string | null;
  quoteQuantity: string | null;
  filledQuantity: string;
  remainingQuantity: string;
  averagePrice: string | null;
  status: OrderStatus;
  reason: string | null;
  clientOrderId: string | null;
  version: number;
  createdAt: string;
  updatedAt: string;
}

export interface Trade extends PublicTrade {
  symbol: string;
  buyOrderId: string;
  sellOrderId: string;
  fee: string | null;
  feeAsset: string | null;
  role: "maker" | "taker" | null;
  block: boolean;
  note: string | null;
  tags: string[];
  buyerId?: string;
  sellerId?: string;
  buyerFee?: string;
  sellerFee?: string;
}

export interface Wallet {
  walletId: string;
  userId: string;
  name: string;
  balance: Record<string, string>;
  available: Record<string, string>;
  held: Record<string, string>;
  version: number;
}

export interface Entry {
  entryId: string;
  time: string;
  kind: string;
  reference: string;
  reason: string | null;
  lines: { asset: string; bucket: "available" | "held"; amount: string }[];
}

export interface Holding {
  product: string;
  quantity: string;
  averageCost: string;
  realizedPnl: string;
  marketPrice: string | null;
  unrealizedPnl: string | null;
}

export interface Portfolio {
  portfolioId: string;
  userId: string;
  name: string;
  holdings: Holding[];
  version: number;
}

export interface Notification {
  notificationId: string;
  userId: string;
  kind: string;
  title: string;
  body: string;
  data: Record<string, unknown>;
  createdAt: string;
  readAt: string | null;
}

export interface User {
  userId: string;
  userName: string;
  email: string | null;
  role: "user" | "admin";
  createdAt: string;
}

export interface ApiKey {
  keyId: string;
  type: "bearer" | "hmac" | "ed25519";
  label: string;
  scopes: string[];
  ipAllowList: string[];
  createdAt: string;
  secret?: string;
}

export interface Approval {
  approvalId: string;
  walletId: string;
  asset: string;
  delta: string;
  reason: string;
  author: string;
  status: "pending" | "approved" | "rejected" | "expired";
  askedAt: string;
  expiresAt: string;
  decidedBy: string | null;
  decidedAt: string | null;
  verdict: string | null;
}

export interface Action {
  service: string;
  sequence: number;
  time: string;
  author: string;
  action: string;
  target: string;
  correlationId: string;
  details: Record<string, unknown>;
}

export interface CloudEvent {
  id: string;
  source: string;
  type: string;
  time: string;
  subject: string;
  sequence: number;
  correlationid: string;
  causationid: string | null;
  data: Record<string, unknown>;
}
