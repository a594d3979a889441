"""Arrow out of a running demo, read by pyarrow and DuckDB: IPC over HTTP, Flight and Parquet files say what the server's own
stream said, row by row and in their sums. Status 77: something is not installed."""

import argparse
import asyncio
import glob
import io
import json
import os
import signal
import tempfile
import urllib.error
import urllib.request
from decimal import Decimal

import peers

pa, flight, pq, duckdb = peers.needed("pyarrow", "pyarrow.flight", "pyarrow.parquet", "duckdb")

FLOATS = (pa.float16(), pa.float32(), pa.float64())


def listed(table):
    """Rows as dicts; instants are nanoseconds, which Python's own datetime cannot hold."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table[field.name].cast(pa.int64()))
    return table.to_pylist()


def ipc(ouzel, table, query=""):
    with urllib.request.urlopen(f"{ouzel.url}/v1/arrow/{table}{query}", timeout=30) as answer:
        assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
        return pa.ipc.open_stream(io.BytesIO(answer.read())).read_all()


def flown(port, descriptor):
    client = flight.connect(f"grpc://127.0.0.1:{port}")
    info = client.get_flight_info(descriptor)
    table = client.do_get(info.endpoints[0].ticket).read_all()
    assert info.schema.equals(table.schema), "the schema told is the schema sent"
    return table


def equal_rows(rows, table):
    """Each row of the stream is the row of its number, exactly."""
    found = {row["n"]: row for row in listed(table)}
    for row in rows:
        other = found[row["n"]]
        if row["type"] == "trade":
            want = (row["symbol"], row["seq"], row["price_e9"], int(row["qty"]), row["match_id"], row["aggressor"], row["cross"])
            got = (other["symbol"], other["seq"], int(other["price"].scaleb(9)), other["qty"], other["match_id"])
            assert want == (*got, other["aggressor"], other["cross"]), (want, other)
            assert row["integrity"] == other["integrity"] and other["qty_decimals"] == 0
        else:
            bar = row["bar"]
            for price in ("open", "high", "low", "close"):
                assert other[price] == Decimal(str(bar[price])), (row, other)
            assert (row["symbol"], int(bar["volume"]), bar["trades"]) == (other["symbol"], other["volume"], other["trades"])
            vwap = int(other["notional"].scaleb(9)) // other["volume"]
            assert vwap == int(Decimal(str(bar["vwap"])).scaleb(9)), (row, other)
    return len(rows)


async def numbered(ouzel, seconds):
    """Prints and bars of the stream with their numbers."""
    (client,) = peers.needed("websockets.asyncio.client")
    rows = []

    async def read():
        async with client.connect(ouzel.url.replace("http", "ws") + "/v1/stream", max_size=None) as socket:
            await socket.send(json.dumps({"subscribe": ["trades", "bars"], "interval_ms": 20}))
            async for text in socket:
                row = json.loads(text)
                if row["type"] in ("trade", "bar"):
                    rows.append(row)

    reading = asyncio.create_task(read())
    await asyncio.sleep(seconds)
    reading.cancel()
    return {kind: [row for row in rows if row["type"] == kind] for kind in ("trade", "bar")}


async def both_doors(program):
    """IPC and Flight: every number of the stream, the same values, no float anywhere, one symbol alone, from a number on."""
    port = peers.free_port()
    with peers.Ouzel(program, "--flight", f"127.0.0.1:{port}") as ouzel:
        await ouzel.ready()
        rows = await numbered(ouzel, 5)
        compared = 0
        for kind, name in (("trade", "trades"), ("bar", "bars")):
            over_http = await asyncio.to_thread(ipc, ouzel, name)
            by_flight = await asyncio.to_thread(flown, port, flight.FlightDescriptor.for_path(name))
            assert not [f for f in over_http.schema if f.type in FLOATS], over_http.schema
            session = json.loads(json.dumps({k.decode(): v.decode() for k, v in over_http.schema.metadata.items()}))
            assert session["session"].startswith("OZ1") and int(session["next"]) > int(session["from"]), session
            for table in (over_http, by_flight):
                compared += equal_rows(rows[kind], table)
            shared = min(over_http.num_rows, by_flight.num_rows)
            assert over_http.slice(0, shared).equals(by_flight.slice(0, shared)), f"{name}: two doors, two answers"
        assert len(rows["trade"]) > 200 and len(rows["bar"]) > 10, {kind: len(of) for kind, of in rows.items()}
        symbol, middle = rows["trade"][0]["symbol"], rows["trade"][100]["n"]
        alone = ipc(ouzel, "trades", f"?symbol={symbol}&from={middle}")
        assert set(alone["symbol"].to_pylist()) == {symbol} and min(alone["n"].to_pylist()) >= middle
        command = json.dumps({"table": "trades", "symbol": symbol, "from": middle})
        again = flown(port, flight.FlightDescriptor.for_command(command))
        assert again.slice(0, alone.num_rows).equals(alone)
        client = flight.connect(f"grpc://127.0.0.1:{port}")
        assert [i.descriptor.path for i in client.list_flights()] == [[b"trades"], [b"bars"]]
        for bad in ("weather", "trades/NOSUCH"):
            try:
                flown(port, flight.FlightDescriptor.for_path(*bad.split("/")))
                raise AssertionError(f"{bad} was answered")
            except (flight.FlightError, pa.ArrowKeyError) as refused:
                assert "not" in str(refused) or "tables" in str(refused), refused
        try:
            ipc(ouzel, "weather")
            raise AssertionError("a table that there is not")
        except urllib.error.HTTPError as refused:
            assert refused.code == 404
        await ouzel.end()
    print(f"  {compared} rows compared by number")


async def parquet_files(program):
    """Files follow one another; pyarrow and DuckDB read them; their sums are the stream's; a killed run leaves whole files."""
    with tempfile.TemporaryDirectory() as folder:
        with peers.Ouzel(program, "--parquet", folder, "--parquet-roll", 2) as ouzel:
            await ouzel.ready()
            rows = await numbered(ouzel, 7)
            state = ouzel.outlet("parquet")
            await ouzel.end()
        assert state["trouble"] is None and state["dropped"] == 0, state
        assert not glob.glob(f"{folder}/*/*.part"), "a part was left"
        files = sorted(glob.glob(f"{folder}/trades/*.parquet"))
        assert len(files) >= 3, files
        trades = pa.concat_tables(pq.read_table(file) for file in files)
        assert trades["n"].to_pylist() == list(range(1, trades.num_rows + 1)), "numbers have a hole"
        found = {(t["symbol"], t["match_id"], t["seq"]): t for t in listed(trades)}
        for row in rows["trade"]:
            other = found[row["symbol"], row["match_id"], row["seq"]]
            assert int(other["price"].scaleb(9)) == row["price_e9"] and other["qty"] == int(row["qty"])
        bars = pa.concat_tables(pq.read_table(file) for file in sorted(glob.glob(f"{folder}/bars/*.parquet")))
        by_bar = {(b["symbol"], b["start"], b["end"]): b for b in listed(bars)}
        assert len(by_bar) == bars.num_rows
        for table, key in (("trades", "qty"), ("bars", "volume")):
            whole = {"trades": trades, "bars": bars}[table]
            query = f"select count(*), sum({key})::hugeint from read_parquet('{folder}/{table}/*.parquet')"
            assert duckdb.sql(query).fetchall()[0] == (whole.num_rows, sum(whole[key].to_pylist())), table
        query = f"select sum(price * qty)::decimal(38, 9) from read_parquet('{folder}/trades/*.parquet')"
        money = sum(t["price"] * t["qty"] for t in listed(trades))
        assert duckdb.sql(query).fetchall()[0][0] == money, "DuckDB sums otherwise"
        # A second of bars of a symbol is its prints: the sums of both tables are one.
        seconds = [b for b in listed(bars) if b["end"] - b["start"] == 1_000_000_000]
        ends = {}
        for bar in seconds:
            ends[bar["symbol"]] = max(ends.get(bar["symbol"], bar["end"]), bar["end"])
        inside = [t for t in listed(trades) if t["symbol"] in ends and t["ts_event"] < ends[t["symbol"]] and t["qty"]]
        assert sum(b["volume"] for b in seconds) == sum(t["qty"] for t in inside), "bars are not their prints"
        assert sum(b["notional"] for b in seconds) == sum(t["price"] * t["qty"] for t in inside)
        print(f"  {len(files)} files, {trades.num_rows} prints, {bars.num_rows} bars, {money} in money")

        with peers.Ouzel(program, "--parquet", folder, "--parquet-roll", 1) as ouzel:
            await ouzel.ready()
            await peers.until(lambda: len(glob.glob(f"{folder}/trades/*.parquet")) > len(files) + 1)
            await peers.until(lambda: glob.glob(f"{folder}/trades/*.part"))
            ouzel.process.send_signal(signal.SIGKILL)
            ouzel.process.wait()
        whole = glob.glob(f"{folder}/*/*.parquet")
        rows_of = [pq.read_table(file).num_rows for file in whole]
        assert all(rows_of), "an empty or broken file"
        with peers.Ouzel(program, "--parquet", folder) as ouzel:
            await ouzel.ready()
            await ouzel.end()
        assert not glob.glob(f"{folder}/*/*.part") and set(whole) <= set(glob.glob(f"{folder}/*/*.parquet"))
        print(f"  {len(whole)} whole files after a kill, the part removed by the next run")


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ouzel", required=True)
    program = os.path.abspath(arguments.parse_args().ouzel)
    for check in [both_doors, parquet_files]:
        await check(program)
        print(f"ok: {check.__name__}: {check.__doc__.splitlines()[0]}")


asyncio.run(main())
