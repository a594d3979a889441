// The command bar: ask or search, about the whole market or the open symbol, now or as of an instant.

import { byId, choose, setText } from "./dom.js";
import { timeOfDay } from "./format.js";
import { changed, on, store } from "./store.js";
import { ask, search } from "./why.js";

let mode = "ask";
let scoped = false;
let actions;

/** `reveal()` brings the Why panel up on small screens. */
export function startCommand(given) {
  actions = given;
  byId("mode-ask").addEventListener("click", () => setMode("ask", true));
  byId("mode-search").addEventListener("click", () => setMode("search", true));
  byId("scope-chip").addEventListener("click", () => {
    scoped = !scoped && Boolean(store.selected);
    drawChips();
  });
  byId("asof-chip").addEventListener("click", () => setAsOf(null));
  byId("command").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(byId("ask-input").value);
  });
  on("selected asof", drawChips);
  drawChips();
}

/** Chooses what Enter does, and optionally goes to the box. */
export function setMode(next, focus = false) {
  mode = next;
  choose([byId("mode-ask"), byId("mode-search")], byId(`mode-${mode}`));
  const input = byId("ask-input");
  input.placeholder = mode === "ask" ? "Ask what is moving and why" : "Search documents";
  input.setAttribute("aria-label", mode === "ask" ? "Question" : "Search documents");
  byId("field-icon").setAttribute("href", mode === "ask" ? "#i-ask" : "#i-search");
  byId("ask-button").textContent = mode === "ask" ? "Ask" : "Search";
  if (focus) focusBox();
}

export function focusBox() {
  byId("ask-input").focus();
  byId("ask-input").select();
}

/** Questions are asked as of `instant` from now on; null is now. */
export function setAsOf(instant) {
  store.asOf = instant;
  changed("asof");
}

/** Sends what was typed. */
export function submit(text) {
  const q = text.trim();
  if (!q) return focusBox();
  const question = { q, symbol: scoped ? store.selected : null, as_of: store.asOf };
  byId("ask-input").value = q;
  actions.reveal();
  return mode === "ask" ? ask(question) : search(question);
}

/** Asks why `symbol` moves, as of `asOf` or now. */
export function askWhy(symbol, asOf) {
  setMode("ask");
  setAsOf(asOf);
  byId("ask-input").value = `Why did ${symbol} move?`;
  actions.reveal();
  return ask({ q: `Why did ${symbol} move?`, symbol, as_of: asOf });
}

/** Asks a ready-made question about the whole market. */
export function askMarket(text) {
  setMode("ask");
  scoped = false;
  drawChips();
  return submit(text);
}

function drawChips() {
  const scope = byId("scope-chip");
  if (!store.selected) scoped = false;
  scope.setAttribute("aria-pressed", String(scoped));
  setText(scope, scoped ? `${store.selected} only` : "Whole market");
  const chip = byId("asof-chip");
  chip.dataset.past = String(Boolean(store.asOf));
  chip.disabled = !store.asOf;
  setText(byId("asof-text"), store.asOf ? timeOfDay(store.asOf) : "now");
}
