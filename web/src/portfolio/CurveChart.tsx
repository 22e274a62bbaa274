// The curve of what one's default wallet is worth.

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

export function CurveChart({ wallet }: { wallet: Wallet }) {
  const [span, setSpan] = useState<Span>("1d");
  const [points, setPoints] = useState<Point[]>([]);
  const [said, setSaid] = useState("Loading");
  useEffect(() => {
    let wanted = true;
    readCurve(wallet, span)
      .then((found) => {
        if (!wanted) return;
        setPoints(found.points);
        setSaid(found.points.some((point) => point.value > 0n) ? "" : "Nothing to show yet");
      })
      .catch(() => wanted && setSaid("The curve can't be computed now"));
    return () => void (wanted = false);
  }, [wallet.walletId, wallet.version, span]);
  const [first, last] = [points[0], points.at(-1)];
  return (
    <section class="panel curve">
      <header>
        <h2>Worth</h2>
        {first && last && !said && <span class="muted">{signed("USD", last.value - first.value)} USD in this time, deposits included</span>}
        <div class="end">
          <Segments<Span> label="Time" value={span} options={(Object.keys(SPANS) as Span[]).map((each) => [each, each] as const)} choose={setSpan} />
        </div>
      </header>
      <div class="chart-body">
        <Drawn points={points} />
        {said && <p class="empty" role="status">{said}</p>}
      </div>
    </section>
  );
}

function Drawn({ points }: { points: Point[] }) {
  const canvas = useRef<HTMLDivElement>(null);
  const shown = theme.value;
  useEffect(() => {
    const chart = createChart(canvas.current!, look());
    const line = colour("accent-text");
    const series = chart.addSeries(AreaSeries, { lineColor: line, lineWidth: 2, topColor: `${line}40`, bottomColor: `${line}00`, priceFormat: priceFormat(2) });
    series.setData(points.map((point) => ({ time: Math.floor(point.time / 1000) as UTCTimestamp, value: Number(write(point.value)) })));
    chart.timeScale().fitContent();
    return () => chart.remove();
  }, [points, shown]);
  return <div class="canvas" ref={canvas} role="figure" aria-label="What the default wallet was worth over time" />;
}
