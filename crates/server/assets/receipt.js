// The receipt of an answer: what was seen, how fresh it was, and where the time went.

import { h } from "./dom.js";
import { age, integer, moment, nanos } from "./format.js";

const STAGES = ["facts", "embed", "dense", "text", "fuse", "rerank", "assemble", "answer", "verify"];

/** A closed `details` element for this receipt. */
export function receiptView(receipt, open = false) {
  const { stream, memory, stages_us: stages = {} } = receipt;
  const total = stages.total ?? STAGES.reduce((sum, name) => sum + (stages[name] ?? 0), 0);
  return h(
    "details",
    { class: "receipt", open },
    h(
      "summary",
      {},
      h("span", { class: "receipt-title" }, "Receipt"),
      h("span", { class: "num" }, nanos(total * 1_000)),
      stream ? h("span", { class: "num sub" }, `market #${integer(stream.seq)}`) : null,
      memory ? h("span", { class: "num sub" }, `memory #${integer(memory.seq)}`) : null,
      ...(receipt.flags ?? []).map((flag) => h("span", { class: "badge", dataset: { level: "warn" } }, words(flag))),
    ),
    h("div", { class: "receipt-body" }, stageChart(stages, total), factList(receipt)),
  );
}

const words = (flag) => String(flag).replaceAll("_", " ");

function stageChart(stages, total) {
  const longest = Math.max(1, ...STAGES.map((name) => stages[name] ?? 0));
  const chart = h("div", { class: "stages", role: "table", "aria-label": "Stage times" });
  for (const name of STAGES) {
    const us = stages[name];
    const bar = h("i", { style: { transform: `scaleX(${((us ?? 0) / longest).toFixed(4)})` } });
    chart.append(
      h(
        "div",
        { class: "stage", role: "row" },
        h("span", { role: "rowheader" }, name),
        h("span", { class: "stage-bar", "aria-hidden": "true" }, bar),
        h("span", { class: "num", role: "cell" }, us === undefined || us === null ? "skipped" : nanos(us * 1_000)),
      ),
    );
  }
  chart.append(h("div", { class: "stage total", role: "row" }, h("span", { role: "rowheader" }, "total"), h("span", {}), h("span", { class: "num", role: "cell" }, nanos(total * 1_000))));
  return chart;
}

function factList(receipt) {
  const { stream, memory, models, candidates } = receipt;
  const list = h("dl", { class: "receipt-facts" });
  const add = (label, value) => value && list.append(h("div", {}, h("dt", {}, label), h("dd", { class: "num" }, value)));
  add("As of", receipt.as_of ? moment(receipt.as_of) : "now");
  add("Asked", moment(receipt.asked_at));
  if (stream) {
    add("Market", `#${integer(stream.seq)} · ${age(stream.freshness_ms)} old`);
    add("Feed", [stream.feed_state, `books ${stream.integrity}`].filter(Boolean).join(" · "));
  } else add("Market", "not connected");
  if (memory) {
    const fresh = typeof memory.freshness_ms === "number" ? ` · newest ${age(memory.freshness_ms)} old` : "";
    add("Memory", `#${integer(memory.seq)}${fresh}`);
  }
  if (candidates) add("Candidates", `${integer(candidates.dense)} dense · ${integer(candidates.text)} text · ${integer(candidates.fused)} fused`);
  add("Embedding", models?.embed);
  add("Answer by", models?.answer);
  add("Skipped", (receipt.skipped ?? []).map(words).join(", "));
  return list;
}
