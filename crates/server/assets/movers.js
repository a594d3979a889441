// The movers list: a fixed number of row elements slide over a ranking of any length.

import * as api from "./api.js";
import { byId, cover, h, icon, setData, setText, show, skeleton, svg } from "./dom.js";
import { compact, direction, integer, percent, price } from "./format.js";
import { Ranking } from "./ranking.js";
import { Histories, drawSpark } from "./spark.js";
import { changed, on, store } from "./store.js";

const ROW_PX = 34;
const SEEDS = 60;

const ranking = new Ranking();
const histories = new Histories();
const pool = [];
let view;
let space;
let cursor = null;
let actions;

/** `open(symbol)` and `why(symbol)` are what a row can do. */
export function startMovers(given) {
  actions = given;
  view = byId("movers-view");
  space = byId("movers-space");
  view.addEventListener("scroll", () => changed("movers-scroll"), { passive: true });
  view.addEventListener("keydown", onKey);
  view.addEventListener("pointerenter", () => hold(true));
  view.addEventListener("pointerleave", () => hold(false));
  new ResizeObserver(() => changed("movers-scroll")).observe(view);
  startSorting();
  startFilter();
  on("symbols movers-scroll selected loaded connection", draw);
  on("selected", () => {
    cursor = store.selected;
  });
  setInterval(() => changed("symbols"), 1_000);
}

function hold(held) {
  ranking.held = held;
  show(byId("movers-held"), held && ranking.rows.length > 0);
}

function startSorting() {
  const buttons = [...document.querySelectorAll(".movers-cols [data-sort]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      ranking.sort = button.dataset.sort;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      rerank();
    });
  }
}

function startFilter() {
  const input = byId("movers-filter");
  input.addEventListener("input", () => {
    ranking.filter = input.value.trim();
    rerank();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && ranking.rows.length) actions.open(ranking.rows[0]);
    if (event.key === "Escape" && input.value) {
      input.value = "";
      ranking.filter = "";
      rerank();
      event.stopPropagation();
    }
    if (event.key === "ArrowDown") {
      moveCursor(1);
      view.focus();
      event.preventDefault();
    }
  });
}

function rerank() {
  ranking.refresh(performance.now(), true);
  view.scrollTop = 0;
  changed("movers-scroll");
}

/** The symbol the keyboard is on, else the open one. */
export function cursorSymbol() {
  return cursor ?? store.selected;
}

/** Moves the keyboard's row by `step` and brings it into sight. */
export function moveCursor(step) {
  const rows = ranking.rows;
  if (!rows.length) return;
  const from = cursor ? ranking.indexOf(cursor) : ranking.indexOf(store.selected);
  const next = Math.min(rows.length - 1, Math.max(0, from < 0 ? 0 : from + step));
  cursor = rows[next];
  const top = next * ROW_PX;
  if (top < view.scrollTop) view.scrollTop = top;
  if (top + ROW_PX > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW_PX - view.clientHeight;
  changed("movers-scroll");
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor(view.clientHeight / ROW_PX) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 };
  if (event.key in steps) {
    moveCursor(steps[event.key]);
    event.preventDefault();
  } else if (event.key === "Enter" && cursor) {
    actions.open(cursor);
    event.preventDefault();
  }
}

/** The first symbol of the ranking, to open when nothing is. */
export function firstSymbol() {
  ranking.refresh(performance.now());
  return ranking.rows[0] ?? null;
}

/** Fills spark lines of the first rows from past bars, one request at a time. */
export async function seedHistories() {
  for (const symbol of ranking.rows.slice(0, SEEDS)) {
    try {
      const { bars } = await api.bars(symbol, "1s", 90);
      histories.seed(symbol, (bars ?? []).map((bar) => bar.close));
    } catch {
      return;
    }
  }
}

function draw() {
  const now = performance.now();
  histories.sample(store.symbols, now);
  ranking.refresh(now);
  drawCover();
  const count = ranking.rows.length;
  const all = store.symbols.size;
  setText(byId("movers-count"), all ? (count === all ? integer(all) : `${integer(count)} of ${integer(all)}`) : "");
  const height = `${count * ROW_PX}px`;
  if (space.style.height !== height) space.style.height = height;
  view.setAttribute("aria-rowcount", String(count));
  drawRows(count);
}

function drawRows(count) {
  const first = Math.max(0, Math.floor(view.scrollTop / ROW_PX) - 1);
  const visible = Math.ceil(view.clientHeight / ROW_PX) + 3;
  while (pool.length < visible) pool.push(makeRow());
  const last = Math.min(count, first + visible);
  const used = new Set();
  for (let index = first; index < last; index += 1) {
    const slot = index % pool.length;
    used.add(slot);
    show(pool[slot].root, true);
    fillRow(pool[slot], index, store.symbols.get(ranking.rows[index]));
  }
  pool.forEach((row, slot) => show(row.root, used.has(slot)));
  const active = ranking.indexOf(cursor ?? "");
  if (active >= first && active < last) view.setAttribute("aria-activedescendant", pool[active % pool.length].root.id);
  else view.removeAttribute("aria-activedescendant");
}

function drawCover() {
  const box = byId("movers-cover");
  const { phase, error } = store.loaded;
  if (ranking.rows.length) return cover(box, null);
  if (store.symbols.size) {
    return cover(box, { kind: "empty", icon: "filter", title: "No symbol matches", text: "Press Esc in the filter to see all." });
  }
  if (phase === "error") {
    const action = { label: "Try again", run: actions.reload };
    return cover(box, { kind: "error", icon: "alert", title: error.message, text: error.hint, action });
  }
  if (phase === "ready") {
    return cover(box, {
      kind: "empty",
      icon: "none",
      title: "No symbols yet",
      text: "The feed has not named any. Line health shows whether packets arrive.",
    });
  }
  if (box.dataset.kind !== "loading") {
    box.dataset.kind = "loading";
    box.coverKey = "loading";
    box.replaceChildren(skeleton(18, "rows"));
  }
}

let rowId = 0;

function makeRow() {
  const row = {};
  const cell = (className, ...children) => h("div", { class: `cell ${className}`, role: "gridcell" }, ...children);
  row.dot = h("i", { class: "integrity", role: "img" });
  row.symbol = h("b", { class: "m-symbol" });
  row.halt = h("span", { class: "m-halt", hidden: true });
  row.name = h("span", { class: "m-name" });
  row.spark = svg("svg", { class: "m-spark", "aria-hidden": "true" });
  row.line = svg("path", { class: "spark-line" });
  row.end = svg("path", { class: "spark-end" });
  row.spark.append(row.line, row.end);
  row.last = h("span", { class: "m-last num" });
  row.volume = h("span", { class: "m-volume num" });
  row.arrow = h("span", { class: "m-arrow" }, icon("up", "tiny a-up"), icon("down", "tiny a-down"));
  row.change = h("span", { class: "m-change num" });
  row.bar = h("i", { class: "m-track", "aria-hidden": "true" });
  row.why = h("button", { type: "button", class: "row-why", tabindex: "-1" }, "Why?");
  row.root = h(
    "div",
    { class: "mover", role: "row", id: `mover-${(rowId += 1)}` },
    cell("c-symbol", row.dot, h("span", { class: "m-top" }, row.symbol, row.halt), row.name),
    cell("c-spark", row.spark),
    cell("c-last", row.last, row.volume),
    cell("c-change", h("span", { class: "m-top" }, row.arrow, row.change), row.bar),
    cell("c-why", row.why),
  );
  row.root.addEventListener("click", () => {
    cursor = row.shown;
    actions.open(row.shown);
  });
  row.why.addEventListener("click", (event) => {
    event.stopPropagation();
    cursor = row.shown;
    actions.why(row.shown);
  });
  space.append(row.root);
  return row;
}

const STATES = { halted: "Halted", paused: "Paused", quotation_only: "Quotes only" };
const INTEGRITY = {
  ok: "Book complete",
  suspect: "Suspect: a message was malformed or the book is crossed",
  recovering: "Recovering: a gap is being filled",
  stale: "Stale: messages were lost",
};

function fillRow(row, index, data) {
  if (row.index !== index) {
    row.index = index;
    row.root.style.transform = `translateY(${index * ROW_PX}px)`;
    row.root.setAttribute("aria-rowindex", String(index + 1));
  }
  if (row.shown !== data.symbol) {
    row.shown = data.symbol;
    row.drawn = -1;
    row.root.dataset.symbol = data.symbol;
    row.why.setAttribute("aria-label", `Why is ${data.symbol} moving?`);
  }
  row.root.setAttribute("aria-selected", String(data.symbol === store.selected));
  setData(row.root, "cursor", String(data.symbol === cursor));
  const way = direction(data.change_bp);
  setData(row.root, "way", way);
  setText(row.symbol, data.symbol);
  setText(row.name, data.name ?? "");
  setText(row.last, price(data.last));
  setText(row.volume, compact(data.volume));
  setText(row.change, percent(data.change_bp));
  const share = `${Math.round(Math.min(1, Math.abs(data.change_bp ?? 0) / ranking.scaleBp) * 62)}px 3px`;
  if (row.share !== share) {
    row.share = share;
    row.bar.style.backgroundSize = share;
  }
  if (row.integrity !== data.integrity) {
    row.integrity = data.integrity;
    row.dot.dataset.integrity = data.integrity;
    row.dot.title = INTEGRITY[data.integrity] ?? "";
    row.dot.setAttribute("aria-label", row.dot.title);
  }
  const halt = STATES[data.state];
  show(row.halt, Boolean(halt));
  if (halt) setText(row.halt, halt);
  drawRowSpark(row, data.symbol);
}

function drawRowSpark(row, symbol) {
  if (row.drawn === histories.version) return;
  row.drawn = histories.version;
  drawSpark({ line: row.line, dot: row.end }, histories.get(symbol));
}
