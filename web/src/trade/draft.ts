// The order that somebody is about to place: what is typed, what it would cost, and what goes to the exchange. Pure.

import type { Market, OrderType, Side, TimeInForce } from "../api/types";
import { fee, floorTo, parse, times, typed, write } from "../money/decimal";

export interface Draft {
  side: Side;
  orderType: OrderType;
  price: string;
  stopPrice: string;
  quantity: string;
  /** What a market or stop buy may spend, in place of a quantity. */
  budget: string;
  byBudget: boolean;
  timeInForce: TimeInForce;
  postOnly: boolean;
}

export const EMPTY: Draft = {
  side: "buy",
  orderType: "limit",
  price: "",
  stopPrice: "",
  quantity: "",
  budget: "",
  byBudget: false,
  timeInForce: "gtc",
  postOnly: false,
};

export const hasLimit = (draft: Draft): boolean => draft.orderType === "limit" || draft.orderType === "stop_limit";
export const hasStop = (draft: Draft): boolean => draft.orderType === "stop" || draft.orderType === "stop_limit";
export const mayBudget = (draft: Draft): boolean => draft.side === "buy" && !hasLimit(draft);
const budgeted = (draft: Draft): boolean => mayBudget(draft) && draft.byBudget;

/** The price that an estimate is made with: the limit, else the stop price, else what the book offers now. */
export function referencePrice(draft: Draft, touch: string | null): bigint | null {
  if (hasLimit(draft)) return positive(typed(draft.price));
  if (hasStop(draft)) return positive(typed(draft.stopPrice));
  return touch === null ? null : positive(typed(touch));
}

const positive = (units: bigint | null): bigint | null => (units !== null && units > 0n ? units : null);

export interface Estimate {
  quantity: bigint;
  /** Price × quantity, in the quote asset. */
  value: bigint;
  /** The taker's fee (the maker's of a post-only order), in the asset that one receives. */
  fee: bigint;
  feeAsset: string;
  /** What one receives when all is filled at that price. */
  receives: bigint;
}

/** What the order would come to, or null while it is not complete. */
export function estimate(draft: Draft, market: Market, touch: string | null): Estimate | null {
  const price = referencePrice(draft, touch);
  const budget = budgeted(draft) ? positive(typed(draft.budget)) : null;
  if (price === null || (budgeted(draft) && budget === null)) return null;
  const lot = parse(market.lotSize);
  const quantity = budget === null ? positive(typed(draft.quantity)) : floorTo((budget * 10n ** 8n) / price, lot);
  if (quantity === null) return null;
  const value = times(price, quantity);
  const rate = draft.postOnly && draft.orderType === "limit" ? market.makerFee : market.takerFee;
  const gross = draft.side === "buy" ? quantity : value;
  const charged = fee(gross, rate);
  return {
    quantity,
    value,
    fee: charged,
    feeAsset: draft.side === "buy" ? market.base : market.quote,
    receives: gross - charged,
  };
}

/** The draft with so many percent of what is available. */
export function withShare(draft: Draft, market: Market, available: bigint, percent: bigint, touch: string | null): Draft {
  const part = (available * percent) / 100n;
  const lot = parse(market.lotSize);
  if (draft.side === "sell") return { ...draft, quantity: write(floorTo(part, lot)) };
  if (!hasLimit(draft)) return { ...draft, byBudget: true, budget: write(part) };
  // without a price of one's own, the one at which somebody sells now
  const priced = draft.price.trim() ? draft : { ...draft, price: touch ?? "" };
  const price = referencePrice(priced, touch);
  if (price === null) return draft;
  return { ...priced, quantity: write(floorTo((part * 10n ** 8n) / price, lot)) };
}

/** What is wrong with the draft as it stands, by the fields' names on the wire. The exchange judges the rest. */
export function faultsOf(draft: Draft, market: Market, available: bigint): Record<string, string> {
  const faults: Record<string, string> = {};
  const check = (field: string, text: string, step: string | null) => {
    const units = typed(text);
    if (!text.trim()) faults[field] = "Enter a number";
    else if (units === null) faults[field] = "A plain number such as 10 or 0.25";
    else if (units === 0n) faults[field] = "Must be above zero";
    else if (step !== null && units % parse(step)) faults[field] = `Must be a multiple of ${step}`;
  };
  if (hasStop(draft)) check("stopPrice", draft.stopPrice, market.tickSize);
  if (hasLimit(draft)) check("price", draft.price, market.tickSize);
  if (budgeted(draft)) check("quoteQuantity", draft.budget, null);
  else check("quantity", draft.quantity, market.lotSize);
  if (Object.keys(faults).length) return faults;
  const [field, need, asset] = needOf(draft, market);
  if (need > available) faults[field] = `More than the ${asset} you have available`;
  return faults;
}

/** What must be available: the field that says it, how much, and of what. */
function needOf(draft: Draft, market: Market): [field: string, need: bigint, asset: string] {
  if (draft.side === "sell") return ["quantity", parse(draft.quantity.trim()), market.base];
  if (budgeted(draft)) return ["quoteQuantity", parse(draft.budget.trim()), market.quote];
  if (!hasLimit(draft)) return ["quantity", 0n, market.quote];
  return ["quantity", times(parse(draft.price.trim()), parse(draft.quantity.trim())), market.quote];
}

/** The body of POST /api/orders. */
export function bodyOf(draft: Draft, market: Market, clientOrderId: string): Record<string, unknown> {
  return {
    symbol: market.symbol,
    type: draft.side,
    orderType: draft.orderType,
    ...(hasLimit(draft) ? { price: draft.price.trim(), timeInForce: draft.timeInForce } : {}),
    ...(hasLimit(draft) && draft.timeInForce === "gtc" && draft.postOnly ? { postOnly: true } : {}),
    ...(hasStop(draft) ? { stopPrice: draft.stopPrice.trim() } : {}),
    ...(budgeted(draft) ? { quoteQuantity: draft.budget.trim() } : { quantity: draft.quantity.trim() }),
    clientOrderId,
  };
}
