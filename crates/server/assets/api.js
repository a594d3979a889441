// The HTTP side of docs/api.md. Every failure becomes an `ApiError` that says what, and what to do next.

export class ApiError extends Error {
  constructor(message, hint, status) {
    super(message);
    this.hint = hint ?? "";
    this.status = status ?? 0;
  }
}

const UNREACHABLE = "Check that ouzel is running; the console tries again by itself.";

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached", UNREACHABLE, 0);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  try {
    const { error } = await response.json();
    return new ApiError(error.message, error.hint, response.status);
  } catch {
    return new ApiError(`The server answered ${response.status}`, "See its log for the cause.", response.status);
  }
}

async function json(path, options) {
  const response = await request(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The answer was cut short", UNREACHABLE, response.status);
  }
}

const post = (body, signal) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

const query = (parameters) => {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
};

export const symbols = () => json("/v1/symbols?sort=move&limit=1000");
export const feed = () => json("/v1/feed");
export const book = (symbol) => json(`/v1/book/${encodeURIComponent(symbol)}?depth=10`);
export const bars = (symbol, span, limit) => json(`/v1/bars/${encodeURIComponent(symbol)}${query({ span, limit })}`);
export const vwap = (symbol, limit) => json(`/v1/vwap${query({ symbol, limit })}`);
export const signals = (limit) => json(`/v1/signals${query({ limit })}`);
export const evidence = (limit) => json(`/v1/evidence${query({ limit })}`);
export const rejected = () => json("/v1/rejected");
export const search = (body, signal) => json("/v1/search", post(body, signal));

/** One document as it was known at `asOf`. */
export async function document(id, asOf) {
  const answer = await json(`/v1/documents/${encodeURIComponent(id)}${query({ as_of: asOf })}`);
  return answer.document ?? answer;
}

/** Asks; `onToken` gets text as it comes. Resolves to the whole answer, streamed or not. */
export async function ask(body, onToken, signal) {
  const options = post({ ...body, stream: true }, signal);
  options.headers.accept = "text/event-stream, application/json";
  const response = await request("/v1/ask", options);
  const type = response.headers.get("content-type") ?? "";
  if (!type.includes("text/event-stream") || !response.body) return response.json();
  for await (const { event, data } of serverSentEvents(response.body)) {
    const value = parse(data);
    if (event === "token") onToken(value.text ?? "");
    else if (event === "answer") return value;
    else if (event === "error") throw new ApiError(value.error?.message ?? value.message ?? "The answer failed", value.error?.hint ?? value.hint);
  }
  throw new ApiError("The answer was cut short", "Ask again.", 0);
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new ApiError("The server sent something that is not JSON", "Ask again.", 0);
  }
}

/** Server-sent events of a response body: `{event, data}`. */
async function* serverSentEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest = (rest + (value ?? "")).replace(/\r\n?/g, "\n");
      for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
        const found = eventOf(rest.slice(0, end));
        rest = rest.slice(end + 2);
        if (found) yield found;
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { event, data: data.join("\n") } : null;
}
