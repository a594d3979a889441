"""A small made-up market with the shapes of docs/api.md: enough to drive the console, no more."""

import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

HEADS = "Alder Basalt Cobalt Dunlin Ember Fathom Garnet Harrier Indigo Juniper Kestrel Lichen Merlin Nimbus Osprey Pewter Quill Ridge Sable Tern".split()
TAILS = ["Semiconductor", "Therapeutics", "Foods", "Energy", "Networks"]
HISTORY_S = 900


def rfc3339(ns: int) -> str:
    whole = datetime.fromtimestamp(ns // 1_000_000_000, timezone.utc)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns % 1_000_000_000:09d}Z"


@dataclass
class Symbol:
    symbol: str
    name: str
    open: float
    last: float
    drift: float
    activity: float
    volume: int = 0
    state: str = "trading"
    integrity: str = "ok"
    signals: int = 0
    bars: list = field(default_factory=list)
    trades: list = field(default_factory=list)
    ts_event: int = 0
    seq: int = 0


class Market:
    def __init__(self, seed: int, count: int):
        self.random = random.Random(seed)
        self.seq = 1_204_331
        self.signals = []
        self.documents = {}
        self.lines = [dict(packets=0, wins=0, duplicates=0, missed=0) for _ in range(2)]
        self.checked = 1_180
        self.recovered = 41
        self.symbols = {}
        for index in range(count):
            head, tail = HEADS[index % len(HEADS)], TAILS[(index // len(HEADS) + index) % len(TAILS)]
            code = (head[:2] + tail[0] + chr(65 + (index * 7) % 26)).upper()
            while code in self.symbols:
                code = code[:3] + chr(65 + self.random.randrange(26))
            price = round(self.random.choice([12, 18, 42, 96, 163, 310, 880]) * self.random.uniform(0.7, 1.4), 2)
            self.symbols[code] = Symbol(code, f"{head} {tail}", price, price, self.random.gauss(0, 6e-6), self.random.uniform(0.15, 1.0))
        self.now = time.time_ns()
        self._history()
        self.plan = None

    def _history(self):
        start = self.now - HISTORY_S * 1_000_000_000
        codes = list(self.symbols)
        jumps = {codes[3]: (700, -0.047), codes[17]: (520, 0.034), codes[41 % len(codes)]: (800, 0.021)}
        for second in range(HISTORY_S):
            at = start + second * 1_000_000_000
            for s in self.symbols.values():
                planned = jumps.get(s.symbol)
                if planned and planned[0] == second:
                    self.shock(s, planned[1], at)
                elif self.random.random() < s.activity:
                    self._trade(s, at, 3)

    def _trade(self, s: Symbol, at: int, prints: int):
        for _ in range(prints):
            step = self.random.gauss(s.drift, 1.6e-4)
            s.last = round(max(0.05, s.last * (1 + step)), 2)
            self._print(s, at, self.random.choice([100, 100, 200, 300, 50, 1200]))

    def _print(self, s: Symbol, at: int, qty: int):
        self.seq += 1
        s.seq, s.ts_event = self.seq, at
        s.volume += qty
        start = at - at % 1_000_000_000
        bar = s.bars[-1] if s.bars and s.bars[-1]["t"] == start else None
        if bar is None:
            bar = dict(t=start, open=s.last, high=s.last, low=s.last, close=s.last, volume=0, notional=0.0, trades=0)
            s.bars.append(bar)
            del s.bars[:-2000]
        bar["high"], bar["low"], bar["close"] = max(bar["high"], s.last), min(bar["low"], s.last), s.last
        bar["volume"] += qty
        bar["notional"] += qty * s.last
        bar["trades"] += 1

    def shock(self, s: Symbol, move: float, at: int):
        """A jump, its news a moment earlier, and a decoy about someone else."""
        before = s.last
        for part in range(6):
            s.last = round(before * (1 + move * (part + 1) / 6), 2)
            self._print(s, at + part * 120_000_000, 2_400)
        s.drift = 0.0
        signal = dict(symbol=s.symbol, kind="jump", at=rfc3339(at + 720_000_000), seq=self.seq, move_bp=round(move * 1e4), span_ms=840, reason=None, integrity="ok")
        signal.update({"from": before, "to": s.last})
        self.signals.insert(0, signal)
        s.signals += 1
        self._news(s, move, at - 900_000_000)
        return signal

    def _news(self, s: Symbol, move: float, at: int):
        down = move < 0
        body = (
            f"{s.name} (“{s.symbol}”) published preliminary figures on Monday. "
            f"Café-chain orders — a third of sales — were “unchanged”, the company said; freight costs eased by €4m. "
            + (
                f"The company cut its full-year revenue guidance to a range of $2.1 to $2.2 billion, from $2.6 billion, after two large customers postponed deliveries. "
                if down
                else f"The company raised its full-year revenue guidance to a range of $2.9 to $3.0 billion, from $2.6 billion, after it won a five-year supply contract. "
            )
            + "A call with analysts follows at 16:00 UTC. The dividend stays as it is. "
            + "Management did not comment on the effect on the coming year, and said that the order book would be reported with the full results in January."
        )
        kind = "cuts" if down else "raises"
        doc = dict(id=f"news-{s.symbol}-{len(self.documents) + 1:04d}", title=f"{s.name} {kind} full-year revenue guidance", source="Wire desk", symbols=[s.symbol], url="https://example.com/news", text=body, event_at=rfc3339(at), known_at=rfc3339(at + 200_000_000))
        self.documents[doc["id"]] = doc
        other = self.random.choice(list(self.symbols.values()))
        decoy = dict(id=f"note-{other.symbol}-{len(self.documents) + 1:04d}", title=f"{other.name} opens a new distribution hub", source="Company notes", symbols=[other.symbol], url=None, text=f"{other.name} said that its new distribution hub near Zürich has opened. The company expects no effect on this year's results.", event_at=rfc3339(at - 4_000_000_000), known_at=rfc3339(at - 4_000_000_000))
        self.documents[decoy["id"]] = decoy

    def step(self, now: int):
        """The next tenth of a second; returns new signals."""
        self.now = now
        for s in self.symbols.values():
            if s.state == "trading" and self.random.random() < s.activity * 0.35:
                self._trade(s, now, 1)
        for line, loss in zip(self.lines, (0.010, 0.013)):
            line["packets"] += 96
            line["missed"] += sum(self.random.random() < loss for _ in range(96))
        won = self.random.randint(30, 66)
        self.lines[0]["wins"] += won * 4
        self.lines[1]["wins"] += (96 - won) * 4
        self.lines[0]["duplicates"] += (96 - won) * 4
        self.lines[1]["duplicates"] += won * 4
        self.checked += self.random.random() < 0.3
        return self._events(now)

    def _events(self, now: int):
        roll = self.random.random()
        quiet = [s for s in self.symbols.values() if s.state == "trading"]
        if roll < 0.012:
            return [self.shock(self.random.choice(quiet), self.random.choice([-1, 1]) * self.random.uniform(0.012, 0.04), now)]
        halted = [s for s in self.symbols.values() if s.state == "halted"]
        if roll < 0.016 and len(halted) < 2:
            return [self._state(self.random.choice(quiet), "halted", "halt", now)]
        if roll < 0.020 and halted:
            return [self._state(halted[0], "trading", "resume", now)]
        return []

    def _state(self, s: Symbol, state: str, kind: str, now: int):
        self.seq += 1
        s.state = state
        signal = dict(symbol=s.symbol, kind=kind, at=rfc3339(now), seq=self.seq, to=None, move_bp=None, span_ms=None, reason="LUDP" if kind == "halt" else None, integrity="ok")
        signal["from"] = None
        self.signals.insert(0, signal)
        return signal

    # Views, as docs/api.md has them.

    def row(self, s: Symbol):
        bp = round((s.last / s.open - 1) * 1e4, 2)
        tick = 0.01
        return dict(symbol=s.symbol, name=s.name, last=s.last, open=s.open, change_bp=bp, volume=s.volume, vwap=self.vwap(s), bid=round(s.last - tick, 2), ask=round(s.last + tick, 2), integrity=s.integrity, state=s.state, signals=s.signals, ts_event=rfc3339(s.ts_event or self.now))

    def rows(self):
        return sorted((self.row(s) for s in self.symbols.values()), key=lambda r: -abs(r["change_bp"]))

    def vwap(self, s: Symbol, until: int = -1):
        bars = s.bars[-60:] if until < 0 else s.bars[max(0, until - 59) : until + 1]
        volume = sum(b["volume"] for b in bars)
        return round(sum(b["notional"] for b in bars) / volume, 4) if volume else None

    def book(self, s: Symbol):
        shape = random.Random(hash((s.symbol, int(self.now // 150_000_000))))
        def side(sign):
            levels, ticks = [], 1
            for _ in range(10):
                price = round(s.last + sign * ticks * 0.01, 2)
                orders = shape.randint(1, 14)
                levels.append(dict(price=price, price_e9=round(price * 100) * 10_000_000, qty=orders * shape.choice([60, 100, 140, 220]), orders=orders))
                ticks += shape.choice([1, 1, 1, 2])
            return levels
        return dict(symbol=s.symbol, seq=self.seq, ts_event=rfc3339(self.now), ts_recv=rfc3339(self.now + 41_000), integrity=s.integrity, state=s.state, locked=False, crossed=False, bids=side(-1), asks=side(1), last=dict(price=s.last, qty=100, ts_event=rfc3339(s.ts_event or self.now), aggressor="buy"))

    def bar(self, b, seconds=1):
        return dict(start=rfc3339(b["t"]), end=rfc3339(b["t"] + seconds * 1_000_000_000), open=b["open"], high=b["high"], low=b["low"], close=b["close"], volume=b["volume"], vwap=round(b["notional"] / b["volume"], 4), trades=b["trades"], integrity="ok")

    def minute_bars(self, s: Symbol):
        minutes = {}
        for b in s.bars:
            t = b["t"] - b["t"] % 60_000_000_000
            m = minutes.setdefault(t, dict(t=t, open=b["open"], high=b["high"], low=b["low"], close=b["close"], volume=0, notional=0.0, trades=0))
            m["high"], m["low"], m["close"] = max(m["high"], b["high"]), min(m["low"], b["low"]), b["close"]
            for key in ("volume", "notional", "trades"):
                m[key] += b[key]
        return list(minutes.values())

    def vwaps(self, s: Symbol, limit: int):
        count = min(limit, len(s.bars))
        first = len(s.bars) - count
        return [dict(symbol=s.symbol, end=rfc3339(s.bars[i]["t"] + 1_000_000_000), vwap=self.vwap(s, i), vwap_e9=None, volume=0, notional_e9="0", trades=0, integrity="ok") for i in range(first, len(s.bars))]

    def feed(self):
        names = ("A", "B")
        lines = [dict(name=n, group=f"239.1.1.{i + 1}:2600{i + 1}", malformed=i, kernel_drops=0, last_recv=rfc3339(self.now), **line) for i, (n, line) in enumerate(zip(names, self.lines))]
        return dict(state="live", next_seq=self.seq + 1, head_seq=self.seq + 1, gaps=17, requested=self.recovered, recovered=self.recovered, lost=0, rejected=1, lines=lines, latency_ns=dict(p50=11_400, p99=48_900, p999=131_000, max=912_000, count=self.seq), venue=dict(simulated=True, label="Simulated venue, seed 7"), check=dict(seq=self.seq, equal=True, checked=self.checked, unequal=0))
