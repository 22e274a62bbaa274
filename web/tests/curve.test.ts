import { expect, test } from "vitest";
import type { Candle, Entry, Wallet } from "../src/api/types";
import { parse, parseSigned } from "../src/money/decimal";
import { balancesAt, curve, pricesAt, together } from "../src/portfolio/curve";

const at = (minute: number) => Date.UTC(2026, 0, 1, 0, minute);
const iso = (minute: number) => new Date(at(minute)).toISOString();
const wallet = (balance: Record<string, string>): Wallet => ({ walletId: "w", userId: "u", name: "n", balance, available: balance, held: {}, version: 1 });
const entry = (minute: number, ...lines: [string, string][]): Entry => ({
  entryId: String(minute), time: iso(minute), kind: "trade", reference: "", reason: null,
  lines: lines.map(([asset, amount]) => ({ asset, bucket: "available", amount })),
});
const candle = (minute: number, close: string): Candle => ({ start: iso(minute), open: close, high: close, low: close, close, volume: "0", quoteVolume: "0", trades: 0 });

test("balances are walked backwards through the entries", () => {
  const entries = [entry(5, ["USD", "1000.00"]), entry(15, ["USD", "-500.00"], ["BTC", "0.01"])];
  const found = balancesAt(together([wallet({ USD: "500.00", BTC: "0.01" })]), entries, [at(0), at(10), at(20)]);
  expect(found.map((each) => [each.get("USD"), each.get("BTC")])).toEqual([
    [0n, 0n],
    [parse("1000"), 0n],
    [parse("500"), parse("0.01")],
  ]);
});

test("what moves between available and held changes nothing", () => {
  const held: Entry = { ...entry(5), lines: [{ asset: "USD", bucket: "available", amount: "-10" }, { asset: "USD", bucket: "held", amount: "10" }] };
  expect(balancesAt(together([wallet({ USD: "10" })]), [held], [at(0)])[0]!.get("USD")).toBe(parse("10"));
});

test("a price is the last close, and there is none before the first", () => {
  expect(pricesAt([candle(10, "60000"), candle(5, "50000")], [at(0), at(7), at(12)])).toEqual([null, parse("50000"), parse("60000")]);
});

test("the curve adds dollars and what the rest is worth", () => {
  const entries = [entry(15, ["USD", "-500.00"], ["BTC", "0.01"])];
  const points = curve(together([wallet({ USD: "500.00", BTC: "0.01" })]), entries, new Map([["BTC", [candle(5, "50000"), candle(18, "60000")]]]), new Map(), [at(10), at(16), at(20)]);
  expect(points.map((point) => point.value)).toEqual([parse("1000"), parse("1000"), parse("1100")]);
});

test("several wallets are one", () => {
  expect(together([wallet({ USD: "1.5", BTC: "1" }), wallet({ USD: "2" })])).toEqual(new Map([["USD", parse("3.5")], ["BTC", parse("1")]]));
});

test("what came in is no gain, and what went out is no loss; what it brought since is", () => {
  const entries = [
    { ...entry(12, ["BTC", "0.02"]), kind: "faucet" },
    entry(15, ["USD", "-500.00"], ["BTC", "0.01"]),
    { ...entry(17, ["USD", "-300.00"]), kind: "adjustment" },
  ];
  const candles = new Map([["BTC", [candle(5, "50000"), candle(18, "60000")]]]);
  const points = curve(together([wallet({ USD: "200.00", BTC: "0.03" })]), entries, candles, candles, [at(10), at(14), at(16), at(17), at(20)]);
  expect(points.map((point) => point.value)).toEqual(["1000", "2000", "2000", "1700", "2000"].map(parse));
  expect(points.map((point) => point.gain)).toEqual([0n, 0n, 0n, 0n, parse("300")]);
});

test("what came in counts at the price of its own time, not at the close of a candle that was still open", () => {
  const entries = [{ ...entry(12, ["BTC", "1"]), kind: "adjustment" }];
  const coarse = new Map([["BTC", [candle(10, "40000")]]]);
  const fine = new Map([["BTC", [candle(11, "50000")]]]);
  expect(curve(together([wallet({ BTC: "1" })]), entries, coarse, fine, [at(5), at(20)]).at(-1)!.gain).toBe(-parse("10000"));
});

test("what came in before anything was traded counts what it was first traded at", () => {
  const entries = [{ ...entry(2, ["BTC", "1"]), kind: "faucet" }];
  const candles = new Map([["BTC", [{ ...candle(5, "49000"), open: "50000" }]]]);
  for (const fine of [candles, new Map([["BTC", [candle(15, "40000")]]]), new Map()]) {
    const points = curve(together([wallet({ BTC: "1" })]), entries, candles, fine, [at(0), at(3), at(10)]);
    expect(points.map((point) => point.value)).toEqual(["0", "50000", "49000"].map(parse));
    expect(points.map((point) => point.gain)).toEqual(["0", "0", "-1000"].map((text) => parseSigned(text)));
  }
});
