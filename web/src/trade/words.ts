// What the wire's words are to a person.

import type { Order } from "../api/types";

const STATUS: Record<Order["status"], string> = {
  pending: "Pending",
  open: "Open",
  partially_filled: "Partly filled",
  filled: "Filled",
  cancelled: "Cancelled",
  expired: "Expired",
  rejected: "Rejected",
};

const TYPE: Record<Order["orderType"], string> = {
  limit: "Limit",
  market: "Market",
  stop: "Stop",
  stop_limit: "Stop limit",
  block: "Block",
};

const REASON: Record<string, string> = {
  price_band: "too far from the last trade",
  would_cross: "it would have traded at once",
  post_only: "it would have traded at once",
  no_liquidity: "nobody offered more",
  expired_ioc: "the rest was not offered",
  expired_fok: "not all of it was offered",
  budget_spent: "the budget is spent",
  amended_down: "amended to what was filled",
  self_trade: "it would have met your own order",
};

/** The status, with its reason where there is one. */
export function statusWords(order: Order): string {
  const why = order.reason && order.reason !== "filled" ? (REASON[order.reason] ?? order.reason.replaceAll("_", " ")) : "";
  const said = STATUS[order.status];
  return why && why !== said.toLowerCase() ? `${said}: ${why}` : said;
}

/** The type, with what is special about it. */
export function typeWords(order: Order): string {
  const special = order.postOnly ? " post-only" : order.timeInForce !== "gtc" && order.price ? ` ${order.timeInForce.toUpperCase()}` : "";
  return TYPE[order.orderType] + special;
}

/** A word of the wire as a label: "cancel_only" is "Cancel only". */
export function label(word: string): string {
  const apart = word.replaceAll("_", " ");
  return apart.charAt(0).toUpperCase() + apart.slice(1);
}
