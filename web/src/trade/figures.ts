// Prices and quantities with the places of their market, so that figures stand in columns and no tick is cut off.

import { market } from "../api/markets";
import type { Order } from "../api/types";
import { parse, placesOf } from "../money/decimal";
import { amount, fixedText, grouped } from "../money/format";

const shown = (text: string, step: string | undefined): string => (step === undefined ? grouped(text) : fixedText(text, placesOf(step)));

export const priceText = (symbol: string, text: string): string => shown(text, market(symbol)?.tickSize);
/** Nothing is just 0. */
export const quantityText = (symbol: string, text: string): string => (parse(text) === 0n ? "0" : shown(text, market(symbol)?.lotSize));

/** What an order is about: a quantity, or what it may spend. */
export function quantityOf(order: Order): string {
  if (order.quantity) return quantityText(order.symbol, order.quantity);
  const quote = order.symbol.split("-")[1] ?? "";
  return `${amount(quote, order.quoteQuantity ?? "0")} ${quote}`;
}
