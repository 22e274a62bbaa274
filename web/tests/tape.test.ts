import { expect, test } from "vitest";
import type { PublicTrade } from "../src/api/types";
import { merged } from "../src/trade/merging";

const trade = (tradeId: string, status: PublicTrade["status"] = "executed"): PublicTrade => ({
  tradeId, status, quantity: "1", price: "1", takerSide: "buy", executedAt: "2026-01-01T00:00:00Z",
});
const ids = (trades: PublicTrade[]) => trades.map((each) => `${each.tradeId} ${each.status}`);

test("new trades come first, the newest of them before the others", () => {
  expect(ids(merged([trade("1")], [trade("2"), trade("3")]))).toEqual(["3 executed", "2 executed", "1 executed"]);
});

test("a trade that is known keeps its place and has its new status", () => {
  const found = merged([trade("2"), trade("1")], [trade("1", "busted"), trade("3")]);
  expect(ids(found)).toEqual(["3 executed", "2 executed", "1 busted"]);
});

test("no more than fifty are kept", () => {
  const known = Array.from({ length: 50 }, (_, at) => trade(String(100 - at)));
  expect(merged(known, [trade("101")])).toHaveLength(50);
});
