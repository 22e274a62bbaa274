// The curve of what all wallets are worth, and of what was gained.

import { AreaSeries, createChart, type UTCTimestamp } from "lightweight-charts";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Wallet } from "../api/types";
import { write } from "../money/decimal";
import { signed } from "../money/format";
import { Segments } from "../parts/Tabs";
import { theme } from "../parts/theme";
import { colour, look, priceFormat } from "../trade/chartLook";
import type { Point } from "./curve";
import { SPANS, readCurve, type Span } from "./reading";

type Shows = "value" | "gain";
/** However often something changes, the curve is read anew no sooner than this after the last time. */
const READ_MILLISECONDS = 5000;
const SHOWS = [["value", "Worth"], ["gain", "P&L"]] as const;

export function CurveChart({ wallets }: { wallets: readonly Wallet[] }) {
  const [span, setSpan] = useState<Span>("1d");
  const [shows, setShows] = useState<Shows>("value");
  const [points, setPoints] = useState<Point[]>([]);
  const [said, setSaid] = useState("Loading");
  const versions = wallets.map((wallet) => `${wallet.walletId} ${wallet.version}`).join();
  const wanted = useRef<Span>(span);
  const readAt = useRef(0);
  wanted.current = span;
  useEffect(() => {
    const read = () => {
      readAt.current = Date.now();
      readCurve(wallets, span)
        .then((found) => {
          if (wanted.current !== span) return;
          setPoints(found.points);
          setSaid(found.points.some((point) => point.value > 0n) ? "" : "Nothing to show yet");
        })
        .catch(() => wanted.current === span && setSaid("The curve can't be computed now"));
    };
    const timer = setTimeout(read, Math.max(0, readAt.current + READ_MILLISECONDS - Date.now()));
    return () => clearTimeout(timer);
  }, [versions, span]);
  const choose = (next: Span) => {
    readAt.current = 0;
    setSpan(next);
  };
  const last = points.at(-1);
  return (
    <>
      <div class="row curve-head">
        <Segments<Shows> label="Curve" value={shows} options={SHOWS} choose={setShows} />
        {last && !said && (
          <span class="muted" title="Without what came in or went out: play money, adjustments">
            P&amp;L in this time <Gain units={last.gain} />
          </span>
        )}
        <div class="end">
          <Segments<Span> label="Time" value={span} options={(Object.keys(SPANS) as Span[]).map((each) => [each, each] as const)} choose={choose} />
        </div>
      </div>
      <div class="chart-body">
        <Drawn points={points} shows={shows} />
        {said && <p class="empty" role="status">{said}</p>}
      </div>
    </>
  );
}

export function Gain({ units }: { units: bigint | null }) {
  if (units === null) return <>–</>;
  return <span class={units > 0n ? "buy" : units < 0n ? "sell" : undefined}>{signed("USD", units)}</span>;
}

function Drawn({ points, shows }: { points: readonly Point[]; shows: Shows }) {
  const canvas = useRef<HTMLDivElement>(null);
  const shown = theme.value;
  useEffect(() => {
    // a curve is looked at, not moved: the page scrolls
    const chart = createChart(canvas.current!, { ...look(), handleScroll: false, handleScale: false });
    const line = colour("accent-text");
    const series = chart.addSeries(AreaSeries, { lineColor: line, lineWidth: 2, topColor: `${line}40`, bottomColor: `${line}00`, priceFormat: priceFormat(2) });
    series.setData(points.map((point) => ({ time: Math.floor(point.time / 1000) as UTCTimestamp, value: Number(write(point[shows])) })));
    chart.timeScale().fitContent();
    return () => chart.remove();
  }, [points, shows, shown]);
  return <div class="canvas" ref={canvas} role="figure" aria-label={shows === "value" ? "What your wallets were worth over time" : "What you gained over time"} />;
}
