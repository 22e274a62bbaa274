// Amounts, prices and quantities as whole numbers of 10⁻⁸: read from the wire's decimal texts, written back, never a
// float between. The same grammar and the same rounding as the exchange has (src/borsa/money.py).

export const SCALE = 8;
export const ONE = 10n ** BigInt(SCALE);
const RATE_SCALE = 6;
const RATE_ONE = 10n ** BigInt(RATE_SCALE);
const UNITS_MAX = 2n ** 63n - 1n;
const NUMBER = /^(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,18}))?$/;

/** What a text is that can't be a number here. */
export class NotExact extends Error {}

/** The units of 10⁻⁸ in a decimal text; NotExact when it is none, or has more places. */
export function parse(text: string): bigint {
  const found = NUMBER.exec(text);
  if (!found) throw new NotExact("must be a plain number such as 10 or 0.25");
  const fraction = (found[2] ?? "").replace(/0+$/, "");
  if (fraction.length > SCALE) throw new NotExact(`has more than ${SCALE} decimal places`);
  const units = BigInt(found[1] + fraction.padEnd(SCALE, "0"));
  if (units > UNITS_MAX) throw new NotExact("is too large");
  return units;
}

/** As parse, with an optional sign in front. */
export function parseSigned(text: string): bigint {
  const units = parse(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -units : units;
}

/** The units of what somebody typed, or null while it is no number yet. */
export function typed(text: string): bigint | null {
  try {
    return parse(text.trim());
  } catch {
    return null;
  }
}

/** The decimal text of units, without zeros at the end beyond `places`. */
export function write(units: bigint, places = 0): string {
  if (units < 0n) return "-" + write(-units, places);
  const text = units.toString().padStart(SCALE + 1, "0");
  const fraction = text.slice(-SCALE).replace(/0+$/, "").padEnd(places, "0");
  const whole = text.slice(0, -SCALE);
  return fraction ? `${whole}.${fraction}` : whole;
}

/** Price × quantity, cut to whole units: exact on a market's grid. */
export function times(price: bigint, quantity: bigint): bigint {
  return (price * quantity) / ONE;
}

/** The fee on an amount at a rate such as "0.001": rounded up, as the exchange rounds. */
export function fee(amount: bigint, rate: string): bigint {
  const millionths = parse(rate) / (ONE / RATE_ONE);
  return ceilDivide(amount * millionths, RATE_ONE);
}

/** The most of a step that fits into an amount. */
export function floorTo(units: bigint, step: bigint): bigint {
  return step > 0n ? (units / step) * step : units;
}

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** How many decimals a step such as "0.01" has. */
export function placesOf(step: string): number {
  return (step.split(".")[1] ?? "").replace(/0+$/, "").length;
}

/** Of two decimal texts of the wire: negative when the first is less. */
export function compare(one: string, other: string): number {
  const difference = parseSigned(one) - parseSigned(other);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
