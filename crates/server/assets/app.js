// Joins the parts: what the stream brings goes to the store, what a person does goes to the stream and the panels.

import * as api from "./api.js";
import { byId, choose } from "./dom.js";
import { reloadChart, startChart, takeBar, takeVwap } from "./chart.js";
import { askMarket, askWhy, setAsOf, startCommand } from "./command.js";
import { startDrawer } from "./drawer.js";
import { startEvidence } from "./evidence.js";
import { startKeys } from "./keys.js";
import { startLadder } from "./ladder.js";
import { startLines } from "./lines.js";
import { firstSymbol, seedHistories, startMovers } from "./movers.js";
import { startTheme } from "./palette.js";
import { changed, on, store, takeBook, takeBundles, takeFeed, takeSignals, takeSymbols } from "./store.js";
import { Stream } from "./stream.js";
import { startTape } from "./tape.js";
import { startTopbar } from "./topbar.js";
import { setTall, showBundle, startWhy } from "./why.js";

const SIGNALS_HISTORY = 200;
const BUNDLES_HISTORY = 50;
const RELOAD_MS = 5_000;

const stream = new Stream("/v1/stream", { onMessage: take, onPhase: enter });

function topics() {
  const open = store.selected;
  return ["movers", "signals", "evidence", "feed", ...(open ? [`book:${open}`, `bars:${open}`, `vwap:${open}`] : [])];
}

function take(message) {
  store.connection.lastFrameAt = stream.lastFrameAt;
  switch (message.type) {
    case "hello": store.version = message.version ?? ""; changed("version"); break;
    case "movers": takeSymbols(message.symbols); becomeReady(); break;
    case "book": takeBook(message.book ?? message); break;
    case "bar": takeBar(message); break;
    case "vwap": takeVwap(message); break;
    case "signal": takeSignals([message.signal ?? message]); break;
    case "evidence": takeBundles([message]); break;
    case "feed": takeFeed(message.feed ?? message); break;
    case "error": console.warn(`stream: ${message.message} (${message.hint ?? ""})`); break;
    default: break;
  }
}

function becomeReady() {
  if (store.loaded.phase === "ready") return;
  store.loaded = { phase: "ready", error: null };
  changed("loaded");
}

function enter(phase, { retryAt = 0, reason = "" }) {
  const { connection } = store;
  const returned = phase === "open" && connection.wasLost;
  connection.wasLost = phase === "lost" || (phase === "connecting" && connection.wasLost);
  connection.phase = phase;
  connection.retryAt = retryAt;
  connection.reason = reason;
  changed("connection");
  if (returned) catchUp();
  else if (phase === "open") fetchSignals();
}

/** After a disconnection: whatever the stream does not repeat is asked for again. */
function catchUp() {
  load();
  fetchSignals();
  reloadChart();
}

/** The stream brings signals from its start on; earlier ones come from here, so that none falls between. */
function fetchSignals() {
  api.signals(SIGNALS_HISTORY).then(({ signals }) => takeSignals(signals)).catch(() => {});
  api.evidence(BUNDLES_HISTORY).then(({ evidence }) => takeBundles(evidence)).catch(() => {});
}

async function load() {
  try {
    const [symbols, signals, feed] = await Promise.all([api.symbols(), api.signals(SIGNALS_HISTORY), api.feed()]);
    takeSymbols(symbols.symbols);
    takeSignals(signals.signals);
    takeFeed(feed);
    becomeReady();
    changed("loaded");
  } catch (error) {
    if (store.loaded.phase !== "ready") {
      store.loaded = { phase: "error", error };
      changed("loaded");
      setTimeout(() => store.loaded.phase === "error" && load(), RELOAD_MS);
    }
  }
}

function open(symbol) {
  if (!symbol || symbol === store.selected) return reveal("chart");
  setAsOf(null);
  select(symbol);
  reveal("chart");
}

function select(symbol) {
  store.selected = symbol;
  history.replaceState(null, "", `#${encodeURIComponent(symbol)}`);
  document.title = `${symbol} · Ouzel`;
  stream.want(topics());
  changed("selected");
}

function why(symbol) {
  if (symbol !== store.selected) select(symbol);
  askWhy(symbol, null);
}

function whySignal(signal) {
  if (signal.symbol !== store.selected) select(signal.symbol);
  askWhy(signal.symbol, signal.at);
}

/** The whole of a bundle, where answers are shown. */
function openBundle(bundle) {
  if (bundle.symbol !== store.selected) select(bundle.symbol);
  showBundle(bundle);
  reveal("why");
}

/** Brings a panel up where panels share a place: tabs on a phone, ladder and feed on a laptop. */
function reveal(panel) {
  document.body.dataset.tab = panel;
  for (const tab of document.querySelectorAll(".tabs [data-tab]")) {
    if (tab.dataset.tab === panel) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
  if (panel === "ladder" || panel === "lines") showSide(panel);
  if (panel === "tape" || panel === "evidence") showLow(panel);
}

/** Signals and evidence share the place below the chart. */
function showLow(low) {
  document.body.dataset.low = low;
  for (const group of document.querySelectorAll(".low-tabs")) {
    const buttons = [...group.querySelectorAll("[data-low]")];
    choose(buttons, buttons.find((button) => button.dataset.low === low));
  }
}

function showSide(side) {
  document.body.dataset.side = side;
  setTall(false);
  for (const group of document.querySelectorAll(".side-tabs")) {
    const buttons = [...group.querySelectorAll("[data-side]")];
    choose(buttons, buttons.find((button) => button.dataset.side === side));
  }
}

/** Opens the symbol of the address, else the top mover, as soon as symbols are known. */
function openFirst() {
  if (store.selected || !store.symbols.size) return;
  let wanted = "";
  try {
    wanted = decodeURIComponent(location.hash.slice(1));
  } catch {
    // A hand-made address may not decode; the top mover is opened instead.
  }
  select(store.symbols.has(wanted) ? wanted : firstSymbol());
  seedHistories();
}

function start() {
  startTheme();
  startTopbar({ retry: () => stream.connect(), showFeed: () => reveal("lines") });
  startMovers({ open, why, reload: load });
  startChart({ why, whySignal });
  startLadder();
  startLines();
  startTape({ open, whySignal });
  startEvidence({ open, showBundle: openBundle });
  startWhy({ open, submit: askMarket });
  startDrawer();
  startCommand({ reveal: () => reveal("why") });
  startKeys({ open, why, reveal });
  on("symbols loaded", openFirst);
  on("version", () => { byId("foot-version").textContent = store.version ? `Ouzel ${store.version}` : ""; });
  for (const tab of document.querySelectorAll(".tabs [data-tab]")) tab.addEventListener("click", () => reveal(tab.dataset.tab));
  for (const tab of document.querySelectorAll(".side-tabs [data-side]")) tab.addEventListener("click", () => showSide(tab.dataset.side));
  for (const tab of document.querySelectorAll(".low-tabs [data-low]")) tab.addEventListener("click", () => showLow(tab.dataset.low));
  stream.want(topics());
  stream.connect();
  load();
}

start();
