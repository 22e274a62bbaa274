import { describe, expect, test } from "vitest";
import { NotExact, compare, fee, floorTo, parse, parseSigned, placesOf, times, typed, write } from "../src/money/decimal";
import { amount, fitted, fixed, grouped, percent, rate, short, signed } from "../src/money/format";

describe("decimals", () => {
  test.each([
    ["0", 0n],
    ["1", 100_000_000n],
    ["0.00000001", 1n],
    ["0.1", 10_000_000n],
    ["92233720368.54775807", 2n ** 63n - 1n],
    ["1.500000000000000000", 150_000_000n],
  ])("%s is read exactly", (text, units) => expect(parse(text)).toBe(units));

  test.each(["", "-1", "+1", "1e3", "01", ".5", "1.", "1,000", "0.000000001", "92233720368.54775808", "١", "1 "])(
    "%j is no number",
    (text) => expect(() => parse(text)).toThrow(NotExact),
  );

  test("what is written is read again", () => {
    for (const units of [0n, 1n, 99_999_999n, 100_000_000n, 123_456_789_012_345_678n]) {
      expect(parse(write(units))).toBe(units);
      expect(parse(write(units, 2))).toBe(units);
    }
  });

  test("a number that floats can't hold keeps all its digits", () => {
    expect(write(times(parse("90071992.54740993"), parse("1")))).toBe("90071992.54740993");
    expect(write(parse("0.1") + parse("0.2"))).toBe("0.3");
  });

  test("signs", () => {
    expect(parseSigned("-0.5")).toBe(-50_000_000n);
    expect(parseSigned("+0.5")).toBe(50_000_000n);
    expect(write(-50_000_000n, 2)).toBe("-0.50");
    expect(compare("-1", "0.5")).toBe(-1);
    expect(compare("10", "9")).toBe(1);
    expect(compare("1.0", "1")).toBe(0);
  });

  test("a fee is rounded up, and none is none", () => {
    expect(fee(parse("100"), "0.001")).toBe(parse("0.1"));
    expect(fee(1n, "0.001")).toBe(1n);
    expect(fee(1n, "0")).toBe(0n);
  });

  test("steps", () => {
    expect(floorTo(parse("0.12345"), parse("0.001"))).toBe(parse("0.123"));
    expect(placesOf("0.00001")).toBe(5);
    expect(placesOf("1")).toBe(0);
    expect(typed(" 2.5 ")).toBe(parse("2.5"));
    expect(typed("2.")).toBeNull();
  });
});

describe("what people see", () => {
  test("thousands stand apart, and the minus is one", () => {
    expect(grouped("1234567.5")).toBe("1,234,567.5");
    expect(grouped("999")).toBe("999");
    expect(grouped("-1000")).toBe("\u22121,000");
  });

  test("fixed places cut, and nothing is minus zero", () => {
    expect(fixed(parse("1234.999"), 2)).toBe("1,234.99");
    expect(fixed(parse("1234"), 0)).toBe("1,234");
    expect(fixed(parse("0.5"), 8)).toBe("0.50000000");
    expect(fixed(-1n, 2)).toBe("0.00");
  });

  test("amounts, fees, percents, volumes", () => {
    expect(amount("USD", "1234.5")).toBe("1,234.50");
    expect(amount("BTC", "0.50000001")).toBe("0.50000001");
    expect(signed("USD", "5")).toBe("+5.00");
    expect(signed("USD", "-5")).toBe("\u22125.00");
    expect(percent(parse("0.0123"))).toBe("+1.23 %");
    expect(rate("0.001")).toBe("0.1 %");
    expect(short("1234567.891")).toBe("1.23M");
    expect(short("0.5")).toBe("0.5000");
    expect(short("92233720368.5")).toBe("92.23B");
    expect(short("0")).toBe("0");
    expect([fitted(parse("12.5"), 6), fitted(parse("123456.5"), 6), fitted(parse("12345678901"), 0)]).toEqual(["12.500000", "123.45k", "12.34B"]);
  });
});
