"""Documents in by real brokers: nats-server (core and JetStream, read by `ouzel serve --nats-in`) and librdkafka's mock cluster
(`--kafka-in`): each once, bad messages named, and what was published while the server was away or killed comes afterwards.
Status 77: something is not installed."""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

import peers

(nats, kafka) = peers.needed("nats", "confluent_kafka")


class Server:
    """`ouzel serve` over a folder, on a free port."""

    def __init__(self, program, data, *options):
        self.port = peers.free_port()
        self.log = open(f"{data}.log", "a+")
        command = [program, "serve", "--data", data, "--listen", f"127.0.0.1:{self.port}", *options]
        self.process = subprocess.Popen(list(map(str, command)), stdout=self.log, stderr=self.log)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.loads(answer.read())

    def source(self, name):
        with contextlib.suppress(OSError):
            return next((s for s in self.get("/v1/sources")["sources"] if s["name"] == name), None)
        assert self.process.poll() is None, open(self.log.name).read()[-3_000:]

    def ids(self):
        return sorted(d["id"] for d in self.get("/v1/documents?limit=1000")["documents"])

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        self.process.wait(timeout=30)


def document(n):
    return json.dumps({"id": f"d{n:03}", "text": f"Message number {n} about nothing.", "known_at": "2001-01-01"}).encode()


async def stored(server, name, count, patience=60):
    return await peers.until(lambda: (s := server.source(name)) and s["documents"] + s["duplicates"] >= count and s, patience)


async def by_nats(program, folder):
    """Core NATS while connected; by JetStream all of it, killed and started again, each document once."""
    beside = os.path.join(os.path.dirname(sys.executable), "nats-server")
    tool = beside if os.path.exists(beside) else shutil.which("nats-server")
    if not tool:
        print("skipped: no nats-server; cargo xtask test installs it")
        sys.exit(77)
    port = peers.free_port()
    command = [tool, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", f"{folder}/js"]
    broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    server = None
    try:
        await asyncio.sleep(1)
        client = await nats.connect(f"nats://127.0.0.1:{port}")
        url = ["--nats-in-url", f"nats://127.0.0.1:{port}"]
        core = Server(program, f"{folder}/core", "--nats-in", "plain.>", *url)
        await peers.until(lambda: (s := core.source("plain.>")) and s["last_success"])
        for payload in [document(1), b"\xff", b"[3", document(2), document(1)]:
            await client.publish("plain.x", payload)
        state = await stored(core, "plain.>", 3)
        assert (state["documents"], state["duplicates"], state["refused"]) == (2, 1, 2), state
        assert state["refusals"][0]["place"].startswith("plain.x #2"), state
        known = core.get("/v1/documents/d001")["known_at"]
        assert known > "2026", known
        core.end()

        jetstream = client.jetstream()
        await jetstream.add_stream(name="NEWS", subjects=["news.*"])
        await jetstream.publish("news.a", b"nonsense")
        for n in range(40):
            await jetstream.publish("news.a", document(n))
        options = ["--nats-in", "news.*", "--nats-in-durable", "ouzel", *url]
        server = Server(program, f"{folder}/durable", *options)
        await stored(server, "news.*", 5)
        server.end(signal.SIGKILL)
        for n in range(40, 80):
            await jetstream.publish("news.b", document(n))
        server = Server(program, f"{folder}/durable", *options)
        await peers.until(lambda: server.source("news.*") and len(server.ids()) == 80, 180)
        for _ in range(100):
            if await is_done(jetstream):
                break
            await asyncio.sleep(0.1)
        assert await is_done(jetstream), "what is stored is acknowledged"
        assert server.ids() == [f"d{n:03}" for n in range(80)]
        versions = server.get("/v1/sources")["sources"][0]["revisions"]
        assert versions == 0, "what came twice is no other version"
        await client.close()
        broker.terminate()
        broker.wait()
        trouble = await peers.until(lambda: server.source("news.*")["trouble"])
        print(f"  80 documents, each once; then: {trouble}")
    finally:
        broker.kill()
        if server:
            server.end()


async def is_done(jetstream):
    about = await jetstream.consumer_info("NEWS", "ouzel-news__")
    return about.num_ack_pending == 0 and about.num_pending == 0


async def by_kafka(program, folder):
    """Killed before and after commits and started again: each document once, bad messages named by offset."""
    producer = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    brokers = next(iter(producer.list_topics(timeout=10).brokers.values()))
    brokers = f"{brokers.host}:{brokers.port}"
    for payload in [b"nonsense", *map(document, range(30))]:
        producer.produce("filings", payload, key=b"k")
    producer.flush(10)
    options = ["--kafka-in", "filings", "--kafka-in-brokers", brokers]
    server = Server(program, f"{folder}/kafka", *options)
    try:
        state = await stored(server, "filings", 5)
        server.end(signal.SIGKILL)
        for n in range(30, 60):
            producer.produce("filings", document(n), key=b"k")
        producer.flush(10)
        server = Server(program, f"{folder}/kafka", *options)
        await peers.until(lambda: server.source("filings") and len(server.ids()) == 60, 120)
        server.end()
        server = Server(program, f"{folder}/kafka", *options)
        producer.produce("filings", document(60), key=b"k")
        producer.flush(10)
        state = await stored(server, "filings", 1, 120)
        assert (state["documents"], state["duplicates"]) == (1, 0), f"committed at the end: {state}"
        assert server.ids() == [f"d{n:03}" for n in range(61)]
        print("  61 documents, each once")
    finally:
        server.end()


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ouzel", required=True)
    program = os.path.abspath(arguments.parse_args().ouzel)
    for check in [by_nats, by_kafka]:
        with tempfile.TemporaryDirectory(prefix="ouzel-sources-") as folder:
            await check(program, folder)
        print(f"ok: {check.__name__}: {check.__doc__.splitlines()[0]}")
        sys.stdout.flush()


asyncio.run(main())
