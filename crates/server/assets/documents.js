// Documents by id, fetched once per instant, and the proof that a quote stands where a citation says.

import * as api from "./api.js";
import { cutAtBytes } from "./format.js";

const LIMIT = 64;
const cache = new Map();

/** The document as known at `asOf`; repeated calls share one request. */
export function fetchDocument(id, asOf) {
  const key = `${id}|${asOf ?? ""}`;
  let found = cache.get(key);
  if (!found) {
    found = api.document(id, asOf);
    cache.set(key, found);
    found.catch(() => cache.delete(key));
    if (cache.size > LIMIT) cache.delete(cache.keys().next().value);
  }
  return found;
}

/** The passage `[start, end)` cut out of the text, and whether it reads exactly as `quote`. */
export function locate(text, start, end, quote) {
  const cut = cutAtBytes(text, start, end);
  return { ...cut, verbatim: quote === undefined || cut.quote === quote };
}
