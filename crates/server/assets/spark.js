// Spark lines: a short price history per symbol, sampled on our clock, drawn on a small canvas.

const SAMPLES = 90;
const SAMPLE_MS = 1_000;
/** As in panels.css; reading it from the element would force a layout per row. */
const SPARK_PX = { width: 72, height: 24 };

/** Price histories by symbol. `version` grows with each sample, so that a canvas knows when it is out of date. */
export class Histories {
  constructor() {
    this.bySymbol = new Map();
    this.sampledAt = 0;
    this.version = 0;
  }

  get(symbol) {
    return this.bySymbol.get(symbol);
  }

  /** One sample of every symbol, at most once a second. */
  sample(symbols, now) {
    if (now - this.sampledAt < SAMPLE_MS) return;
    this.sampledAt = now;
    this.version += 1;
    for (const row of symbols.values()) {
      if (typeof row.last !== "number") continue;
      const prices = this.#prices(row.symbol);
      prices.push(row.last);
      if (prices.length > SAMPLES) prices.shift();
    }
  }

  /** Puts closes of past bars before what was sampled. */
  seed(symbol, closes) {
    const prices = this.#prices(symbol);
    prices.unshift(...closes.slice(-(SAMPLES - prices.length)));
    this.version += 1;
  }

  #prices(symbol) {
    let prices = this.bySymbol.get(symbol);
    if (!prices) {
      prices = [];
      this.bySymbol.set(symbol, prices);
    }
    return prices;
  }
}

/** Draws `prices` in `colour`, with the day's open as a hairline when it is in range. */
export function drawSpark(canvas, prices, colours, way, open) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [SPARK_PX.width, SPARK_PX.height];
  if (canvas.width !== Math.round(width * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  if (!prices || prices.length < 2) return;
  let low = Infinity;
  let high = -Infinity;
  for (const value of prices) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const margin = Math.max((high - low) * 0.06, Math.abs(high) * 2e-4);
  low -= margin;
  high += margin;
  const step = (width - 3) / (SAMPLES - 1);
  const left = width - 3 - step * (prices.length - 1);
  const y = (value) => 1.5 + (height - 3) * (1 - (value - low) / (high - low));
  if (typeof open === "number" && open > low && open < high) {
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(0, Math.round(y(open)) + 0.5);
    pen.lineTo(width, Math.round(y(open)) + 0.5);
    pen.stroke();
  }
  pen.strokeStyle = colours[way];
  pen.lineWidth = 1.25;
  pen.lineJoin = "round";
  pen.beginPath();
  prices.forEach((value, i) => (i ? pen.lineTo(left + i * step, y(value)) : pen.moveTo(left, y(value))));
  pen.stroke();
  pen.fillStyle = colours[way];
  pen.beginPath();
  pen.arc(left + (prices.length - 1) * step, y(prices.at(-1)), 1.6, 0, 7);
  pen.fill();
}
