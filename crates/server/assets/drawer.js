// The document drawer: a whole document with the cited bytes highlighted.

import { byId, h, icon, show, skeleton } from "./dom.js";
import { fetchDocument, locate } from "./documents.js";
import { moment } from "./format.js";

let opener = null;
let ticket = 0;

export function startDrawer() {
  byId("drawer-close").addEventListener("click", closeDrawer);
  byId("scrim").addEventListener("click", closeDrawer);
  byId("drawer").addEventListener("keydown", keepFocus);
}

export const drawerIsOpen = () => !byId("drawer").hidden;

/** Opens `{document_id, title, source, start, end, quote?}` as known at `asOf`. */
export async function openDrawer(citation, asOf) {
  const mine = (ticket += 1);
  if (!drawerIsOpen()) opener = document.activeElement;
  setRest(true);
  show(byId("scrim"), true);
  show(byId("drawer"), true);
  byId("drawer-title").textContent = citation.title || citation.document_id;
  byId("drawer-meta").textContent = citation.source ?? "";
  byId("drawer-proof").replaceChildren();
  byId("drawer-body").replaceChildren(skeleton(9, "text"));
  byId("drawer-close").focus();
  try {
    const found = await fetchDocument(citation.document_id, asOf);
    if (mine === ticket) fill(found, citation);
  } catch (error) {
    if (mine === ticket) fail(error, citation, asOf);
  }
}

function fill(found, citation) {
  const text = found.text ?? "";
  const { before, quote, after, verbatim } = locate(text, citation.start, citation.end, citation.quote);
  const mark = h("mark", { id: "drawer-mark" }, quote);
  byId("drawer-title").textContent = found.title || citation.title || found.id;
  byId("drawer-meta").replaceChildren(...meta(found));
  byId("drawer-body").replaceChildren(h("p", { class: "document-text" }, before, mark, after));
  byId("drawer-proof").replaceChildren(
    icon(verbatim ? "check" : "alert"),
    verbatim
      ? `${citation.quote === undefined ? "Passage" : "Quote found word for word"} at bytes ${citation.start}–${citation.end}`
      : "The document does not read as the quote at these bytes: it may have been revised",
  );
  byId("drawer-proof").dataset.level = verbatim ? "ok" : "bad";
  mark.scrollIntoView({ block: "center" });
}

function meta(found) {
  const parts = [];
  const add = (label, value) => value && parts.push(h("span", {}, h("span", { class: "sub" }, `${label} `), value));
  add("", found.source);
  add("", (found.symbols ?? []).join(" "));
  add("happened", found.event_at && moment(found.event_at, 0));
  add("known", found.known_at && moment(found.known_at, 0));
  add("id", found.id);
  if (/^https?:\/\//i.test(found.url ?? "")) {
    parts.push(h("a", { href: found.url, target: "_blank", rel: "noopener noreferrer" }, "original"));
  }
  return parts;
}

function fail(error, citation, asOf) {
  byId("drawer-body").replaceChildren(
    h(
      "div",
      { class: "cover-body" },
      icon("alert", "big"),
      h("p", { class: "cover-title" }, error.message),
      h("p", { class: "cover-text" }, error.hint ?? ""),
      h("button", { type: "button", class: "button small", onclick: () => openDrawer(citation, asOf) }, "Try again"),
    ),
  );
}

export function closeDrawer() {
  if (!drawerIsOpen()) return;
  ticket += 1;
  show(byId("drawer"), false);
  show(byId("scrim"), false);
  setRest(false);
  opener?.focus?.();
  opener = null;
}

/** While the drawer is open nothing behind it takes focus or clicks. */
function setRest(inert) {
  for (const part of document.querySelectorAll(".topbar, .command, .desk, .tabs, .foot")) part.toggleAttribute("inert", inert);
}

function keepFocus(event) {
  if (event.key !== "Tab") return;
  const stops = [...byId("drawer").querySelectorAll("button, a[href], [tabindex='0']")];
  const edge = event.shiftKey ? stops[0] : stops.at(-1);
  if (document.activeElement !== edge) return;
  (event.shiftKey ? stops.at(-1) : stops[0]).focus();
  event.preventDefault();
}
