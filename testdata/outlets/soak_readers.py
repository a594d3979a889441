"""The readers of a soak: one behind each output, counting what came and holding every hole against what was told of it."""

import asyncio
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import urllib.request

import peers

(nats, client, kafka, pyarrow, flight, parquet) = peers.needed(
    "nats", "websockets.asyncio.client", "confluent_kafka", "pyarrow", "pyarrow.flight", "pyarrow.parquet"
)

TOPICS = ("trade", "bar", "signal", "instrument", "loss", "dropped")
DROPPED, LOST = 8, 10


def nats_server():
    beside = os.path.join(os.path.dirname(sys.executable), "nats-server")
    program = beside if os.path.exists(beside) else shutil.which("nats-server")
    if not program:
        print("skipped: no nats-server; cargo xtask test installs it")
        sys.exit(77)
    return program


MOCK = """
import sys, threading
from confluent_kafka import Producer
cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x", "log_level": 0})
for topic in sys.argv[1:]:
    known = cluster.list_topics(topic, timeout=30).brokers.values()
print(",".join(f"{b.host}:{b.port}" for b in known), flush=True)
threading.Event().wait()
"""


class MockCluster:
    """librdkafka's mock cluster in a process of its own."""

    def __init__(self, folder):
        command = [sys.executable, "-c", MOCK, *(f"ouzel.{topic}" for topic in TOPICS)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(folder / "kafka-mock.log", "w"), text=True)
        self.brokers = self.process.stdout.readline().strip()


class Numbers:
    """Messages numbered by address: a hole must be told by the message behind it, or by a mark of its lane before."""

    def __init__(self):
        self.last, self.came, self.missing, self.told, self.unflagged = {}, 0, 0, 0, 0

    def take(self, address, n, dropped):
        self.came += 1
        self.told += dropped
        last = self.last.get(address)
        if last is not None and n != last + 1:
            hole = n - last - 1
            self.missing += hole
            self.unflagged += max(0, hole - dropped) if hole > 0 else 1
        self.last[address] = n

    def words(self):
        return self.unflagged == 0 and self.came > 0, (
            f"{self.came:,} messages, {self.missing:,} numbers missing, {self.told:,} told by marks, {self.unflagged} not told")


class Stream:
    """The WebSocket in JSON: newest states, some prints, and what the feed lost."""

    def __init__(self, url, symbols):
        self.url, self.symbols = url, symbols
        self.came, self.lost, self.dropped, self.gaps, self.last = 0, 0, 0, 0, 0
        self.backwards = 0

    async def run(self):
        topics = ["movers", "feed", "signals"] + [f"{kind}:{s}" for s in self.symbols for kind in ("book", "trades", "vwap")]
        async with client.connect(self.url + "/v1/stream", max_size=None) as socket:
            await socket.send(json.dumps({"subscribe": topics, "interval_ms": 100}))
            async for text in socket:
                self.take(json.loads(text))

    def take(self, row):
        self.came += 1
        kind = row["type"]
        if kind == "lost":
            self.lost += row["to_seq"] - row["from_seq"]
        elif kind == "dropped":
            self.dropped += row["count"]
        elif kind == "gap":
            self.gaps += row["to"] - row["from"]
        if "n" in row:
            self.backwards += row["n"] <= self.last
            self.last = row["n"]

    def words(self, table):
        end, start = table.rows[-1], table.rows[0]
        most, least = end["lost"], end["lost"] - start["lost"]
        fine = self.came > 0 and self.backwards == 0 and (self.gaps > 0 or self.dropped > 0 or least <= self.lost <= most)
        return fine, (f"{self.came:,} frames, feed losses told {self.lost:,} (counted {int(most):,}), numbers told missing "
                      f"{self.gaps:,}, dropped {self.dropped:,}")


class Binary:
    """The WebSocket in ouzel.frames.v1: all prints, bars and signals, each number or a mark."""

    def __init__(self, url):
        self.url, self.next, self.came, self.missing, self.told, self.unflagged = url, None, 0, 0, 0, 0

    async def run(self):
        async with client.connect(self.url + "/v1/stream", max_size=None, subprotocols=["ouzel.frames.v1"]) as socket:
            await socket.send(json.dumps({"subscribe": ["trades", "bars", "signals"], "interval_ms": 100}))
            marked = 0
            async for message in socket:
                if not isinstance(message, bytes):
                    continue
                seq, count = struct.unpack_from(">QH", message, 10)
                told = self.dropped(message, count)
                self.told += told
                if seq == 0:
                    marked += told
                    continue
                self.came += count
                if self.next is not None and seq != self.next:
                    self.missing += seq - self.next
                    self.unflagged += max(0, seq - self.next - marked - told)
                self.next, marked = seq + count, 0

    @staticmethod
    def dropped(message, count):
        at, told = 20, 0
        for _ in range(count):
            (size,) = struct.unpack_from(">H", message, at)
            if message[at + 2] == DROPPED:
                told += struct.unpack_from("<Q", message, at + 10)[0]
            at += 2 + size
        return told

    def words(self):
        return self.unflagged == 0 and self.came > 0, (
            f"{self.came:,} messages, {self.missing:,} numbers missing, {self.told:,} told by marks, {self.unflagged} not told")


class Broker:
    """NATS: every kind of some symbols, and what is about none."""

    def __init__(self, port, symbols):
        self.port, self.symbols, self.numbers = port, symbols, Numbers()

    async def run(self):
        connection = await nats.connect(f"nats://127.0.0.1:{self.port}", pending_size=64 << 20)

        async def take(message):
            n = int(message.headers["Ouzel-Seq"].split()[1])
            self.numbers.take(message.subject, n, int(message.headers.get("Ouzel-Dropped", 0)))

        for subject in [f"*.{symbol}" for symbol in self.symbols] + ["dropped.*", "loss.*"]:
            await connection.subscribe(f"ouzel.{subject}", cb=take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        await asyncio.Event().wait()


class Log:
    """Kafka: one partition of the prints, on a thread."""

    def __init__(self, brokers):
        self.numbers, self.stop = Numbers(), threading.Event()
        settings = {"bootstrap.servers": brokers, "group.id": "soak", "log_level": 0, "enable.auto.commit": False}
        self.consumer = kafka.Consumer(settings)
        self.consumer.assign([kafka.TopicPartition("ouzel.trade", 0, kafka.OFFSET_END)])
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stop.is_set():
            for message in self.consumer.consume(1_000, 0.2):
                if message.error() is None:
                    headers = dict(message.headers())
                    n = int(headers["ouzel-seq"].split()[1])
                    self.numbers.take(message.key(), n, int(headers.get("ouzel-dropped", 0)))
        self.consumer.close()


class Desk:
    """FIX 4.4, prints and books of some symbols: numbers without a hole, drops told as news."""

    def __init__(self, port, symbols):
        self.port, self.symbols, self.ours, self.next = port, symbols, 1, 1
        self.kinds, self.told, self.wrong, self.left = {}, 0, 0, None

    def say(self, kind, *fields):
        now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
        body = "\x01".join([f"35={kind}", f"34={self.ours}", "49=CLIENT44", f"52={now}", "56=OUZEL", *fields, ""])
        text = f"8=FIX.4.4\x019={len(body)}\x01{body}"
        self.ours += 1
        self.writer.write(f"{text}10={sum(text.encode()) % 256:03}\x01".encode())

    async def run(self):
        reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.say("A", "98=0", "108=10", "141=Y")
        beats = asyncio.create_task(self.beat())
        try:
            while head := await reader.readuntil(b"\x0135="):
                length = int(head.split(b"\x019=")[1].split(b"\x01")[0])
                self.take(b"35=" + await reader.readexactly(length + 4))
        except (asyncio.IncompleteReadError, ConnectionError) as end:
            self.left = self.left or f"the connection ended: {end}"
        finally:
            beats.cancel()

    async def beat(self):
        while True:
            await asyncio.sleep(5)
            self.say("0")

    def take(self, message):
        fields = message.split(b"\x01", 2)
        kind, seq = fields[0][3:].decode(), int(fields[1][3:])
        self.wrong += seq != self.next
        self.next = seq + 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "A":
            symbols = [f"55={s}" for s in self.symbols]
            self.say("V", "262=soak", "263=1", "264=5", "265=1", "267=3", "269=0", "269=1", "269=2", f"146={len(symbols)}", *symbols)
        elif kind == "1":
            self.say("0", "112=" + message.split(b"\x01112=")[1].split(b"\x01")[0].decode())
        elif kind == "B" and b"were dropped before this" in message:
            self.told += int(message.split(b"\x01148=")[1].split(b" ")[0])
        elif kind in "3j5":
            self.left = self.left or message.decode(errors="replace").replace("\x01", "|")

    def words(self, table):
        counted = table.rows[-1]["outlets"].get("fix", (0, 0, 0, 0))[1]
        fine = self.wrong == 0 and self.left is None and self.kinds.get("X", 0) > 0 and self.told <= counted
        return fine, f"{self.kinds}, {self.wrong} numbers out of order, drops told {self.told:,} (counted {int(counted):,}) {self.left or ''}"


class Columns:
    """Arrow over HTTP and Flight every few seconds; Parquet files as they are finished, which are then removed."""

    def __init__(self, url, port, symbol):
        self.url, self.port, self.symbol = url, port, symbol
        self.next, self.rows, self.flights, self.short, self.wrong = 1, 0, 0, 0, []
        self.files, self.file_rows, self.file_dropped, self.file_next = 0, 0, 0, {}

    async def run(self):
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(5)

    def look(self):
        query = f"{self.url.replace('ws', 'http', 1)}/v1/arrow/trades?symbol={self.symbol}&from={self.next}"
        with urllib.request.urlopen(query, timeout=60) as answer, pyarrow.ipc.open_stream(answer) as stream:
            said = {key.decode(): value.decode() for key, value in stream.schema.metadata.items()}
            numbers = stream.read_all().column("n").to_pylist()
        self.short += self.next > 1 and int(said["from"]) > self.next
        if numbers != sorted(set(numbers)) or (numbers and numbers[0] < int(said["from"])):
            self.wrong.append(f"numbers of {said}")
        self.rows, self.next = self.rows + len(numbers), int(said["next"])
        with flight.connect(f"grpc://127.0.0.1:{self.port}") as far:
            self.flights += far.do_get(flight.Ticket(json.dumps({"table": "bars", "from": self.next - 1}).encode())).read_all().num_rows >= 0

    def files_of(self, folder):
        for path in sorted((folder / "parquet").glob("*/*.parquet")):
            with parquet.ParquetFile(path) as file:
                meta, table = file.metadata, path.parent.name
                numbers = file.read(["n"]).column("n")
            self.files += 1
            self.file_rows += meta.num_rows
            self.file_dropped += int(meta.metadata.get(b"ouzel.dropped", b"0"))
            if len(numbers):
                first, last = numbers[0].as_py(), numbers[-1].as_py()
                if first != self.file_next.get(table, 1) or last - first + 1 != meta.num_rows:
                    self.wrong.append(f"{path.name}: rows {first} to {last} after {self.file_next.get(table)}")
                self.file_next[table] = last + 1
            path.unlink()

    def words(self, table):
        counted = table.rows[-1]["outlets"].get("parquet", (0, 0, 0, 0))[1]
        fine = self.rows > 0 and self.flights > 0 and self.files > 0 and not self.wrong and self.file_dropped >= counted
        return fine, (f"HTTP {self.rows:,} rows, history too short {self.short} times; {self.flights} flights; {self.files} Parquet files, "
                      f"{self.file_rows:,} rows, drops told {self.file_dropped:,} (counted {int(counted):,}) {self.wrong[:2] or ''}")


class All:
    """Every reader, and the tasks that run them."""

    def __init__(self, url, ports, brokers):
        with urllib.request.urlopen(url + "/v1/symbols", timeout=30) as answer:
            listed = json.loads(answer.read())
        symbols = sorted(s["symbol"] for s in listed["symbols"])
        ws = url.replace("http", "ws", 1)
        self.stream, self.binary = Stream(ws, symbols[:10]), Binary(ws)
        self.broker, self.log = Broker(ports["nats"], symbols[:2]), Log(brokers)
        self.desk, self.columns = Desk(ports["fix"], symbols[:20]), Columns(ws, ports["flight"], symbols[0])
        named = {"stream": self.stream, "binary": self.binary, "nats": self.broker, "fix": self.desk, "columns": self.columns}
        self.tasks = {name: asyncio.create_task(reader.run()) for name, reader in named.items()}

    def keep(self, folder):
        """What must be done between looks: finished files are read and removed."""
        self.columns.files_of(folder)

    async def end(self, table):
        """What each found, the table's last row being of now."""
        fallen = {name: task.exception() for name, task in self.tasks.items() if task.done() and not task.cancelled()}
        for task in self.tasks.values():
            task.cancel()
        self.log.stop.set()
        await asyncio.to_thread(self.log.thread.join, 20)
        found = {
            "websocket json": self.stream.words(table), "websocket binary": self.binary.words(), "nats": self.broker.numbers.words(),
            "kafka": self.log.numbers.words(), "fix": self.desk.words(table), "arrow": self.columns.words(table),
        }
        for name, error in fallen.items():
            found[f"{name} task"] = (False, f"ended: {error!r}")
        return found


def multicast(folder):
    """What `ouzel listen` said at its end: what never came is marked, and nothing else is missing."""
    last = (folder / "listen.log").read_text().strip().splitlines()[-1:]
    try:
        said = json.loads(last[0])
    except (IndexError, ValueError):
        return False, f"no summary: {last}"
    frames = sum(said[kind] for kind in ("books", "trades", "bars", "vwaps", "signals"))
    fine = said["type"] == "summary" and frames > 0
    return fine, f"{frames:,} frames, gaps {said['gaps']:,}, recovered {said['recovered']:,}, lost {said['lost']:,}, drops marked {said['marked']:,}"
