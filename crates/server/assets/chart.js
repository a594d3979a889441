// The chart of the open symbol: candles, volume, the sliding VWAP, and a marker per signal. A click on a marker asks why,
// as of that instant.

import * as api from "./api.js";
import { BarSeries, SPAN_SECONDS } from "./bars.js";
import { byId, choose, cover, setData, setText, show, skeleton } from "./dom.js";
import { direction, millis, percent, price, priceDigits } from "./format.js";
import { palette } from "./palette.js";
import { beforeFrame, changed, on, signalKey, store } from "./store.js";

const HISTORY = { "1s": 600, "1m": 390 };
const VWAP_HISTORY = 6_000;
const CHART_MS = 190;
const BAR_PX = { "1s": 4, "1m": 8 };
const BAR_PX_MAX = 9;

let chart;
let candles;
let volume;
let vwapLine;
let markers;
let series = new BarSeries("1s");
let span = "1s";
let load = 0;
let lastVwapTime = 0;
let lastVwap = null;
let phase = { kind: "idle" };
let waiting = [];
let appliedAt = 0;
let actions;

/** `whySignal(signal)` and `why(symbol)` are what the chart can ask. */
export function startChart(given) {
  actions = given;
  if (!window.LightweightCharts) {
    phase = { kind: "error", error: { message: "The chart could not be loaded", hint: "Reload the page." } };
    drawCover();
    return;
  }
  build();
  const buttons = [...document.querySelectorAll("#chart [data-span]")];
  for (const button of buttons) button.addEventListener("click", () => setSpan(button.dataset.span));
  byId("chart-why").addEventListener("click", () => store.selected && actions.why(store.selected));
  on("selected", openSymbol);
  on("theme", paint);
  on("signals selected", drawMarkers);
  on("symbols selected book", drawHead);
  on("loaded", drawCover);
  beforeFrame(applyWaiting);
  drawCover();
  drawHead();
}

/** The other bar length. */
export function toggleSpan() {
  setSpan(span === "1s" ? "1m" : "1s");
}

function setSpan(next) {
  if (next === span) return;
  span = next;
  const buttons = [...document.querySelectorAll("#chart [data-span]")];
  choose(buttons, buttons.find((b) => b.dataset.span === span));
  openSymbol();
}

function build() {
  const lib = window.LightweightCharts;
  chart = lib.createChart(byId("chart-box"), {
    autoSize: true,
    layout: { attributionLogo: true, fontSize: 11, fontFamily: getComputedStyle(document.body).getPropertyValue("--mono") },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.22 }, minimumWidth: 68 },
    timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true, rightOffset: 6, minBarSpacing: 1 },
    crosshair: { mode: lib.CrosshairMode.Normal },
    localization: { timeFormatter: (time) => `${new Date(time * 1000).toISOString().slice(11, 19)} UTC` },
  });
  volume = chart.addSeries(lib.HistogramSeries, {
    priceScaleId: "volume",
    priceFormat: { type: "volume" },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  candles = chart.addSeries(lib.CandlestickSeries, { borderVisible: false, priceLineStyle: lib.LineStyle.Dotted });
  vwapLine = chart.addSeries(lib.LineSeries, {
    lineWidth: 2,
    lastValueVisible: false,
    priceLineVisible: false,
    crosshairMarkerVisible: false,
  });
  markers = lib.createSeriesMarkers(candles, []);
  chart.subscribeClick(onClick);
  chart.subscribeCrosshairMove((event) => setData(byId("chart-box"), "hover", String(Boolean(markerUnder(event)))));
  paint();
}

function paint() {
  const c = palette();
  chart.applyOptions({
    layout: { background: { type: "solid", color: c.panel }, textColor: c.muted },
    grid: { vertLines: { color: c.grid }, horzLines: { color: c.grid } },
    crosshair: {
      vertLine: { color: c.muted, labelBackgroundColor: c.line },
      horzLine: { color: c.muted, labelBackgroundColor: c.line },
    },
  });
  candles.applyOptions({ upColor: c.up, downColor: c.down, wickUpColor: c.up, wickDownColor: c.down });
  vwapLine.applyOptions({ color: c.mark });
  volume.setData(series.all().map(volumeOf));
  drawMarkers();
}

async function openSymbol() {
  const symbol = store.selected;
  const ticket = (load += 1);
  if (!symbol) return drawCover();
  series = new BarSeries(span);
  lastVwapTime = 0;
  lastVwap = null;
  for (const one of [candles, volume, vwapLine]) one.setData([]);
  markers.setMarkers([]);
  phase = { kind: "loading" };
  drawCover();
  try {
    const [bars, parts, vwap] = await Promise.all([
      api.bars(symbol, span, HISTORY[span]).catch(noneYet),
      // The running minute is folded from its seconds.
      span === "1m" ? api.bars(symbol, "1s", 60) : { bars: [] },
      api.vwap(symbol, VWAP_HISTORY).catch(() => ({ values: [] })),
    ]);
    if (ticket !== load) return;
    for (const bar of [...(bars.bars ?? []), ...(parts.bars ?? [])]) series.take(bar);
    phase = { kind: "ready" };
    showHistory(vwap.values ?? []);
  } catch (error) {
    if (ticket !== load) return;
    phase = { kind: "error", error };
  }
  drawCover();
}

/** Before the first minute is over the server keeps no minute bars and refuses the span. */
function noneYet(error) {
  if (span === "1m" && error.status === 400) return { bars: [] };
  throw error;
}

/** Loads the open symbol again, after a disconnection. */
export function reloadChart() {
  if (chart && store.selected) openSymbol();
}

function showHistory(vwaps) {
  const bars = series.all();
  candles.setData(bars);
  volume.setData(bars.map(volumeOf));
  const points = new Map();
  for (const row of vwaps) {
    const point = vwapPoint(row);
    if (point && point.time >= (bars[0]?.time ?? 0)) points.set(point.time, point);
  }
  const line = [...points.values()].sort((a, b) => a.time - b.time);
  vwapLine.setData(line);
  if (line.length) [lastVwapTime, lastVwap] = [line.at(-1).time, line.at(-1).value];
  setPrecision(bars.at(-1)?.close);
  // A young market has few bars: they are drawn wider, so that they do not huddle at the edge.
  const room = chart.timeScale().width() / (bars.length + 12);
  const barSpacing = Math.min(BAR_PX_MAX, Math.max(BAR_PX[span], room));
  chart.timeScale().applyOptions({ barSpacing, secondsVisible: span === "1s" });
  chart.timeScale().scrollToRealTime();
  drawMarkers();
  drawHead();
}

function setPrecision(value) {
  const precision = priceDigits(value ?? 1);
  const priceFormat = { type: "price", precision, minMove: 10 ** -precision };
  candles.applyOptions({ priceFormat });
  vwapLine.applyOptions({ priceFormat });
}

function volumeOf(bar) {
  const c = palette();
  return { time: bar.time, value: bar.volume, color: bar.close >= bar.open ? c["up-soft"] : c["down-soft"] };
}

function vwapPoint(row) {
  const seconds = SPAN_SECONDS[span];
  // A value at `end` speaks for the span that ends there.
  const time = Math.ceil(millis(row.end) / 1_000 / seconds) * seconds - seconds;
  return typeof row.vwap === "number" && Number.isFinite(time) ? { time, value: row.vwap } : null;
}

/** A `bar` frame. */
export function takeBar(message) {
  if (message.symbol !== store.selected || !message.bar) return;
  waiting.push(() => applyBar(message));
  changed("bars");
}

/** A `vwap` frame. */
export function takeVwap(row) {
  if (row.symbol !== store.selected) return;
  waiting.push(() => applyVwap(row));
  changed("bars");
}

/** The chart redraws all of its canvases for each update, so it gets five a second. */
function applyWaiting() {
  const now = performance.now();
  if (!waiting.length || now - appliedAt < CHART_MS) return;
  appliedAt = now;
  const due = waiting;
  waiting = [];
  for (const apply of due) apply();
}

function applyBar(message) {
  if (message.symbol !== store.selected || phase.kind !== "ready") return;
  const first = series.size === 0;
  const before = series.newest;
  const bar = series.take(message.bar);
  if (!bar) return;
  if (bar.time < before) {
    candles.setData(series.all());
    volume.setData(series.all().map(volumeOf));
  } else {
    candles.update(bar);
    volume.update(volumeOf(bar));
  }
  if (bar.time > before) drawMarkers();
  if (first) {
    setPrecision(bar.close);
    drawCover();
  }
}

function applyVwap(row) {
  if (row.symbol !== store.selected || phase.kind !== "ready") return;
  const point = vwapPoint(row);
  // The line never runs ahead of the candles: a quiet symbol would otherwise push them off the screen.
  if (!point || point.time < lastVwapTime || point.time > series.newest + SPAN_SECONDS[span]) return;
  lastVwapTime = point.time;
  lastVwap = point.value;
  vwapLine.update(point);
}

function drawMarkers() {
  if (!markers || phase.kind !== "ready") return;
  const c = palette();
  const times = series.all().map((bar) => bar.time);
  const found = [];
  for (const signal of store.signals) {
    if (signal.symbol !== store.selected) continue;
    const time = barTime(times, millis(signal.at) / 1_000);
    if (time !== null) found.push({ time, id: signalKey(signal), ...markerLook(signal, c) });
  }
  markers.setMarkers(found.sort((a, b) => a.time - b.time));
}

/** The bar that holds `at`, else the first after it; null when it is before all bars. */
function barTime(times, at) {
  if (!times.length || at < times[0]) return null;
  const start = Math.floor(at / SPAN_SECONDS[span]) * SPAN_SECONDS[span];
  return times.find((time) => time >= start) ?? times.at(-1);
}

function markerLook(signal, c) {
  if (signal.kind === "halt") return { position: "aboveBar", shape: "square", color: c.warn, text: "Halt" };
  if (signal.kind === "resume") return { position: "aboveBar", shape: "circle", color: c.accent, text: "Resume" };
  if (signal.kind === "rule") return { position: "aboveBar", shape: "circle", color: c.accent, text: signal.rule ?? "Rule" };
  const up = (signal.move_bp ?? 0) >= 0;
  const text = percent(signal.move_bp);
  return up
    ? { position: "belowBar", shape: "arrowUp", color: c.up, text, size: 1.4 }
    : { position: "aboveBar", shape: "arrowDown", color: c.down, text, size: 1.4 };
}

/** Where the markers in sight stand, in pixels of the chart: for the browser test, which cannot see into a canvas. */
export function markerPlaces() {
  const width = chart.timeScale().width();
  const bars = new Map(series.all().map((bar) => [bar.time, bar]));
  const places = markers.markers().map(({ id, time, position }) => {
    const bar = bars.get(time);
    return { id, x: chart.timeScale().timeToCoordinate(time), y: candles.priceToCoordinate(position === "belowBar" ? bar.low : bar.high) };
  });
  return places.filter(({ x, y }) => x !== null && y !== null && x > 0 && x < width);
}

function markerUnder(event) {
  const id = event.hoveredInfo?.objectId ?? event.hoveredObjectId;
  return typeof id === "string" ? store.signals.find((signal) => signalKey(signal) === id) : undefined;
}

function onClick(event) {
  const hit = markerUnder(event);
  if (hit) actions.whySignal(hit);
}

const STATES = { halted: "Halted", paused: "Paused", quotation_only: "Quotes only" };

function drawHead() {
  const row = store.symbols.get(store.selected);
  setText(byId("chart-symbol"), store.selected ?? "–");
  setText(byId("chart-name"), row?.name ?? "");
  setText(byId("chart-last"), row ? price(row.last) : "");
  const way = direction(row?.change_bp);
  const arrow = way === "up" ? "▲ " : way === "down" ? "▼ " : "";
  setText(byId("chart-change"), row ? arrow + percent(row.change_bp) : "");
  setData(byId("chart-change"), "way", way);
  setText(byId("chart-vwap"), price(lastVwap ?? row?.vwap));
  byId("chart-why").disabled = !store.selected;
  const state = STATES[row?.state];
  show(byId("chart-state"), Boolean(state));
  setText(byId("chart-state"), state ?? "");
  const spoken = row ? `Chart of ${row.symbol}: last ${price(row.last)}, ${percent(row.change_bp)}` : "Price chart";
  if (!byId("chart-box").hasAttribute("data-labelled") || byId("chart-box").dataset.labelled !== store.selected) {
    byId("chart-box").dataset.labelled = store.selected ?? "";
    byId("chart-box").setAttribute("aria-label", spoken);
  }
}

function drawCover() {
  const box = byId("chart-cover");
  if (phase.kind === "loading" || (phase.kind === "idle" && store.loaded.phase === "loading")) {
    if (box.dataset.kind === "loading") return;
    box.dataset.kind = "loading";
    box.coverKey = "loading";
    box.replaceChildren(skeleton(28, "candles"));
  } else if (phase.kind === "error") {
    const { message, hint } = phase.error;
    cover(box, { kind: "error", icon: "alert", title: message, text: hint, action: { label: "Try again", run: openSymbol } });
  } else if (phase.kind === "ready" && series.size === 0) {
    cover(box, { kind: "empty", icon: "none", title: "No trades yet", text: "The first print draws the first bar." });
  } else if (phase.kind === "idle") {
    cover(box, { kind: "empty", icon: "none", title: "No symbol is open", text: "Choose one in Movers with j, k and Enter." });
  } else cover(box, null);
}
