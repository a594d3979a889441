// The ladder: ten levels a side with depth bars, the spread, the last print, and how far to trust the book.

import * as api from "./api.js";
import { byId, cover, h, icon, setData, setText, show, skeleton } from "./dom.js";
import { age, compact, exactDigits, integer, price, timeOfDay } from "./format.js";
import { changed, on, store } from "./store.js";

const LEVELS = 10;
const rows = [];
const head = {};

export function startLadder() {
  const body = byId("ladder-body");
  body.append(makeHead(), makeTable());
  on("book selected connection symbols", draw);
  on("selected", load);
}

function makeHead() {
  head.spread = h("span", { class: "num" });
  head.spreadBp = h("span", { class: "num sub" });
  head.last = h("span", { class: "num last-price" });
  head.lastQty = h("span", { class: "num" });
  head.lastTime = h("span", { class: "num sub" });
  head.imbalance = h("i");
  const item = (label, ...values) => h("div", { class: "ladder-fact" }, h("span", { class: "sub" }, label), ...values);
  return h(
    "div",
    { class: "ladder-facts" },
    item("Last", head.last, head.lastQty, head.lastTime),
    item("Spread", head.spread, head.spreadBp),
    h("div", { class: "imbalance", title: "Share of bid quantity in the ten levels" }, head.imbalance),
  );
}

function makeTable() {
  const table = h("table", { class: "levels", "aria-label": "Order book, ten levels a side" });
  const names = ["Orders", "Bid size", "Bid", "Ask", "Ask size", "Orders"];
  table.append(h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name)))));
  const body = h("tbody");
  for (let i = 0; i < LEVELS; i += 1) {
    const row = { bid: makeSide("bid"), ask: makeSide("ask") };
    row.root = h(
      "tr",
      { dataset: { level: String(i + 1) } },
      row.bid.orders, row.bid.qty, row.bid.price, row.ask.price, row.ask.qty, row.ask.orders,
    );
    rows.push(row);
    body.append(row.root);
  }
  table.append(body);
  return table;
}

function makeSide(side) {
  const text = h("span");
  return {
    text,
    qty: h("td", { class: `num qty ${side}` }, text),
    price: h("td", { class: `num px ${side}` }),
    orders: h("td", { class: `num orders ${side}` }),
  };
}

async function load() {
  const symbol = store.selected;
  store.book = null;
  store.bookError = null;
  changed("book");
  if (!symbol) return;
  try {
    const book = await api.book(symbol);
    if (store.selected === symbol && !store.book) {
      store.book = book;
      changed("book");
    }
  } catch (error) {
    if (store.selected !== symbol || store.book) return;
    store.bookError = error;
    changed("book");
  }
}

function draw() {
  const book = store.book;
  setText(byId("ladder-symbol"), store.selected ?? "");
  drawCover(book);
  drawFlags(book);
  setText(byId("ladder-seq"), book ? `#${integer(book.seq)}` : "");
  const bids = book?.bids ?? [];
  const asks = book?.asks ?? [];
  const levels = [...bids, ...asks];
  const digits = exactDigits(levels.map((level) => level.price_e9 ?? Math.round(level.price * 1e9)));
  const deepest = levels.reduce((most, level) => Math.max(most, level.qty), 1);
  rows.forEach((row, i) => {
    fillSide(row.bid, bids[i], digits, deepest);
    fillSide(row.ask, asks[i], digits, deepest);
  });
  drawHead(book, digits);
}

function fillSide(side, level, digits, deepest) {
  setText(side.text, level ? compact(level.qty) : "");
  setText(side.price, level ? price(level.price, digits) : "");
  setText(side.orders, level && level.orders ? String(level.orders) : "");
  const share = `${level ? Math.round((level.qty / deepest) * 100) : 0}% calc(100% - 2px)`;
  if (side.share !== share) {
    side.share = share;
    side.qty.style.backgroundSize = share;
  }
}

function drawHead(book, digits) {
  const bid = book?.bids?.[0]?.price;
  const ask = book?.asks?.[0]?.price;
  const both = bid !== undefined && ask !== undefined;
  setText(head.spread, both ? price(ask - bid, digits) : "–");
  setText(head.spreadBp, both && bid > 0 ? `${(((ask - bid) / ((ask + bid) / 2)) * 1e4).toFixed(1)} bp` : "");
  setText(head.last, book?.last ? price(book.last.price, digits) : "–");
  setText(head.lastQty, book?.last ? `× ${compact(book.last.qty)}` : "");
  setText(head.lastTime, book?.last ? timeOfDay(book.last.ts_event) : "");
  const sum = (levels) => (levels ?? []).reduce((total, level) => total + level.qty, 0);
  const [b, a] = [sum(book?.bids), sum(book?.asks)];
  head.imbalance.style.transform = `scaleX(${a + b > 0 ? (b / (a + b)).toFixed(3) : 0.5})`;
}

const STATES = { halted: "Halted", paused: "Paused", quotation_only: "Quotes only" };

function drawFlags(book) {
  const flags = [];
  if (STATES[book?.state]) flags.push(["warn", STATES[book.state], "halt"]);
  if (book?.crossed) flags.push(["bad", "Crossed", "alert"]);
  else if (book?.locked) flags.push(["warn", "Locked", "alert"]);
  if (book?.integrity === "stale") flags.push(["bad", "Stale", "alert"]);
  if (book?.integrity === "recovering") flags.push(["warn", "Recovering", "alert"]);
  if (book?.integrity === "suspect") flags.push(["warn", "Suspect", "alert"]);
  const box = byId("ladder-flags");
  const key = flags.map((flag) => flag[1]).join();
  setData(byId("ladder-body"), "stale", String(book?.integrity === "stale"));
  if (box.shownKey === key) return;
  box.shownKey = key;
  box.replaceChildren(...flags.map(([level, text, name]) => h("span", { class: "badge", dataset: { level } }, icon(name, "tiny"), text)));
}

function drawCover(book) {
  const box = byId("ladder-cover");
  show(byId("ladder-body"), true);
  if (book) return cover(box, null);
  const error = store.bookError;
  if (error?.status === 404) {
    return cover(box, { kind: "empty", icon: "none", title: "No book yet", text: error.hint || "It appears with the first order." });
  }
  if (error) {
    return cover(box, { kind: "error", icon: "alert", title: error.message, text: error.hint, action: { label: "Try again", run: load } });
  }
  if (!store.selected && store.loaded.phase !== "loading") {
    return cover(box, { kind: "empty", icon: "none", title: "No symbol is open", text: "" });
  }
  if (box.dataset.kind === "loading") return;
  box.dataset.kind = "loading";
  box.coverKey = "loading";
  box.replaceChildren(skeleton(10, "levels-skeleton"));
}

/** How long ago the newest event was seen, for panels that went grey. */
export function staleAge() {
  return age(performance.now() - store.newest.advancedAt);
}
