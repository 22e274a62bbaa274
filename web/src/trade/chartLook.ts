// How charts look: the page's colours, the local time, no decoration.

import { ColorType, CrosshairMode, TickMarkType, type ChartOptions, type DeepPartial, type PriceFormatCustom, type Time } from "lightweight-charts";
import { grouped } from "../money/format";

const two = (number: number): string => String(number).padStart(2, "0");

/** The value of one of the page's colours. */
export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export function look(): DeepPartial<ChartOptions> {
  return {
    autoSize: true,
    // a finger that goes up or down scrolls the page
    handleScroll: { vertTouchDrag: false },
    layout: {
      background: { type: ColorType.Solid, color: colour("panel") },
      textColor: colour("text-2"),
      fontFamily: colour("font"),
      fontSize: 11,
      attributionLogo: true,
    },
    grid: { vertLines: { color: colour("line") }, horzLines: { color: colour("line") } },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { borderColor: colour("line") },
    timeScale: {
      borderColor: colour("line"),
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 4,
      tickMarkFormatter: (time: Time, kind: TickMarkType) => mark(time as number, kind),
    },
    localization: { timeFormatter: (time: Time) => whole(time as number) },
  };
}

function mark(seconds: number, kind: TickMarkType): string {
  const at = new Date(seconds * 1000);
  if (kind === TickMarkType.Year) return String(at.getFullYear());
  if (kind === TickMarkType.Month) return `${at.getFullYear()}-${two(at.getMonth() + 1)}`;
  if (kind === TickMarkType.DayOfMonth) return `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return kind === TickMarkType.TimeWithSeconds ? `${time}:${two(at.getSeconds())}` : time;
}

function whole(seconds: number): string {
  const at = new Date(seconds * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${mark(seconds, TickMarkType.Time)}`;
}

/** Prices at the scale's side as everywhere: thousands apart, so many places. The numbers are the chart's own. */
export function priceFormat(places: number): PriceFormatCustom {
  return { type: "custom", formatter: (price: number) => grouped(price.toFixed(places)), minMove: 1 / 10 ** places };
}
