// Candles for the chart: read by REST as far back as somebody looks, and followed by the stream.

import type { CandlestickData, HistogramData, UTCTimestamp } from "lightweight-charts";
import { get } from "../api/http";
import type { Candle } from "../api/types";

export const INTERVALS = ["1s", "1m", "5m", "15m", "1h", "4h", "1d"] as const;
export type Interval = (typeof INTERVALS)[number];

const SECONDS: Record<Interval, number> = { "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400 };
const READ_AT_ONCE = 500;

/** Candles before `to` (the newest without it), oldest first. */
export async function readCandles(symbol: string, interval: Interval, to?: number): Promise<Candle[]> {
  const until = to ?? Math.ceil(Date.now() / 1000);
  const query = {
    interval,
    from: iso(until - SECONDS[interval] * READ_AT_ONCE),
    to: to === undefined ? undefined : iso(to),
    limit: READ_AT_ONCE,
  };
  const found = await get<{ data: Candle[] }>(`/api/markets/${symbol}/candles`, query, { anonymous: true });
  return found.data.sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

export const timeOf = (candle: Candle): UTCTimestamp => (Date.parse(candle.start) / 1000) as UTCTimestamp;

/** For the chart only, which draws numbers; nothing is computed with them. */
export function bar(candle: Candle): CandlestickData<UTCTimestamp> {
  const [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(Number);
  return { time: timeOf(candle), open: open!, high: high!, low: low!, close: close! };
}

export function volume(candle: Candle, colours: { up: string; down: string }): HistogramData<UTCTimestamp> {
  const rose = Number(candle.close) >= Number(candle.open);
  return { time: timeOf(candle), value: Number(candle.volume), color: rose ? colours.up : colours.down };
}
