// How numbers are shown: thousands apart, a fixed number of places where figures stand in columns. Texts in, texts out.

import { SCALE, parseSigned, write } from "./decimal";

const DOLLARS = new Set(["USD", "EUR", "USDT"]);
const MINUS = "\u2212";

/** A decimal text with its thousands apart: "1234567.5" is "1,234,567.5". */
export function grouped(text: string): string {
  const sign = text.startsWith("-") ? MINUS : "";
  const [whole = "0", fraction] = text.replace(/^[+-]/, "").split(".");
  const apart = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return sign + (fraction === undefined ? apart : `${apart}.${fraction}`);
}

/** Units with exactly so many places; what is beyond is cut off. */
export function fixed(units: bigint, places: number): string {
  const negative = units < 0n;
  const text = write(negative ? -units : units, SCALE);
  const point = text.length - SCALE;
  const cut = places === 0 ? text.slice(0, point - 1) : text.slice(0, point + places);
  const zero = /^[0.]*$/.test(cut);
  return grouped(negative && !zero ? "-" + cut : cut);
}

/** A text of the wire with exactly so many places. */
export function fixedText(text: string, places: number): string {
  return fixed(parseSigned(text), places);
}

/** An amount of an asset as people read it: cents of dollars, all that counts of others. */
export function amount(asset: string, text: string | bigint): string {
  const units = typeof text === "bigint" ? text : parseSigned(text);
  return DOLLARS.has(asset) ? fixed(units, 2) : grouped(write(units));
}

/** As amount, with a sign in front of what is not zero. */
export function signed(asset: string, text: string | bigint): string {
  const units = typeof text === "bigint" ? text : parseSigned(text);
  const shown = amount(asset, units);
  return units > 0n ? `+${shown}` : shown;
}

/** A fraction such as "0.0123" in percent, with two places and its sign. */
export function percent(units: bigint): string {
  const shown = fixed(units * 100n, 2);
  return (units > 0n ? `+${shown}` : shown) + " %";
}

/** A fee rate such as "0.001" as people read it: "0.1 %". */
export function rate(text: string): string {
  return write(parseSigned(text) * 100n) + " %";
}

const FITTING = 11;

/** As fixed, where a narrow column has room for it; what is longer as short says it. */
export function fitted(units: bigint, places: number): string {
  const whole = fixed(units, places);
  return whole.length <= FITTING ? whole : short(write(units));
}

/** A large amount in few characters: 1.2M, 34.5k. For volumes, where the first figures count. */
export function short(text: string): string {
  const units = parseSigned(text);
  const whole = (units < 0n ? -units : units) / 10n ** BigInt(SCALE);
  for (const [size, letter] of [[1_000_000_000n, "B"], [1_000_000n, "M"], [10_000n, "k"]] as const) {
    if (whole >= size) return fixed(units / (letter === "k" ? 1000n : size), 2) + letter;
  }
  return units === 0n ? "0" : fixed(units, whole >= 100n ? 2 : 4);
}
