"""What the tests of the ways out share: a running `ouzel demo`, its own stream over WebSocket, and a wire that can be cut."""

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.request

NUMBERED = ("trade", "bar", "signal")


def needed(*names):
    """Modules by name, or the end of the script with the status that says `skipped`."""
    found = []
    for name in names:
        try:
            found.append(__import__(name, fromlist=["*"]))
        except ImportError:
            print(f"skipped: no {name}; cargo xtask test installs it")
            sys.exit(77)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ouzel:
    """`ouzel demo` on a free port, in a folder of its own."""

    def __init__(self, program, *options, symbols=8, rate=2_000):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="ouzel-outlets-")
        self.log = open(f"{self.folder}/log", "w+")
        fixed = ["demo", "--seed", "7", "--symbols", symbols, "--rate", rate, "--unicast", "--loss", "0"]
        command = [program, *fixed, "--listen", f"127.0.0.1:{self.port}", *options]
        self.process = subprocess.Popen(list(map(str, command)), cwd=self.folder, stdout=self.log, stderr=self.log)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def get(self, path, raw=False):
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            text = answer.read()
        return text.decode() if raw else json.loads(text)

    async def ready(self, patience=60):
        for _ in range(patience * 10):
            with contextlib.suppress(OSError):
                self.get("/readyz")
                return
            assert self.process.poll() is None, self.said()
            await asyncio.sleep(0.1)
        raise AssertionError("not ready: " + self.said())

    def outlet(self, name):
        return next(o for o in self.get("/v1/outlets")["outlets"] if o["name"] == name)

    def metric(self, name, outlet):
        line = f'{name}{{outlet="{outlet}"}} '
        rows = [row for row in self.get("/metrics", raw=True).splitlines() if row.startswith(line)]
        return float(rows[0].split()[-1])

    def said(self):
        self.log.flush()
        with open(self.log.name) as log:
            return log.read()[-3_000:]

    async def end(self):
        """As Ctrl-C does; wires in this process go on meanwhile."""
        self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(self.process.wait, 10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("it did not end at SIGINT: " + self.said())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


async def stream(ouzel, rows, topics=("trades", "bars", "signals")):
    """Reads the server's own WebSocket stream into `rows` until cancelled."""
    (client,) = needed("websockets.asyncio.client")
    async with client.connect(ouzel.url.replace("http", "ws") + "/v1/stream", max_size=None) as socket:
        await socket.send(json.dumps({"subscribe": list(topics), "interval_ms": 20}))
        async for text in socket:
            row = json.loads(text)
            if row["type"] in NUMBERED:
                del row["n"]
                rows.append(row)


def by_address(rows):
    """Rows of each kind and symbol, in order."""
    found = {}
    for row in rows:
        found.setdefault((row["type"], row["symbol"]), []).append(row)
    return found


def equal_streams(ours, theirs):
    """Each of `ours` is a piece of `theirs`, row for row, without a hole; how many rows were compared."""
    compared = 0
    theirs = by_address(theirs)
    for address, rows in by_address(ours).items():
        other = theirs.get(address, [])
        assert rows[0] in other, f"{address}: the first row did not come: {rows[0]}"
        start = other.index(rows[0])
        piece = other[start : start + len(rows)]
        assert piece == rows, f"{address}: {len(piece)} rows differ from {len(rows)}"
        compared += len(rows)
    return compared


def binary_trade(message):
    """A print by the byte map of docs/formats/ouzel-frames.md: time, price, quantity, match."""
    assert message[0] == 3 and len(message) == 60, message
    return struct.unpack_from("<QQQqQQ", message, 8)


class Wire:
    """A TCP relay in front of a broker that can be cut, or made to swallow nothing."""

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.server, self.writers, self.flows = None, [], asyncio.Event()
        self.flows.set()

    async def open(self):
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def cut(self):
        """Ends every connection at once and takes no more."""
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _relay(self, reader, writer):
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.writers += [writer, other_writer]
        await asyncio.gather(self._pump(reader, other_writer), self._pump(other_reader, writer))

    async def _pump(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


async def until(what, patience=30, every=0.1):
    """Waits until `what()` is true, and answers it."""
    for _ in range(int(patience / every)):
        with contextlib.suppress(OSError, StopIteration, IndexError, TypeError):
            if value := what():
                return value
        await asyncio.sleep(every)
    raise AssertionError(f"not within {patience} s")
