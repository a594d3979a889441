// The top bar: where the feed stands, its two lines, latency, the check against the venue, and what to do when the
// connection is lost.

import { byId, setData, setText, show } from "./dom.js";
import { age, compact, integer, millis, nanos } from "./format.js";
import { changed, on, store } from "./store.js";

const FRESH_MS = 1_000;
const STALE_MS = 5_000;
const LINE_QUIET_MS = 2_000;
const RECOVERING_MS = 500;

const FEED = { live: "Live", joining: "Joining", recovering: "Recovering", ended: "Session ended" };

/** `retry()` connects at once; `showFeed()` brings the feed panel up. */
export function startTopbar({ retry, showFeed }) {
  byId("banner-retry").addEventListener("click", retry);
  for (const id of ["line-a", "line-b"]) byId(id).addEventListener("click", showFeed);
  on("feed connection", drawFeed);
  on("connection clock", drawConnection);
  on("clock symbols", drawFresh);
  setInterval(() => changed("clock"), 250);
  on("clock", () => setText(byId("clock"), `${new Date().toISOString().slice(11, 19)} UTC`));
}

let recoveringSince = Infinity;

/** A gap that closes at once is no news: "Recovering" is shown when it lasts. */
function settled(state, now) {
  if (state !== "recovering") {
    recoveringSince = Infinity;
    return state;
  }
  recoveringSince = Math.min(recoveringSince, now);
  return now - recoveringSince < RECOVERING_MS ? "live" : state;
}

const connected = () => store.connection.phase === "open";

function drawFeed() {
  const feed = store.feed;
  const { phase } = store.connection;
  const state = settled(feed?.state, performance.now());
  const word = phase === "quiet" ? "Silent" : !feed ? "Connecting" : FEED[state] ?? state;
  setText(byId("feed-text"), word);
  const lamp = phase === "quiet" ? "warn" : !feed ? "idle" : { live: "ok", ended: "idle", joining: "idle" }[state] ?? "warn";
  setData(byId("feed-pill"), "lamp", lamp);
  drawLine(byId("line-a"), feed, 0);
  drawLine(byId("line-b"), feed, 1);
  drawLatency(feed);
  drawCheck(feed?.check);
  const venue = feed?.venue;
  const badge = byId("venue-badge");
  show(badge, Boolean(venue?.simulated || venue?.label));
  setText(badge, venue?.simulated ? "Simulated venue" : venue?.label ?? "");
  setData(badge, "simulated", String(Boolean(venue?.simulated)));
  if (venue?.label) badge.title = venue.label;
}

function drawLine(pill, feed, index) {
  const line = feed?.lines?.[index];
  const part = (name) => pill.querySelector(`[data-k="${name}"]`);
  setText(part("wins"), line ? compact(line.wins) : "–");
  setText(part("missed"), line ? compact(line.missed) : "–");
  const state = lineState(line, feed);
  setData(pill, "lamp", state.lamp);
  const name = String.fromCharCode(65 + index);
  const label = line
    ? `Line ${name}: ${state.word}, first with ${integer(line.wins)} messages, missed ${integer(line.missed)}`
    : `Line ${name}: no data`;
  if (pill.title !== label) {
    pill.title = label;
    pill.setAttribute("aria-label", label);
  }
}

/** Whether a line still speaks, judged by the other line's clock and not ours: the two clocks may differ. */
export function lineState(line, feed) {
  if (!line || !line.packets) return { lamp: "idle", word: "nothing received" };
  const newest = Math.max(...feed.lines.map((other) => millis(other.last_recv) || 0));
  const behind = newest - millis(line.last_recv);
  if (behind > LINE_QUIET_MS) return { lamp: "bad", word: `silent for ${age(behind)}` };
  if (line.kernel_drops > 0) return { lamp: "warn", word: "kernel drops" };
  return { lamp: "ok", word: "healthy" };
}

function drawLatency(feed) {
  const box = byId("latency");
  setText(box.querySelector('[data-k="p50"]'), nanos(feed?.latency_ns?.p50));
  setText(box.querySelector('[data-k="p99"]'), nanos(feed?.latency_ns?.p99));
}

function drawCheck(check) {
  const box = byId("check");
  const done = Boolean(check && check.checked > 0);
  const equal = done && !check.unequal && check.equal !== false;
  setData(box, "state", !done ? "none" : equal ? "equal" : "unequal");
  box.querySelector("use").setAttribute("href", equal ? "#i-check" : done ? "#i-cross" : "#i-none");
  setText(box.querySelector('[data-k="text"]'), !done || equal ? "books = venue" : "books ≠ venue");
  const count = !done ? "unchecked" : equal ? `${integer(check.checked)} checks` : `${integer(check.unequal)} of ${integer(check.checked)}`;
  setText(box.querySelector('[data-k="count"]'), count);
}

function drawConnection() {
  const { phase, retryAt, wasLost } = store.connection;
  const lost = phase === "lost" || (phase === "connecting" && wasLost);
  show(byId("banner"), lost);
  byId("status-live").toggleAttribute("inert", lost);
  setData(byId("status"), "lost", String(lost));
  setData(document.body, "connection", lost ? "lost" : phase);
  if (!lost) return;
  const since = store.connection.lastFrameAt;
  const shown = since ? `Showing data from ${age(performance.now() - since)} ago.` : "Nothing received yet.";
  const wait = Math.max(0, Math.ceil((retryAt - performance.now()) / 1_000));
  const next = phase === "connecting" ? "Connecting…" : `Retrying in ${wait} s.`;
  setText(byId("banner-text"), `${shown} ${next}`);
}

function drawFresh() {
  const box = byId("fresh");
  const at = store.newest.advancedAt;
  const ms = at ? performance.now() - at : NaN;
  const lamp = !at ? "idle" : ms <= FRESH_MS ? "ok" : ms <= STALE_MS ? "warn" : "bad";
  setData(box, "lamp", connected() || lamp === "idle" ? lamp : "bad");
  // Below a second the exact age only flickers.
  setText(box.querySelector(".num"), !at ? "no data" : ms <= FRESH_MS ? "fresh ≤ 1 s" : `${age(ms)} old`);
}
