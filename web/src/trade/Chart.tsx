// The candle chart with volume.

import { CandlestickSeries, HistogramSeries, createChart, type IChartApi, type ISeriesApi } from "lightweight-charts";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Candle, Market } from "../api/types";
import { placesOf } from "../money/decimal";
import { fixedText, short } from "../money/format";
import { Segments } from "../parts/Tabs";
import { theme } from "../parts/theme";
import { listen } from "../streams/hub";
import type { CandlesMessage } from "../streams/messages";
import { INTERVALS, bar, readCandles, timeOf, volume, type Interval } from "./candles";
import { colour, look, priceFormat } from "./chartLook";

export function Chart({ market }: { market: Market }) {
  const [interval, setInterval] = useState<Interval>(remembered());
  const [said, setSaid] = useState("Loading candles");
  const canvas = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const drawn = new DrawnChart(canvas.current!, legend.current!, market, interval, setSaid);
    const stop = theme.subscribe(() => drawn.recolour());
    return () => {
      stop();
      drawn.stop();
    };
  }, [market.symbol, interval]);
  const choose = (value: Interval) => {
    localStorage.setItem("borsa.interval", value);
    setInterval(value);
  };
  return (
    <section class="panel chart" aria-label={`Candles of ${market.symbol}`}>
      <header>
        <Segments label="Interval" value={interval} options={INTERVALS.map((each) => [each, each] as const)} choose={choose} />
        <p class="legend cut" ref={legend} />
      </header>
      <div class="chart-body">
        <div class="canvas" ref={canvas} role="figure" aria-label={`Price and volume of ${market.symbol}, ${interval}`} />
        {said && (
          <p class="empty" role="status">
            {said}
          </p>
        )}
      </div>
    </section>
  );
}

function remembered(): Interval {
  const kept = localStorage.getItem("borsa.interval") as Interval | null;
  return kept && INTERVALS.includes(kept) ? kept : "1m";
}

class DrawnChart {
  private readonly chart: IChartApi;
  private readonly prices: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly unlisten: () => void;
  private candles = new Map<number, Candle>();
  private reading = false;
  private complete = false;
  private stopped = false;

  constructor(
    canvas: HTMLElement,
    private readonly legend: HTMLElement,
    private readonly market: Market,
    private readonly interval: Interval,
    private readonly say: (text: string) => void,
  ) {
    const places = placesOf(market.tickSize);
    this.chart = createChart(canvas, look());
    this.prices = this.chart.addSeries(CandlestickSeries, {
      priceFormat: priceFormat(places),
    });
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceFormat: { type: "volume" },
      priceScaleId: "volume",
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.chart.timeScale().applyOptions({ secondsVisible: interval === "1s" });
    this.prices.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.24 } });
    this.chart.subscribeCrosshairMove((at) => this.describe(at.time as number | undefined));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < 20 && this.candles.size) void this.readOlder();
    });
    this.recolour();
    this.unlisten = listen(`candles:${market.symbol}:${interval}`, (message) => {
      // whatever was missed while nobody listened is read again
      if (message.type === "snapshot") void this.read();
      if (message.type === "snapshot" || message.type === "change") {
        for (const candle of (message as unknown as CandlesMessage).candles) this.update(candle);
      }
    });
    void this.read();
  }

  stop(): void {
    this.stopped = true;
    this.unlisten();
    this.chart.remove();
  }

  recolour(): void {
    this.chart.applyOptions(look());
    this.chart.timeScale().applyOptions({ secondsVisible: this.interval === "1s" });
    const [up, down] = [colour("buy"), colour("sell")];
    this.prices.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    if (this.candles.size) this.redraw();
  }

  private async read(): Promise<void> {
    try {
      this.take(await readCandles(this.market.symbol, this.interval));
      this.say(this.candles.size ? "" : "No trades in this time yet");
    } catch {
      if (!this.stopped && !this.candles.size) this.say("The candles can't be read now");
    }
  }

  private async readOlder(): Promise<void> {
    if (this.reading || this.complete) return;
    this.reading = true;
    try {
      const before = this.candles.size;
      this.take(await readCandles(this.market.symbol, this.interval, Math.min(...this.candles.keys())));
      this.complete = this.candles.size === before;
    } catch {
      this.complete = true;
    } finally {
      this.reading = false;
    }
  }

  private take(found: Candle[]): void {
    if (this.stopped || !found.length) return;
    for (const candle of found) this.candles.set(timeOf(candle), candle);
    this.redraw();
  }

  private redraw(): void {
    const sorted = [...this.candles.entries()].sort(([one], [other]) => one - other).map(([, candle]) => candle);
    const colours = this.volumeColours();
    this.prices.setData(sorted.map(bar));
    this.volumes.setData(sorted.map((candle) => volume(candle, colours)));
    this.describe();
  }

  private update(candle: Candle): void {
    const time = timeOf(candle);
    const newest = Math.max(...this.candles.keys());
    this.candles.set(time, candle);
    this.say("");
    if (time < newest) return this.redraw();
    this.prices.update(bar(candle));
    this.volumes.update(volume(candle, this.volumeColours()));
    this.describe();
  }

  private volumeColours(): { up: string; down: string } {
    return { up: colour("buy-volume"), down: colour("sell-volume") };
  }

  /** The figures of the candle under the pointer, or of the newest. */
  private describe(time?: number): void {
    const candle = this.candles.get(time ?? Math.max(...this.candles.keys()));
    if (!candle) return;
    const places = placesOf(this.market.tickSize);
    const figures = [["O", candle.open], ["H", candle.high], ["L", candle.low], ["C", candle.close]] as const;
    const prices = figures.map(([name, text]) => `${name} ${fixedText(text, places)}`);
    this.legend.textContent = [...prices, `Vol ${short(candle.volume)} ${this.market.base}`].join("  ");
  }
}
