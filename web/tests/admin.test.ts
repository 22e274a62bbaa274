import { describe, expect, test } from "vitest";
import { details } from "../src/admin/details";
import { samples, vitals } from "../src/admin/metrics";
import { related, windowsOf } from "../src/admin/path";
import type { CloudEvent, Order, Trade } from "../src/api/types";

test("metrics become the vitals of the six services", () => {
  const text = [
    "# HELP borsa_lag_events Events",
    'borsa_log_sequence{service="orders"} 120.0',
    'borsa_inbox_items{service="orders"} 3.0',
    'borsa_lag_events{service="orders",source="trades"} 7.0',
    'borsa_commit_seconds_count{service="orders"} 4.0',
    'borsa_commit_seconds_sum{service="orders"} 0.02',
  ].join("\n");
  const found = vitals(samples(text));
  expect(found).toHaveLength(6);
  expect(found[1]).toEqual({ name: "orders", events: 120, waiting: 3, lag: [["trades", 7]], commit: 5, setAside: 0 });
  expect(found[0]!.commit).toBeNull();
});

describe("the path of an order", () => {
  const order = { orderId: "7", userId: "ada" } as Order;
  const event = (id: string, causationid: string | null, data: Record<string, unknown>) => ({ id, causationid, data }) as unknown as CloudEvent;

  test("has what names it, and what follows from that for its user", () => {
    const events = [
      event("orders/1", null, { orderId: "7" }),
      event("orders/2", null, { orderId: "8" }),
      event("trades/1", "orders/1", { tradeId: "90", buyOrderId: "7", sellOrderId: "8" }),
      event("wallets/2", "wallets/1", { userId: "ada" }),
      event("wallets/1", "trades/1", { userId: "ada" }),
      event("wallets/3", "trades/1", { userId: "bob" }),
    ];
    const found = related(order, [{ tradeId: "90" } as Trade], events).map((each) => each.id);
    expect(found.sort()).toEqual(["orders/1", "trades/1", "wallets/1", "wallets/2"]);
  });

  test("moments that are near each other are read once", () => {
    const windows = windowsOf(["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:01:00Z"]);
    expect(windows.map(([from, to]) => to - from)).toEqual([4000, 3000]);
  });
});

test("details are names and values: changes with an arrow, records in brackets, nothing of what is empty", () => {
  expect(details({ makerFee: { before: "0.001", after: "0" }, reason: null, tags: [] })).toBe("makerFee 0.001 → 0");
  expect(details({ balance: { USD: "5", BTC: "1" }, changes: [{ asset: "USD", delta: "-1" }, { asset: "BTC", delta: "1" }], tradeId: "7" }, (name) => name === "tradeId"))
    .toBe("balance (USD 5, BTC 1), changes (asset USD, delta -1); (asset BTC, delta 1)");
});
