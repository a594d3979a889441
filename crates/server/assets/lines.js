// The feed panel: both lines side by side, gaps and what became of them, latency, and the last packets refused.

import * as api from "./api.js";
import { byId, cover, h, setData, setText, skeleton } from "./dom.js";
import { compact, integer, nanos, timeOfDay } from "./format.js";
import { on, store } from "./store.js";
import { lineState } from "./topbar.js";

const REJECTED_MS = 5_000;

const LINE_ROWS = [
  ["Packets", "packets"],
  ["Won", "wins"],
  ["Duplicates", "duplicates"],
  ["Missed", "missed"],
  ["Malformed", "malformed"],
  ["Kernel drops", "kernel_drops"],
];
const FEED_ROWS = [
  ["Gaps", "gaps"],
  ["Asked again", "requested"],
  ["Recovered", "recovered"],
  ["Lost for good", "lost"],
  ["Rejected", "rejected"],
  ["Behind head", "behind"],
];
const LATENCY_ROWS = [["p50", "p50"], ["p99", "p99"], ["p99.9", "p999"], ["max", "max"]];

const cells = new Map();
let rejectedBox;

export function startLines() {
  const number = (key) => {
    const cell = h("td", { class: "num" });
    cells.set(key, cell);
    return cell;
  };
  const rows = LINE_ROWS.map(([name, key]) => h("tr", {}, h("th", { scope: "row" }, name), number(`a.${key}`), number(`b.${key}`)));
  const state = h("tr", {}, h("th", { scope: "row" }, "State"), number("a.state"), number("b.state"));
  const last = h("tr", {}, h("th", { scope: "row" }, "Last packet"), number("a.last"), number("b.last"));
  const pairs = (list, name) => {
    const box = h("dl", { class: "pairs", "aria-label": name });
    for (const [label, key] of list) {
      const value = h("dd", { class: "num" });
      cells.set(key, value);
      box.append(h("div", { dataset: { key } }, h("dt", {}, label), value));
    }
    return box;
  };
  rejectedBox = h("div", { class: "rejected" });
  byId("lines-body").append(
    h(
      "table",
      { class: "line-table", "aria-label": "Lines A and B" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Line"), h("th", { scope: "col", class: "num" }, "A"), h("th", { scope: "col", class: "num" }, "B"))),
      h("tbody", {}, state, ...rows, last),
    ),
    pairs(LATENCY_ROWS, "Receive to publish"),
    pairs(FEED_ROWS, "Gaps and recovery"),
    rejectedBox,
  );
  on("feed connection loaded", draw);
  setInterval(() => pollRejected(), REJECTED_MS);
  pollRejected(true);
}

function draw() {
  const feed = store.feed;
  drawCover(feed);
  if (!feed) return;
  ["a", "b"].forEach((name, index) => {
    const line = feed.lines?.[index];
    const state = lineState(line, feed);
    put(`${name}.state`, { ok: "Healthy", warn: "Drops", bad: "Silent", idle: "–" }[state.lamp]);
    setData(cells.get(`${name}.state`), "lamp", state.lamp);
    put(`${name}.last`, line?.last_recv ? timeOfDay(line.last_recv) : "–");
    for (const [, key] of LINE_ROWS) put(`${name}.${key}`, line ? wide(line[key]) : "–");
  });
  for (const [, key] of FEED_ROWS) {
    const value = key === "behind" ? Math.max(0, (feed.head_seq ?? 0) - (feed.next_seq ?? 0)) : feed[key];
    put(key, integer(value));
    setData(cells.get(key).parentElement, "level", key === "lost" && value > 0 ? "bad" : "");
  }
  for (const [, key] of LATENCY_ROWS) put(key, nanos(feed.latency_ns?.[key]));
  setText(byId("lines-seq"), feed.next_seq ? `next #${integer(feed.next_seq)}` : "");
}

const wide = (value) => (value < 1e9 ? integer(value) : compact(value));
const put = (key, text) => setText(cells.get(key), text);

function drawCover(feed) {
  const box = byId("lines-cover");
  if (feed) return cover(box, null);
  if (store.loaded.phase === "error") {
    return cover(box, { kind: "error", icon: "alert", title: "No feed status", text: store.loaded.error.hint });
  }
  if (box.dataset.kind === "loading") return;
  box.dataset.kind = "loading";
  box.replaceChildren(skeleton(9, "rows thin"));
}

async function pollRejected(first = false) {
  const unseen = document.hidden || rejectedBox.offsetParent === null;
  if (store.connection.phase === "lost" || (unseen && !first)) return;
  let rejected;
  try {
    ({ rejected } = await api.rejected());
  } catch {
    return;
  }
  const newest = (rejected ?? []).slice(-20).reverse();
  const key = newest.map((one) => one.at).join();
  if (rejectedBox.shownKey === key) return;
  rejectedBox.shownKey = key;
  const title = h("h3", {}, "Last packets refused");
  if (!newest.length) return rejectedBox.replaceChildren(title, h("p", { class: "sub" }, "None. Every packet could be read."));
  rejectedBox.replaceChildren(
    title,
    ...newest.map((one) =>
      h(
        "div",
        { class: "refused" },
        h("time", { class: "num" }, timeOfDay(one.at)),
        h("b", {}, String(one.line ?? "")),
        h("span", {}, String(one.reason ?? "")),
        h("code", { class: "num", title: String(one.bytes_hex ?? "") }, String(one.bytes_hex ?? "").slice(0, 24)),
      ),
    ),
  );
}
