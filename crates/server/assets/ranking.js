// The order of the movers list. It changes at most once a second, and not while a pointer rests on it: a row must not
// slip away under a click.

import { store } from "./store.js";

const RERANK_MS = 1_000;

export class Ranking {
  constructor() {
    this.rows = [];
    this.sort = "move";
    this.filter = "";
    this.held = false;
    this.rankedAt = -Infinity;
    this.known = 0;
    /** Largest absolute change on the list: the full length of a change bar, basis points. */
    this.scaleBp = 1;
  }

  /** Orders again if it is time; true if the order may have changed. */
  refresh(now, force = false) {
    const grew = store.symbols.size !== this.known;
    if (!force && !grew && (this.held || now - this.rankedAt < RERANK_MS)) return false;
    this.rankedAt = now;
    this.known = store.symbols.size;
    const wanted = this.filter.toLowerCase();
    const keep = (row) =>
      !wanted || row.symbol.toLowerCase().includes(wanted) || (row.name ?? "").toLowerCase().includes(wanted);
    const rows = [...store.symbols.values()].filter(keep);
    rows.sort(ORDERS[this.sort]);
    this.rows = rows.map((row) => row.symbol);
    this.scaleBp = Math.max(50, ...rows.map((row) => Math.abs(row.change_bp ?? 0)));
    return true;
  }

  indexOf(symbol) {
    return this.rows.indexOf(symbol);
  }
}

const bySymbol = (a, b) => (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0);
const size = (row) => (typeof row.change_bp === "number" ? Math.abs(row.change_bp) : -1);

const ORDERS = {
  move: (a, b) => size(b) - size(a) || bySymbol(a, b),
  volume: (a, b) => (b.volume ?? 0) - (a.volume ?? 0) || bySymbol(a, b),
  symbol: bySymbol,
};
