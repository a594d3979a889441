// Numbers, instants and byte spans as people read them.

const MINUS = "\u2212";
const fixed = new Map();

function formatter(digits) {
  let found = fixed.get(digits);
  if (!found) {
    found = new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    fixed.set(digits, found);
  }
  return found;
}

const present = (value) => typeof value === "number" && Number.isFinite(value);

/** Decimals in which a price of this size is shown. */
export function priceDigits(price) {
  const size = Math.abs(price);
  if (size >= 1 || size === 0) return 2;
  return size >= 0.01 ? 4 : 8;
}

/** Decimals needed by the finest of these exact prices, at least two. */
export function exactDigits(pricesE9) {
  let digits = 2;
  for (const units of pricesE9) {
    let rest = Math.abs(units) % 1e9;
    let need = 9;
    while (need > 2 && rest % 10 === 0) {
      rest /= 10;
      need -= 1;
    }
    digits = Math.max(digits, need);
  }
  return digits;
}

export function price(value, digits) {
  if (!present(value)) return "–";
  return formatter(digits ?? priceDigits(value)).format(value).replace("-", MINUS);
}

export function integer(value) {
  return present(value) ? formatter(0).format(value) : "–";
}

/** 1,234 or 12.3K or 4.56M: never wider than five characters. */
export function compact(value) {
  if (!present(value)) return "–";
  const size = Math.abs(value);
  if (size < 10_000) return Number.isInteger(value) ? formatter(0).format(value) : trim(value.toFixed(size < 1 ? 4 : 2));
  for (const [unit, letter] of [[1e3, "K"], [1e6, "M"], [1e9, "B"], [1e12, "T"]]) {
    const part = size / unit;
    if (part < 999.5) {
      const digits = part < 10 ? 2 : part < 100 ? 1 : 0;
      return `${value < 0 ? MINUS : ""}${part.toFixed(digits)}${letter}`;
    }
  }
  return value.toExponential(1);
}

const trim = (text) => text.replace(/\.?0+$/, "");

/** Basis points as a signed percentage; the sign is always written, so that colour is never the only cue. */
export function percent(bp) {
  if (!present(bp)) return "–";
  const text = Math.abs(bp / 100).toFixed(2);
  if (text === "0.00") return "0.00%";
  return `${bp < 0 ? MINUS : "+"}${text}%`;
}

export function direction(value) {
  if (!present(value) || Math.abs(value) < 0.5) return "flat";
  return value > 0 ? "up" : "down";
}

/** Nanoseconds in the unit that keeps three figures. */
export function nanos(ns) {
  if (!present(ns)) return "–";
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  for (const [unit, name] of [[1e3, "µs"], [1e6, "ms"], [1e9, "s"]]) {
    const part = ns / unit;
    if (part < 999.5 || name === "s") return `${part.toFixed(part < 10 ? 2 : part < 100 ? 1 : 0)} ${name}`;
  }
  return "–";
}

/** Milliseconds as an age: 80 ms, 1.2 s, 3 min, 2 h, 5 d. */
export function age(ms) {
  if (!present(ms)) return "–";
  const size = Math.max(0, ms);
  if (size < 1_000) return `${Math.round(size)} ms`;
  if (size < 10_000) return `${(size / 1e3).toFixed(1)} s`;
  if (size < 120_000) return `${Math.round(size / 1e3)} s`;
  if (size < 7_200_000) return `${Math.round(size / 6e4)} min`;
  if (size < 172_800_000) return `${Math.round(size / 3.6e6)} h`;
  return `${Math.round(size / 8.64e7)} d`;
}

/** Milliseconds since 1970 of an RFC 3339 instant; NaN when it is not one. */
export function millis(instant) {
  if (typeof instant !== "string") return NaN;
  return Date.parse(instant.replace(/(\.\d{3})\d+/, "$1"));
}

/** `14:30:00.123` of an RFC 3339 instant in UTC. */
export function timeOfDay(instant, digits = 3) {
  const match = /T(\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(instant ?? "");
  if (!match) return "–";
  return digits === 0 ? match[1] : `${match[1]}.${(match[2] ?? "").padEnd(digits, "0").slice(0, digits)}`;
}

/** `2026-11-23 14:30:00 UTC`, without the date when it is today's. */
export function moment(instant, digits = 3) {
  if (!instant) return "–";
  const day = instant.slice(0, 10);
  const clock = timeOfDay(instant, digits);
  return day === new Date().toISOString().slice(0, 10) ? `${clock} UTC` : `${day} ${clock} UTC`;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Cuts `text` at byte offsets of its UTF-8 form, as the API counts them. */
export function cutAtBytes(text, start, end) {
  const bytes = encoder.encode(text);
  const from = Math.min(Math.max(0, start), bytes.length);
  const to = Math.min(Math.max(from, end), bytes.length);
  return {
    before: decoder.decode(bytes.subarray(0, from)),
    quote: decoder.decode(bytes.subarray(from, to)),
    after: decoder.decode(bytes.subarray(to)),
  };
}

/** The tail of `before` and the head of `after` that fit around a quote, cut at words. */
export function surroundings(before, after, width) {
  const lead = before.length > width ? before.slice(-width).replace(/^\S*\s/, "\u2026") : before;
  const rest = after.length > width ? after.slice(0, width).replace(/\s\S*$/, "\u2026") : after;
  return { lead, rest };
}
