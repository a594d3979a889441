// The theme: which one, and its colours for what is drawn on a canvas.

import { byId } from "./dom.js";
import { changed } from "./store.js";

const NAMES = ["text", "muted", "line", "grid", "panel", "up", "down", "flat", "accent", "mark", "warn", "up-soft", "down-soft"];
let colours = read();

function read() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Colours of the current theme. */
export function palette() {
  return colours;
}

/** The other theme, remembered. */
export function toggleTheme() {
  const root = document.documentElement;
  apply(root.dataset.theme === "light" ? "dark" : "light");
  try {
    localStorage.setItem("ouzel.theme", root.dataset.theme);
  } catch {
    // Storage may be forbidden; the theme then lasts as long as the page.
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = theme;
  colours = read();
  changed("theme");
}

/** Wires the button, and follows the system until a person has chosen. */
export function startTheme() {
  colours = read();
  byId("theme-button").addEventListener("click", toggleTheme);
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", (event) => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("ouzel.theme");
    } catch {
      // As above.
    }
    if (!chosen) apply(event.matches ? "light" : "dark");
  });
}
