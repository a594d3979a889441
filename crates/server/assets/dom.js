// The only place where elements are made. Text from the network enters the page as text nodes, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id; a missing one is a mistake in index.html and is said at once. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html lacks #${id}`);
  return element;
}

/** `h("p", {class: "note", onclick: f}, "text", child)`: strings become text nodes. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An SVG element. */
export function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** An icon of the sprite in index.html. */
export function icon(name, extra = "") {
  const element = svg("svg", { class: `icon ${extra}`.trim(), "aria-hidden": "true" });
  element.append(svg("use", { href: `#i-${name}` }));
  return element;
}

/** Writes text only when it differs: an untouched node costs no layout. */
export function setText(element, text) {
  if (element.lastText === text) return;
  element.lastText = text;
  element.textContent = text;
}

/** Writes a data attribute only when it differs. */
export function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

/** Shows or hides with the `hidden` attribute. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** Marks one button of a radio group as chosen. */
export function choose(buttons, chosen) {
  for (const button of buttons) button.setAttribute("aria-checked", String(button === chosen));
}

/** The message that covers a panel with nothing to show: `{icon, title, text, action: {label, run}}`, or null. */
export function cover(element, message) {
  if (!message) {
    if (element.firstChild) element.replaceChildren();
    element.removeAttribute("data-kind");
    element.coverKey = "";
    return;
  }
  const key = `${message.kind}|${message.title}|${message.text}`;
  if (element.coverKey === key) return;
  element.coverKey = key;
  element.dataset.kind = message.kind;
  const body = h("div", { class: "cover-body" });
  if (message.icon) body.append(icon(message.icon, "big"));
  body.append(h("p", { class: "cover-title" }, message.title));
  if (message.text) body.append(h("p", { class: "cover-text" }, message.text));
  if (message.action) {
    body.append(h("button", { type: "button", class: "button small", onclick: message.action.run }, message.action.label));
  }
  element.replaceChildren(body);
}

/** Grey bars with the shape of what is coming. */
export function skeleton(rows, className) {
  const box = h("div", { class: `skeleton ${className}`, "aria-hidden": "true" });
  for (let i = 0; i < rows; i += 1) box.append(h("i"));
  return box;
}
