// Bars of one symbol and span as the chart wants them. One-second bars are folded into the running minute until the
// venue's own minute bar arrives.

import { millis } from "./format.js";

const LIMIT = 3_000;

export const SPAN_SECONDS = { "1s": 1, "1m": 60 };

const secondsOf = (instant) => Math.floor(millis(instant) / 1_000);

/** Bars by start, seconds UTC. */
export class BarSeries {
  constructor(span) {
    this.seconds = SPAN_SECONDS[span];
    this.bars = new Map();
    this.parts = new Map();
    this.newest = -Infinity;
  }

  /** Takes a row of /v1/bars or of a `bar` frame; the bar it became, or null when it changes nothing here. */
  take(row) {
    const start = secondsOf(row.start);
    const length = Math.round((millis(row.end) - millis(row.start)) / 1_000);
    if (!Number.isFinite(start) || !Number.isFinite(length)) return null;
    if (length === this.seconds) return this.#keep(barOf(row, start));
    if (length > this.seconds || this.seconds % Math.max(1, length) !== 0) return null;
    return this.#fold(barOf(row, start));
  }

  #keep(bar) {
    this.bars.set(bar.time, { ...bar, whole: true });
    return this.#grown(bar);
  }

  #fold(part) {
    const time = part.time - (part.time % this.seconds);
    if (time < this.newest || this.bars.get(time)?.whole) return null;
    if (this.partsTime !== time) {
      this.partsTime = time;
      this.parts.clear();
    }
    this.parts.set(part.time, part);
    const parts = [...this.parts.values()].sort((a, b) => a.time - b.time);
    const bar = {
      time,
      open: parts[0].open,
      high: Math.max(...parts.map((p) => p.high)),
      low: Math.min(...parts.map((p) => p.low)),
      close: parts.at(-1).close,
      volume: parts.reduce((sum, p) => sum + p.volume, 0),
    };
    this.bars.set(time, bar);
    return this.#grown(bar);
  }

  #grown(bar) {
    this.newest = Math.max(this.newest, bar.time);
    if (this.bars.size > LIMIT) this.bars.delete(this.bars.keys().next().value);
    return bar;
  }

  get size() {
    return this.bars.size;
  }

  /** Oldest first. */
  all() {
    return [...this.bars.values()].sort((a, b) => a.time - b.time);
  }
}

function barOf(row, time) {
  return { time, open: row.open, high: row.high, low: row.low, close: row.close, volume: row.volume ?? 0 };
}
