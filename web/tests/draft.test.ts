import { describe, expect, test } from "vitest";
import type { Market } from "../src/api/types";
import { parse } from "../src/money/decimal";
import { EMPTY, bodyOf, estimate, faultsOf, withShare, type Draft } from "../src/trade/draft";

const MARKET: Market = {
  symbol: "BTC-USD",
  base: "BTC",
  quote: "USD",
  tickSize: "0.01",
  lotSize: "0.000001",
  minNotional: "1",
  makerFee: "0.001",
  takerFee: "0.002",
  priceBand: "0.2",
  state: "open",
};
const draft = (part: Partial<Draft>): Draft => ({ ...EMPTY, ...part });
const RICH = parse("1000000");

describe("an estimate", () => {
  test("a limit buy costs price times quantity; its fee is taken from what it brings", () => {
    const found = estimate(draft({ price: "50000", quantity: "0.5" }), MARKET, null)!;
    expect(found.value).toBe(parse("25000"));
    expect([found.fee, found.feeAsset]).toEqual([parse("0.001"), "BTC"]);
    expect(found.receives).toBe(parse("0.499"));
  });

  test("a post-only order pays the maker's fee", () => {
    expect(estimate(draft({ price: "50000", quantity: "1", postOnly: true }), MARKET, null)!.fee).toBe(parse("0.001"));
  });

  test("a market sell is estimated at what the book offers", () => {
    const found = estimate(draft({ side: "sell", orderType: "market", quantity: "2" }), MARKET, "49000.00")!;
    expect(found.value).toBe(parse("98000"));
    expect([found.fee, found.feeAsset]).toEqual([parse("196"), "USD"]);
    expect(estimate(draft({ side: "sell", orderType: "market", quantity: "2" }), MARKET, null)).toBeNull();
  });

  test("a budget buys whole lots", () => {
    const found = estimate(draft({ orderType: "market", byBudget: true, budget: "100" }), MARKET, "30000")!;
    expect(found.quantity).toBe(parse("0.003333"));
  });
});

describe("a share of what is available", () => {
  test("of a limit buy is what that buys, in whole lots", () => {
    expect(withShare(draft({ price: "30000" }), MARKET, parse("100"), 50n, null).quantity).toBe("0.001666");
  });

  test("of a sell is of the base asset", () => {
    expect(withShare(draft({ side: "sell" }), MARKET, parse("1.0000019"), 100n, null).quantity).toBe("1.000001");
  });

  test("of a market buy is a budget", () => {
    expect(withShare(draft({ orderType: "market" }), MARKET, parse("100"), 25n, null)).toMatchObject({ byBudget: true, budget: "25" });
  });
});

describe("faults stand at their fields", () => {
  test.each([
    [{ price: "", quantity: "1" }, ["price"]],
    [{ price: "1.001", quantity: "1" }, ["price"]],
    [{ price: "1", quantity: "0" }, ["quantity"]],
    [{ price: "1", quantity: "one" }, ["quantity"]],
    [{ price: "1", quantity: "0.0000001" }, ["quantity"]],
    [{ price: "50000", quantity: "100" }, ["quantity"]],
    [{ orderType: "stop_limit", price: "1", quantity: "1" }, ["stopPrice"]],
    [{ orderType: "market", byBudget: true, budget: "1000001" }, ["quoteQuantity"]],
    [{ side: "sell", price: "1", quantity: "1000001" }, ["quantity"]],
    [{ price: "50000.01", quantity: "0.5" }, []],
    [{ orderType: "market", quantity: "1" }, []],
  ] as [Partial<Draft>, string[]][])("%j", (part, fields) => {
    expect(Object.keys(faultsOf(draft(part), MARKET, RICH))).toEqual(fields);
  });
});

test("only what an order type has is sent", () => {
  const typed = { price: "1", stopPrice: "2", quantity: "3", budget: "4", byBudget: true };
  expect(bodyOf(draft({ ...typed, byBudget: false }), MARKET, "a")).toEqual({
    symbol: "BTC-USD", type: "buy", orderType: "limit", price: "1", timeInForce: "gtc", quantity: "3", clientOrderId: "a",
  });
  expect(bodyOf(draft({ ...typed, orderType: "market" }), MARKET, "a")).toEqual({
    symbol: "BTC-USD", type: "buy", orderType: "market", quoteQuantity: "4", clientOrderId: "a",
  });
  expect(bodyOf(draft({ ...typed, side: "sell", orderType: "stop" }), MARKET, "a")).toMatchObject({ stopPrice: "2", quantity: "3" });
  expect(bodyOf(draft({ ...typed, postOnly: true, timeInForce: "ioc" }), MARKET, "a")).not.toHaveProperty("postOnly");
});

test("a share without a price takes the one at which somebody sells now", () => {
  const found = withShare(draft({}), MARKET, parse("1000"), 50n, "40000.00");
  expect([found.price, found.quantity]).toEqual(["40000.00", "0.0125"]);
  expect(withShare(draft({ price: "50000" }), MARKET, parse("1000"), 50n, "40000.00").price).toBe("50000");
  expect(withShare(draft({}), MARKET, parse("1000"), 50n, null)).toEqual(draft({}));
});
