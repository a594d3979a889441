"""The sliding 1 s VWAP every 100 ms by engines from PyPI, on the prints that `rivals` wrote.

Prints one JSON object a line: peer, version, prints_per_s (one a run), note. Each engine's windows are compared with
ours: a figure whose windows differ says so. One thread each.
"""

import json
import sys
import time
from collections import deque
from pathlib import Path

STEP = 100_000_000
LENGTH = 10 * STEP


def load(folder, count):
    import numpy

    kind = numpy.dtype([("ts", "<u8"), ("symbol", "<u4"), ("price", "<u4"), ("qty", "<u4")])
    prints = numpy.fromfile(folder / "prints.bin", dtype=kind, count=count)
    windows = numpy.fromfile(folder / "windows.bin", dtype="<u8").reshape(-1, 4)
    # Only windows that no print after the last one of this share could enter.
    last = int(prints["ts"][-1]) // STEP * STEP
    windows = windows[windows[:, 0] <= last]
    ours = {(int(end), int(symbol)): (int(notional), int(volume)) for end, symbol, notional, volume in windows}
    return prints, ours, last


def compare(theirs, ours, last):
    theirs = {key: value for key, value in theirs.items() if key[0] <= last}
    equal = sum(1 for key, value in theirs.items() if ours.get(key) == value)
    if not theirs:
        return "no windows"
    return f"{equal} of its {len(theirs)} windows equal ours ({len(ours)} ours)"


def say(peer, version, rates, note):
    print(json.dumps({"peer": peer, "version": version, "prints_per_s": rates, "note": note}), flush=True)


def timed(runs, count, work):
    rates, result = [], None
    for _ in range(runs):
        start = time.perf_counter()
        result = work()
        rates.append(count / (time.perf_counter() - start))
    return rates, result


def duckdb_peer(folder):
    import duckdb
    import pyarrow

    count = 5_000_000
    prints, ours, last = load(folder, count)
    count = len(prints)
    arrow_prints = pyarrow.table({
        "step": pyarrow.array((prints["ts"] // STEP).astype("int64")),
        "symbol": pyarrow.array(prints["symbol"].astype("int32")),
        "notional": pyarrow.array(prints["price"].astype("int64") * prints["qty"].astype("int64")),
        "qty": pyarrow.array(prints["qty"].astype("int64")),
    })
    base = duckdb.connect()
    base.execute("SET threads = 1")
    base.execute("CREATE TABLE prints AS SELECT * FROM arrow_prints")
    plan = """
        WITH panes AS (SELECT step, symbol, sum(notional)::BIGINT n, sum(qty)::BIGINT v FROM prints GROUP BY ALL)
        SELECT (step + 1), symbol, sum(n) OVER w, sum(v) OVER w FROM panes
        WINDOW w AS (PARTITION BY symbol ORDER BY step RANGE BETWEEN 9 PRECEDING AND CURRENT ROW)"""
    rates, rows = timed(5, count, lambda: base.execute(plan).fetchnumpy())
    columns = list(rows.values())
    theirs = {
        (int(end) * STEP, int(symbol)): (int(n), int(v)) for end, symbol, n, v in zip(*columns)
    }
    say("duckdb", duckdb.__version__, rates, f"batch SQL over panes, in memory; windows with new prints only; "
        f"{compare(theirs, ours, last)}; {count} prints")


def polars_peer(folder):
    import os

    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars

    count = 1_000_000
    prints, ours, last = load(folder, count)
    count = len(prints)
    frame = polars.DataFrame({
        "ts": prints["ts"].astype("int64"),
        "symbol": prints["symbol"].astype("int32"),
        "notional": prints["price"].astype("int64") * prints["qty"].astype("int64"),
        "qty": prints["qty"].astype("int64"),
    }).with_columns(polars.col("ts").cast(polars.Datetime("ns"))).sort("ts")

    def work():
        windows = frame.group_by_dynamic("ts", every="100ms", period="1s", offset="-900ms", closed="left",
                                         label="right", group_by="symbol")
        return windows.agg(polars.col("notional").sum(), polars.col("qty").sum())

    rates, rows = timed(5, count, work)
    ends = rows["ts"].cast(polars.Int64).to_list()
    theirs = {}
    for end, symbol, n, v in zip(ends, rows["symbol"].to_list(), rows["notional"].to_list(), rows["qty"].to_list()):
        theirs[(end, symbol)] = (n, v)
    say("polars", polars.__version__, rates, f"batch group_by_dynamic; {compare(theirs, ours, last)}; {count} prints")


def nautilus_peer(folder):
    from nautilus_trader import __version__
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.common.actor import Actor
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.data import TradeTick
    from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
    from nautilus_trader.model.instruments import Equity
    from nautilus_trader.model.objects import Money, Price, Quantity

    # Its instruments are heavy: the prints of 100 symbols of 2,000 only.
    prints, ours, last = load(folder, 8_000_000)
    prints = prints[prints["symbol"] < 100]
    ours = {key: value for key, value in ours.items() if key[1] < 100}
    count = len(prints)
    theirs = {}

    class Windows(Actor):
        def on_start(self):
            self.panes = {}
            self.step = None
            for instrument in self.cache.instruments():
                self.subscribe_trade_ticks(instrument.id)

        def on_trade_tick(self, tick):
            step = tick.ts_event // STEP
            if self.step is not None and step > self.step:
                for done in range(self.step, step):
                    self.emit(done)
            self.step = step
            symbol = int(tick.instrument_id.symbol.value[1:])
            panes = self.panes.setdefault(symbol, deque())
            if not panes or panes[-1][0] != step:
                panes.append([step, 0, 0])
            price = round(float(tick.price) * 10_000)
            qty = int(tick.size)
            panes[-1][1] += price * qty
            panes[-1][2] += qty

        def emit(self, step):
            for symbol, panes in self.panes.items():
                while panes and panes[0][0] <= step - 10:
                    panes.popleft()
                if panes:
                    theirs[((step + 1) * STEP, symbol)] = (sum(p[1] for p in panes), sum(p[2] for p in panes))

    made = [
        Equity(InstrumentId(Symbol(f"S{n}"), Venue("SIM")), Symbol(f"S{n}"), USD, 4, Price.from_str("0.0001"),
               Quantity.from_int(1), 0, 0)
        for n in range(100)
    ]
    ticks = [
        TradeTick(made[int(p["symbol"])].id, Price(int(p["price"]) / 10_000, 4), Quantity(int(p["qty"]), 0),
                  AggressorSide.NO_AGGRESSOR, TradeId(str(n)), int(p["ts"]), int(p["ts"]))
        for n, p in enumerate(prints)
    ]
    rates = []
    for _ in range(3):
        theirs.clear()
        engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        engine.add_venue(Venue("SIM"), OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USD)], base_currency=USD)
        for instrument in made:
            engine.add_instrument(instrument)
        engine.add_data(ticks)
        engine.add_actor(Windows())
        start = time.perf_counter()
        engine.run()
        rates.append(count / (time.perf_counter() - start))
        engine.dispose()
    say("nautilus_trader", __version__, rates, f"streaming: back-test engine with a Python actor, 100 symbols, its "
        f"data made and sorted beforehand; {compare(theirs, ours, last)}; {count} prints")


def pathway_peer(folder):
    import pathway

    count = 100_000
    prints, ours, last = load(folder, count)
    rows = [(int(p["ts"]), int(p["symbol"]), int(p["price"]) * int(p["qty"]), int(p["qty"])) for p in prints]
    count = len(rows)
    rates, theirs = [], {}
    for _ in range(3):
        theirs.clear()
        pathway.internals.parse_graph.G.clear()

        class Print(pathway.Schema):
            ts: int
            symbol: int
            notional: int
            qty: int

        table = pathway.debug.table_from_rows(Print, rows)
        windows = table.windowby(
            table.ts, window=pathway.temporal.sliding(hop=STEP, duration=LENGTH), instance=table.symbol,
        ).reduce(
            end=pathway.this._pw_window_end, symbol=pathway.this._pw_instance,
            notional=pathway.reducers.sum(pathway.this.notional), qty=pathway.reducers.sum(pathway.this.qty),
        )

        def seen(key, row, time, is_addition):
            theirs[(row["end"], row["symbol"])] = (row["notional"], row["qty"])

        pathway.io.subscribe(windows, on_change=seen)
        start = time.perf_counter()
        pathway.run(monitoring_level=pathway.MonitoringLevel.NONE)
        rates.append(count / (time.perf_counter() - start))
    say("pathway", pathway.__version__, rates, f"streaming engine over a static table, each print in ten windows; "
        f"{compare(theirs, ours, last)}; {count} prints")


def bytewax_peer(folder):
    from datetime import datetime, timedelta, timezone
    from importlib.metadata import version

    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.operators.windowing import EventClock, SlidingWindower, fold_window
    from bytewax.testing import TestingSink, TestingSource, run_main

    # A little more than one step: the windows that end with it are whole.
    count = 45_000
    prints, ours, last = load(folder, count)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    rows = [
        (str(int(p["symbol"])), (epoch + timedelta(microseconds=int(p["ts"]) // 1000), int(p["price"]) * int(p["qty"]),
                                 int(p["qty"])))
        for p in prints
    ]
    count = len(rows)
    first = int(prints["ts"][0]) // STEP * STEP - LENGTH
    align = epoch + timedelta(microseconds=first // 1000)
    rates, out = [], []
    for _ in range(3):
        out = []
        flow = Dataflow("vwap")
        stream = op.input("in", flow, TestingSource(rows, batch_size=1_000))
        # Its watermark runs on with the system's clock, and what comes behind it is dropped: stopped.
        clock = EventClock(lambda row: row[0], wait_for_system_duration=timedelta(0), now_getter=lambda: align)
        windower = SlidingWindower(length=timedelta(seconds=1), offset=timedelta(milliseconds=100), align_to=align)
        folded = fold_window("fold", stream, clock, windower, lambda: (0, 0),
                             lambda sums, row: (sums[0] + row[1], sums[1] + row[2]),
                             lambda a, b: (a[0] + b[0], a[1] + b[1]))
        op.output("out", folded.down, TestingSink(out))
        start = time.perf_counter()
        run_main(flow)
        rates.append(count / (time.perf_counter() - start))
    theirs = {
        (first + window * STEP + LENGTH, int(symbol)): sums for symbol, (window, sums) in out
    }
    say("bytewax", version("bytewax"), rates, f"streaming, Python fold, each print in ten windows; "
        f"{compare(theirs, ours, last)}; {count} prints")


def main():
    folder = Path(sys.argv[1])
    only = sys.argv[2:]
    peers = [("duckdb", duckdb_peer), ("polars", polars_peer), ("nautilus_trader", nautilus_peer),
             ("pathway", pathway_peer), ("bytewax", bytewax_peer)]
    for name, peer in peers:
        if only and name not in only:
            continue
        try:
            peer(folder)
        except Exception as error:  # One engine's trouble is not another's.
            say(name, "", [], f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
