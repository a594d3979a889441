// The WebSocket of docs/api.md: connects, says which topics it wants, notices silence, and comes back by itself with
// growing pauses. Silence alone is no loss (a market may be closed): over HTTP it asks whether the server lives.

const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 10_000;
const QUIET_MS = 4_000;
const ANSWER_MS = 10_000;
const PROBE_MS = 5_000;
const INTERVAL_MS = 100;

export class Stream {
  /** `onMessage(object)` per frame; `onPhase(phase, {retryAt, reason})` on "connecting", "open", "quiet" and "lost". */
  constructor(path, { onMessage, onPhase }) {
    this.url = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;
    this.onMessage = onMessage;
    this.onPhase = onPhase;
    this.topics = new Set();
    this.failures = 0;
    this.socket = null;
    this.phase = "";
    this.lastFrameAt = 0;
    setInterval(() => this.#watch(), 500);
  }

  connect() {
    clearTimeout(this.timer);
    this.#drop();
    this.#enter("connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.openedAt = performance.now();
    socket.onopen = () => {
      this.lastFrameAt = performance.now();
      this.#send({ subscribe: [...this.topics], interval_ms: INTERVAL_MS });
    };
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => {
      if (this.socket === socket) this.#lost(event.reason || "the server closed the connection");
    };
  }

  /** Makes `wanted` the topics, now and after every reconnection. */
  want(wanted) {
    const next = new Set(wanted);
    const leave = [...this.topics].filter((topic) => !next.has(topic));
    const join = [...next].filter((topic) => !this.topics.has(topic));
    this.topics = next;
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (leave.length) this.#send({ unsubscribe: leave });
    if (join.length) this.#send({ subscribe: join, interval_ms: INTERVAL_MS });
  }

  #send(message) {
    this.socket.send(JSON.stringify(message));
  }

  #take(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    this.failures = 0;
    this.lastFrameAt = performance.now();
    this.#enter("open");
    this.onMessage(message);
  }

  #watch() {
    const now = performance.now();
    if (this.phase === "connecting" && now - this.openedAt > ANSWER_MS) this.#lost("no answer");
    if (this.phase !== "open" && this.phase !== "quiet") return;
    if (now - this.lastFrameAt < QUIET_MS) return;
    this.#enter("quiet");
    if (now - (this.probedAt ?? -Infinity) > PROBE_MS) this.#probe(now);
  }

  async #probe(now) {
    this.probedAt = now;
    const socket = this.socket;
    try {
      await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
    } catch {
      if (this.socket === socket && this.phase === "quiet") this.#lost("the server does not answer");
    }
  }

  #lost(reason) {
    this.#drop();
    const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** this.failures) * (0.85 + Math.random() * 0.3);
    this.failures += 1;
    this.timer = setTimeout(() => this.connect(), pause);
    this.#enter("lost", { retryAt: performance.now() + pause, reason });
  }

  #drop() {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  #enter(phase, detail = {}) {
    if (phase === this.phase && phase !== "lost") return;
    this.phase = phase;
    this.onPhase(phase, detail);
  }
}
