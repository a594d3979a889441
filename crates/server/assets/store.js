// What the console knows, and who redraws when a part of it changes. Frames from the network only write here; drawing
// happens once per animation frame, however many frames arrived.

export const store = {
  /** symbol -> row of /v1/symbols */
  symbols: new Map(),
  /** How the first load went: "loading", "ready" or an error. */
  loaded: { phase: "loading", error: null },
  /** The open symbol. */
  selected: null,
  book: null,
  /** Why the open symbol has no book. */
  bookError: null,
  feed: null,
  /** Newest first. */
  signals: [],
  /** Bundles of evidence, newest first. */
  bundles: [],
  /** `phase`: "connecting", "open", "quiet" or "lost". Times are performance.now(). */
  connection: { phase: "connecting", retryAt: 0, lastFrameAt: 0, reason: "" },
  /** Newest event time seen, and when it last moved forward on our clock. */
  newest: { event: "", advancedAt: 0 },
  /** The instant questions are asked as of; null is now. */
  asOf: null,
  version: "",
};

const SIGNALS_LIMIT = 500;
const BUNDLES_LIMIT = 200;
/** Topics that the network or a clock moves: drawn at most once per this many milliseconds. */
const LAZY = new Set(["symbols", "book", "feed", "clock", "bars"]);
const LAZY_MS = 90;

const listeners = new Map();
const prepares = [];
const dirty = new Set();
let frame = 0;
let timer = 0;
let drawnAt = 0;

/** Calls `draw` in an animation frame soon after any of these topics changed. */
export function on(topics, draw) {
  for (const topic of topics.split(" ")) {
    if (!listeners.has(topic)) listeners.set(topic, new Set());
    listeners.get(topic).add(draw);
  }
}

/** Calls `prepare` just before each animation frame is asked for: for parts that ask for frames of their own, so that
 * both fall into the same one. */
export function beforeFrame(prepare) {
  prepares.push(prepare);
}

/** Says that a topic changed. What a person did is drawn in the next frame, the rest when it is due. */
export function changed(topic) {
  for (const draw of listeners.get(topic) ?? []) dirty.add(draw);
  if (!LAZY.has(topic)) return askForFrame();
  if (frame || timer) return undefined;
  timer = setTimeout(askForFrame, Math.max(0, drawnAt + LAZY_MS - performance.now()));
  return undefined;
}

function askForFrame() {
  clearTimeout(timer);
  timer = 0;
  if (frame) return;
  for (const prepare of prepares) prepare();
  frame = requestAnimationFrame(flush);
}

function flush() {
  frame = 0;
  drawnAt = performance.now();
  const draws = [...dirty];
  dirty.clear();
  for (const draw of draws) draw();
}

/** Takes rows of /v1/symbols or of a `movers` frame, whole or partial. */
export function takeSymbols(rows) {
  for (const row of rows ?? []) {
    if (!row || typeof row.symbol !== "string") continue;
    store.symbols.set(row.symbol, row);
    noteEvent(row.ts_event);
  }
  changed("symbols");
}

/** Takes a book if it is the open symbol's and not older than the one shown. */
export function takeBook(book) {
  if (!book || book.symbol !== store.selected) return;
  const shown = store.book;
  if (shown && shown.symbol === book.symbol && shown.seq > book.seq) return;
  store.book = book;
  store.bookError = null;
  noteEvent(book.ts_event);
  changed("book");
}

/** Takes the feed's status. */
export function takeFeed(feed) {
  if (!feed || typeof feed !== "object" || !feed.state) return;
  store.feed = feed;
  changed("feed");
}

export const signalKey = (signal) =>
  `${signal.symbol}:${signal.seq}:${signal.kind}${signal.rule ? `:${signal.rule}:${signal.at}` : ""}`;

/** Takes signals in any order; keeps the newest, each once. */
export function takeSignals(signals) {
  const known = new Set(store.signals.map(signalKey));
  const fresh = (signals ?? []).filter((s) => s && s.symbol && s.at && !known.has(signalKey(s)));
  if (fresh.length === 0) return [];
  store.signals.push(...fresh);
  store.signals.sort((a, b) => (before(a.at, b.at) ? 1 : before(b.at, a.at) ? -1 : b.seq - a.seq));
  store.signals.length = Math.min(store.signals.length, SIGNALS_LIMIT);
  changed("signals");
  return fresh;
}

/** Numbers begin anew with each run of the server. */
export const bundleKey = (bundle) => `${bundle.number}:${bundle.symbol}:${bundle.at}`;

/** Takes bundles of evidence in any order; keeps the newest, each once. */
export function takeBundles(bundles) {
  const known = new Set(store.bundles.map(bundleKey));
  const fresh = (bundles ?? []).filter((b) => b && b.symbol && b.at && !known.has(bundleKey(b)));
  if (fresh.length === 0) return;
  store.bundles.push(...fresh);
  store.bundles.sort((a, b) => (before(a.at, b.at) ? 1 : before(b.at, a.at) ? -1 : b.number - a.number));
  store.bundles.length = Math.min(store.bundles.length, BUNDLES_LIMIT);
  changed("bundles");
}

/** RFC 3339 instants in UTC compare as text once their `Z` is off: a shorter fraction is a prefix. */
const before = (a, b) => a.slice(0, -1) < b.slice(0, -1);

/** Keeps the newest event time. */
function noteEvent(instant) {
  if (instant && before(store.newest.event, instant)) {
    store.newest.event = instant;
    store.newest.advancedAt = performance.now();
  }
}
