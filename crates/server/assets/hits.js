// Search results: passages with the question's words marked.

import { h, icon } from "./dom.js";
import { openDrawer } from "./drawer.js";
import { moment } from "./format.js";

const WORD_LENGTH_MIN = 3;

/** The list for `hits`, or the designed empty state. */
export function searchHits(hits, question) {
  if (!hits.length) {
    return h(
      "div",
      { class: "no-cause" },
      icon("none", "big"),
      h("div", {}, h("p", { class: "no-cause-title" }, "Nothing found"), h("p", { class: "no-cause-text" }, question.symbol || question.as_of ? "Widen the scope to the whole market, or go back to now." : "No document matches. Try fewer or other words.")),
    );
  }
  return h("ol", { class: "citations hits", "aria-label": `${hits.length} results` }, ...hits.map((hit, i) => hitCard(hit, i + 1, question)));
}

function hitCard(hit, number, question) {
  const ranks = [hit.ranks?.dense && `dense ${hit.ranks.dense}`, hit.ranks?.text && `text ${hit.ranks.text}`].filter(Boolean).join(" · ");
  const place = { document_id: hit.document_id, title: hit.title, source: hit.source, start: hit.start, end: hit.end };
  return h(
    "li",
    { class: "citation hit", dataset: { citation: String(number) } },
    h(
      "div",
      { class: "citation-head" },
      h("span", { class: "cite plain" }, String(number)),
      h("span", { class: "citation-title" }, hit.title || hit.document_id),
      h("span", { class: "num sub score", title: ranks }, typeof hit.score === "number" ? hit.score.toFixed(3) : ""),
    ),
    h("blockquote", { class: "passage" }, ...marked(hit.text ?? "", question.q)),
    h(
      "div",
      { class: "citation-meta" },
      hit.source ? h("span", { class: "source" }, hit.source) : null,
      (hit.symbols ?? []).length ? h("span", { class: "num" }, hit.symbols.slice(0, 4).join(" ")) : null,
      h("span", {}, h("span", { class: "sub" }, "known "), h("span", { class: "num" }, moment(hit.known_at, 0))),
      ranks ? h("span", { class: "num sub" }, ranks) : null,
      h("button", { type: "button", class: "open-document link", onclick: () => openDrawer(place, question.as_of ?? null) }, icon("doc"), "Open document"),
    ),
  );
}

/** The text with words of the question as `mark` elements. */
function marked(text, question) {
  const words = (question.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length >= WORD_LENGTH_MIN);
  if (!words.length) return [text];
  const wanted = new Set(words);
  return text.split(/([\p{L}\p{N}]+)/u).map((piece) => (wanted.has(piece.toLowerCase()) ? h("mark", {}, piece) : piece));
}
