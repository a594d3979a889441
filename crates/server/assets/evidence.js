// The evidence panel: each shock with its cause as it was cited, or "no cause found" beside its own news, and what followed
// past moments like it. Bundles come as they are made; one opens whole in the Why panel.

import { byId, choose, cover, h, icon, setData, setText, show } from "./dom.js";
import { direction, percent, timeOfDay } from "./format.js";
import { bundleKey, on, store } from "./store.js";

const ROWS_LIMIT = 100;
/** What followed is shown for the horizon that is known of most moments; of equals the longest. */
const MOMENTS_MIN = 2;
const rows = new Map();
let only = "all";
let actions;

/** `open(symbol)` and `showBundle(bundle)` are what a row can do. */
export function startEvidence(given) {
  actions = given;
  const buttons = [...document.querySelectorAll("[data-evidence]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      only = button.dataset.evidence;
      choose(buttons, button);
      draw();
    });
  }
  on("bundles selected loaded", draw);
}

function draw() {
  const wanted = store.bundles.filter((b) => only === "all" || b.symbol === store.selected).slice(0, ROWS_LIMIT);
  const view = byId("evidence-view");
  const keys = new Set(wanted.map(bundleKey));
  for (const [key, row] of rows) {
    if (keys.has(key)) continue;
    row.remove();
    rows.delete(key);
  }
  let next = view.firstElementChild;
  for (const bundle of wanted) {
    const key = bundleKey(bundle);
    let row = rows.get(key);
    if (!row) {
      row = makeRow(bundle);
      rows.set(key, row);
    }
    if (row === next) next = next.nextElementSibling;
    else view.insertBefore(row, next);
    setData(row, "open", String(bundle.symbol === store.selected));
  }
  setText(byId("evidence-count"), store.bundles.length ? String(store.bundles.length) : "");
  drawCover(wanted.length);
}

function drawCover(count) {
  const box = byId("evidence-cover");
  show(box, count === 0);
  if (count || store.loaded.phase === "loading") return cover(box, null);
  cover(box, {
    kind: "empty",
    title: only === "open" && store.bundles.length ? `No evidence about ${store.selected}` : "No evidence yet",
    text: "A jump or a halt looks for its cause by itself; what it finds appears here.",
  });
}

function makeRow(bundle) {
  const bp = bundle.signal?.move_bp;
  const way = typeof bp === "number" ? direction(bp) : "halt";
  const moved = typeof bp === "number" ? percent(bp) : (bundle.signal?.rule ?? "Halt");
  return h(
    "div",
    { class: "bundle", role: "listitem", dataset: { way } },
    h(
      "div",
      { class: "e-what" },
      h("button", { type: "button", class: "t-symbol", onclick: () => actions.open(bundle.symbol) }, bundle.symbol),
      h("span", { class: "num t-move" }, moved),
      h("time", { class: "num t-time", datetime: bundle.at }, timeOfDay(bundle.at)),
    ),
    h("div", { class: "e-told" }, ...told(bundle)),
    h("div", { class: "e-like" }, ...followed(bundle)),
    h("button", { type: "button", class: "row-why", "aria-label": `Evidence of ${timeOfDay(bundle.at)}: ${bundle.symbol}`, onclick: () => actions.showBundle(bundle) }, "Show"),
  );
}

/** The first citation in its own words; without one, that there is none, and the nearest news of its own. */
function told(bundle) {
  const [cause] = bundle.citations ?? [];
  if (cause && !bundle.abstained) return [h("p", { class: "e-quote" }, cause.quote), said(cause, "cause")];
  const [own] = bundle.news ?? [];
  const none = h("span", { class: "e-none" }, icon("none", "tiny"), "No cause found");
  if (own) return [h("p", { class: "e-quote" }, none, ` ${own.quote}`), said(own, "own news, states no cause")];
  const [peer] = bundle.peers ?? [];
  if (peer) return [h("p", { class: "e-quote" }, none, ` ${peer.quote}`), said(peer, `news of ${peer.symbol}, its sector`)];
  return [h("p", { class: "e-quote" }, none), h("p", { class: "e-source sub" }, "no news of its own")];
}

const said = (citation, what) =>
  h("p", { class: "e-source sub" }, `${what} · ${citation.source ?? citation.document_id} · known `, h("span", { class: "num" }, timeOfDay(citation.known_at, 0)));

/** What followed past moments like it, at one horizon. */
function followed(bundle) {
  const outcomes = (bundle.similar?.outcomes ?? []).filter((o) => o.known >= MOMENTS_MIN);
  const best = outcomes.reduce((top, o) => (!top || o.known >= top.known ? o : top), null);
  if (!best) return [h("p", { class: "sub" }, "no past moment known")];
  return [
    h("p", { class: "num e-median", dataset: { way: direction(best.median_bp) } }, percent(best.median_bp)),
    h("p", { class: "sub" }, `median ${best.after} later, ${best.known} alike`),
  ];
}
