// The keyboard.

import { byId } from "./dom.js";
import { toggleTheme } from "./palette.js";
import { store } from "./store.js";
import { toggleSpan } from "./chart.js";
import { focusBox, setAsOf, setMode } from "./command.js";
import { closeDrawer, drawerIsOpen } from "./drawer.js";
import { cursorSymbol, moveCursor } from "./movers.js";
import { toggleTall } from "./why.js";

const PANELS = { 1: "movers", 2: "chart", 3: "ladder", 4: "why" };

/** `open`, `why` and `reveal(panel)` are what keys can do to the desk. */
export function startKeys({ open, why, reveal }) {
  const focusMovers = () => {
    reveal("movers");
    byId("movers-view").focus({ preventScroll: true });
  };
  const move = (step) => {
    focusMovers();
    moveCursor(step);
  };
  const focusPanel = (key) => {
    reveal(PANELS[key]);
    if (PANELS[key] === "movers") focusMovers();
    else byId(PANELS[key]).focus({ preventScroll: true });
  };
  const deeds = {
    "/": () => { setMode("ask"); focusBox(); },
    s: () => setMode("search", true),
    j: () => move(1),
    k: () => move(-1),
    Enter: () => cursorSymbol() && open(cursorSymbol()),
    w: () => cursorSymbol() && why(cursorSymbol()),
    f: () => { reveal("movers"); byId("movers-filter").focus(); },
    m: toggleSpan,
    e: toggleTall,
    t: toggleTheme,
    "?": toggleHelp,
    1: () => focusPanel(1),
    2: () => focusPanel(2),
    3: () => focusPanel(3),
    4: () => focusPanel(4),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") return escape(event);
    if (typing(event.target) || drawerIsOpen() || byId("help").open) return;
    if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
    const deed = deeds[event.key];
    if (!deed) return;
    event.preventDefault();
    deed();
  });
  byId("help-button").addEventListener("click", toggleHelp);
  byId("help-close").addEventListener("click", () => byId("help").close());
  byId("help").addEventListener("click", (event) => event.target === byId("help") && byId("help").close());
}

const typing = (target) => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

function toggleHelp() {
  const help = byId("help");
  if (help.open) help.close();
  else help.showModal();
}

/** Closes the innermost open thing; with nothing open, goes back to now. */
function escape(event) {
  if (byId("help").open) return;
  if (drawerIsOpen()) closeDrawer();
  else if (typing(event.target)) event.target.blur();
  else if (store.asOf) setAsOf(null);
}
