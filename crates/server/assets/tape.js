// The signals tape: jumps, halts and resumptions, newest first, each with its own Why.

import { byId, choose, cover, h, icon, setData, setText, show } from "./dom.js";
import { age, percent, price, timeOfDay } from "./format.js";
import { on, signalKey, store } from "./store.js";

const ROWS_LIMIT = 200;
const PHONE = matchMedia("(max-width: 1023px)");
const rows = new Map();
let only = "all";
let actions;
let firstDraw = true;

/** `open(symbol)` and `whySignal(signal)` are what a row can do. */
export function startTape(given) {
  actions = given;
  const buttons = [...document.querySelectorAll("[data-tape]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      only = button.dataset.tape;
      choose(buttons, button);
      draw();
    });
  }
  on("signals selected loaded", draw);
  PHONE.addEventListener("change", draw);
}

function draw() {
  const wanted = store.signals.filter((s) => only === "all" || s.symbol === store.selected).slice(0, ROWS_LIMIT);
  const view = byId("tape-view");
  const keys = new Set(wanted.map(signalKey));
  for (const [key, row] of rows) {
    if (keys.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  const rowPx = PHONE.matches ? 40 : 28;
  wanted.forEach((signal, index) => {
    const key = signalKey(signal);
    let row = rows.get(key);
    if (!row) {
      row = makeRow(signal);
      rows.set(key, row);
      view.append(row);
    }
    place(row, index, rowPx);
    setData(row, "open", String(signal.symbol === store.selected));
  });
  if (wanted.length) firstDraw = false;
  setText(byId("tape-count"), store.signals.length ? String(store.signals.length) : "");
  drawCover(wanted.length);
}

/** Rows are moved, not reflowed: a new signal on top shifts no layout. The DOM keeps arrival order; ARIA has the place. */
function place(row, index, rowPx) {
  const top = index * rowPx;
  if (row.top === top) return;
  row.top = top;
  row.style.transform = `translateY(${top}px)`;
  row.setAttribute("aria-posinset", String(index + 1));
}

function drawCover(count) {
  const box = byId("tape-cover");
  show(box, count === 0);
  if (count) return cover(box, null);
  if (store.loaded.phase === "loading") return cover(box, null);
  cover(box, {
    kind: "empty",
    title: only === "open" && store.signals.length ? `No signals in ${store.selected}` : "No signals yet",
    text: "Jumps and halts appear here as they happen.",
  });
}

function kindOf(signal) {
  if (signal.kind === "halt") return { way: "halt", glyph: "halt", name: "Halt" };
  if (signal.kind === "resume") return { way: "resume", glyph: "resume", name: "Resume" };
  if (signal.kind === "rule") return { way: "resume", glyph: "resume", name: signal.rule ?? "Rule" };
  return (signal.move_bp ?? 0) >= 0 ? { way: "up", glyph: "up", name: "Jump" } : { way: "down", glyph: "down", name: "Jump" };
}

function makeRow(signal) {
  const kind = kindOf(signal);
  const moved = typeof signal.from === "number" && typeof signal.to === "number";
  const detail = moved ? `${price(signal.from)} → ${price(signal.to)}` : signal.reason ? `Reason ${signal.reason}` : typeof signal.value === "number" ? String(signal.value) : "";
  const row = h(
    "div",
    { class: "signal", role: "listitem", dataset: { way: kind.way, symbol: signal.symbol } },
    h("time", { class: "num t-time", datetime: signal.at }, timeOfDay(signal.at)),
    h("button", { type: "button", class: "t-symbol", onclick: () => actions.open(signal.symbol) }, signal.symbol),
    h("span", { class: "t-kind" }, icon(kind.glyph, "tiny"), kind.name),
    h("span", { class: "num t-move" }, typeof signal.move_bp === "number" ? percent(signal.move_bp) : ""),
    h("span", { class: "num t-detail" }, detail),
    h("span", { class: "num t-span" }, typeof signal.span_ms === "number" ? `in ${age(signal.span_ms)}` : ""),
    h("button", { type: "button", class: "row-why", "aria-label": `Why, as of ${timeOfDay(signal.at)}: ${signal.symbol}`, onclick: () => actions.whySignal(signal) }, "Why?"),
  );
  if (!firstDraw) row.classList.add("fresh-row");
  if (signal.integrity && signal.integrity !== "ok") row.title = `Integrity at the time: ${signal.integrity}`;
  return row;
}
