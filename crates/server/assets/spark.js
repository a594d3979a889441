// Spark lines: a short price history per symbol, sampled on our clock.

const SAMPLES = 90;
const SAMPLE_MS = 1_000;
/** A shorter history does not fill the width. */
const SAMPLES_MIN = 30;
/** As in panels.css. */
const SPARK_PX = { width: 60, height: 24 };

/** Price histories by symbol. `version` grows with each sample, so that a row knows when its line is out of date. */
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

/** Draws `prices` into the two paths, ending in a dot. An SVG and not a canvas: thirty canvases are thirty layers for the
 * browser to compose in every frame. */
export function drawSpark({ line, dot }, prices) {
  if (!prices || prices.length < 2) {
    line.setAttribute("d", "");
    dot.setAttribute("d", "");
    return;
  }
  const { width, height } = SPARK_PX;
  let low = Infinity;
  let high = -Infinity;
  for (const value of prices) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const margin = Math.max((high - low) * 0.06, Math.abs(high) * 2e-4);
  low -= margin;
  high += margin;
  const step = (width - 4) / (Math.max(SAMPLES_MIN, prices.length) - 1);
  const left = width - 3 - step * (prices.length - 1);
  const points = prices.map((value, i) => {
    const y = 2 + (height - 4) * (1 - (value - low) / (high - low));
    return `${(left + i * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  line.setAttribute("d", `M${points.join("L")}`);
  dot.setAttribute("d", `M${points.at(-1)}h.01`);
}
