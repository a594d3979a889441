"""NATS out of a running demo, read by `nats-py` from a real nats-server: the same rows as the server's own stream,
holes counted when the wire is cut, the market unharmed when the broker is gone. Status 77: something is not installed."""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict

import peers

(nats,) = peers.needed("nats")


def server():
    """A nats-server on a free port; its process and port."""
    beside = os.path.join(os.path.dirname(sys.executable), "nats-server")
    program = beside if os.path.exists(beside) else shutil.which("nats-server")
    if not program:
        print("skipped: no nats-server; cargo xtask test installs it")
        sys.exit(77)
    port = peers.free_port()
    process = subprocess.Popen([program, "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    return process, port


async def connected(port):
    async def quiet(_):
        pass

    for _ in range(100):
        try:
            return await nats.connect(f"nats://127.0.0.1:{port}", error_cb=quiet, max_reconnect_attempts=-1)
        except Exception:
            await asyncio.sleep(0.1)
    raise AssertionError("no broker")


class Reader:
    """Every message of one prefix: payloads by subject, and whether the numbers hold."""

    def __init__(self):
        self.payloads, self.last, self.sessions = defaultdict(list), {}, set()
        self.missing, self.told, self.marks = 0, 0, 0

    async def take(self, message):
        session, n = message.headers["Ouzel-Seq"].split()
        dropped = int(message.headers.get("Ouzel-Dropped", 0))
        self.sessions.add(session)
        last = self.last.get(message.subject, 0)
        hole = int(n) - last - 1
        assert hole >= 0, f"{message.subject}: {n} after {last}"
        assert hole <= dropped, f"{message.subject}: {hole} missing before {n}, and only {dropped} told"
        self.missing += hole
        self.told += dropped
        self.marks += message.subject.split(".")[1] == "dropped"
        self.last[message.subject] = int(n)
        self.payloads[message.subject].append(message.data)

    def sums(self):
        return {"missing": self.missing, "told": self.told, "marks": self.marks, "sessions": self.sessions}

    def rows(self):
        found = []
        for subject, payloads in self.payloads.items():
            if subject.split(".")[1] in peers.NUMBERED:
                for payload in payloads:
                    row = json.loads(payload)
                    assert row.pop("n") and subject.endswith(row["symbol"])
                    row.pop("dropped", None)
                    found.append(row)
        return found


async def both_formats(program, port):
    """JSON is what the stream said, and binary is what JSON said, print by print."""
    client = await connected(port)
    url = f"nats://127.0.0.1:{port}"
    options = ["--nats", url, "--nats-subject", "desk.json"]
    with peers.Ouzel(program, *options) as ouzel:
        text, kinds = Reader(), set()

        async def take(message):
            message.subject = message.subject.removeprefix("desk.")
            kinds.add(message.subject.split(".")[1])
            await text.take(message)

        await client.subscribe("desk.json.>", cb=take)

        await client.flush()
        await ouzel.ready()
        own = []
        reading = asyncio.create_task(peers.stream(ouzel, own))
        await asyncio.sleep(6)
        reading.cancel()
        await ouzel.end()
        await client.flush()
        await asyncio.sleep(0.5)
        compared = peers.equal_streams(own, text.rows())
        assert compared > 500 and {row["type"] for row in own} >= {"trade", "bar"}, compared
        assert len(text.sessions) == 1 and (text.missing, text.told) == (0, 0), text.sums()
        assert kinds >= {"instrument", "book", "trade", "bar", "vwap", "feed"}, kinds
    print(f"  {compared} rows equal on both ways, {sum(map(len, text.payloads.values()))} messages")

    options = ["--nats", url, "--nats-subject", "bin", "--nats-format", "binary", "--nats-kinds", "trade"]
    with peers.Ouzel(program, *options) as ouzel:
        binary = Reader()
        await client.subscribe("bin.>", cb=binary.take)
        await client.flush()
        await ouzel.ready()
        own = []
        reading = asyncio.create_task(peers.stream(ouzel, own, ["trades"]))
        await asyncio.sleep(4)
        reading.cancel()
        await ouzel.end()
        await client.flush()
        await asyncio.sleep(0.5)
        trades = set()
        for subject, payloads in binary.payloads.items():
            kind = subject.split(".")[1]
            assert kind in ("instrument", "trade"), subject
            if kind == "trade":
                for seq, _, _, price, qty, match in map(peers.binary_trade, payloads):
                    trades.add((subject.split(".")[2], seq, price, qty, match))
        assert own, "no prints"
        for row in own:
            want = (row["symbol"], row["seq"], row["price_e9"], int(row["qty"]), row["match_id"])
            assert want in trades, want
    print(f"  {len(own)} prints equal in binary")
    await client.close()


async def a_cut_wire(program, port):
    """The wire is cut twice while the market runs: nothing is missing that was not told, the market goes on."""
    client = await connected(port)
    wire = peers.Wire(port)
    await wire.open()
    options = ["--nats", f"nats://127.0.0.1:{wire.port}", "--nats-subject", "cut"]
    with peers.Ouzel(program, *options, rate=20_000) as ouzel:
        reader = Reader()
        await client.subscribe("cut.>", cb=reader.take, pending_msgs_limit=-1, pending_bytes_limit=-1)
        await client.flush()
        await ouzel.ready()
        await peers.until(lambda: ouzel.outlet("nats")["far"]["confirmed"] > 1_000)
        for _ in range(2):
            before = sum(reader.last.values())
            await wire.cut()
            trouble = await peers.until(lambda: ouzel.outlet("nats")["trouble"])
            assert f"127.0.0.1:{wire.port}" in trouble, trouble
            assert ouzel.metric("ouzel_outlet_up", "nats") == 0
            first = ouzel.get("/v1/feed")["next_seq"]
            await asyncio.sleep(1)
            assert ouzel.get("/v1/feed")["next_seq"] > first, "the market stands"
            checks = ouzel.get("/readyz")["checks"]
            assert "trouble" in next(c["detail"] for c in checks if c["name"] == "outputs"), checks
            await wire.open()
            await peers.until(lambda: ouzel.outlet("nats")["trouble"] is None)
            await peers.until(lambda: sum(reader.last.values()) > before + 1_000)
        state = ouzel.outlet("nats")
        await ouzel.end()
        await client.flush()
        await asyncio.sleep(0.5)
        assert state["far"]["connects"] >= 3, state
        # A cut between two batches leaves nothing uncertain; whatever was is told on the subjects.
        assert reader.missing <= reader.told, reader.sums()
        assert (state["far"]["uncertain"] > 0) == (reader.marks > 0), (state, reader.marks)
    print(f"  missing {reader.missing}, told {reader.told}, uncertain {state['far']['uncertain']}, marks {reader.marks}")
    await client.close()


async def a_spill(program, port):
    """The broker is away for seconds and memory holds far less: all of it waits on disk and comes, in order."""
    client = await connected(port)
    wire = peers.Wire(port)
    with tempfile.TemporaryDirectory() as folder:
        with peers.Ouzel(
            program, "--nats", f"nats://127.0.0.1:{wire.port}", "--nats-subject", "spill", "--nats-slow", "spill",
            "--nats-queue", 1_000, "--spill", folder, rate=5_000,
        ) as ouzel:  # fmt: skip
            reader = Reader()
            await client.subscribe("spill.>", cb=reader.take, pending_msgs_limit=-1, pending_bytes_limit=-1)
            await client.flush()
            await ouzel.ready()
            await peers.until(lambda: ouzel.outlet("nats")["spilled"] > 3_000)
            assert any(name.endswith(".spill") for name in os.listdir(f"{folder}/nats"))
            await wire.open()
            state = await peers.until(lambda: (o := ouzel.outlet("nats"))["waiting"] < 500 and o, patience=60)
            await ouzel.end()
            await client.flush()
            await asyncio.sleep(0.5)
        assert os.listdir(f"{folder}/nats") == [], "a drained spill leaves nothing"
    assert state["dropped"] == 0 and state["far"]["uncertain"] == 0, state
    assert (reader.missing, reader.told) == (0, 0), reader.sums()
    print(f"  {state['spilled']} frames waited on disk, {sum(reader.last.values())} came, none missing")
    await client.close()


async def a_dead_broker(program, port):
    """Nobody listens there: the server is ready, the market runs, and it ends when asked."""
    with peers.Ouzel(program, "--nats", f"nats://127.0.0.1:{peers.free_port()}", "--nats-slow", "conflate") as ouzel:
        await ouzel.ready()
        trouble = await peers.until(lambda: ouzel.outlet("nats")["trouble"])
        first = ouzel.get("/v1/feed")["next_seq"]
        await asyncio.sleep(1)
        assert ouzel.get("/v1/feed")["next_seq"] > first, "the market stands"
        state = ouzel.outlet("nats")
        assert state["sent"] == 0 and state["waiting"] > 0 and state["conflated"] > 0, state
        assert ouzel.said().count("is in trouble") <= 2, ouzel.said()
        await ouzel.end()
    print(f"  {trouble}")


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ouzel", required=True)
    program = os.path.abspath(arguments.parse_args().ouzel)
    process, port = server()
    try:
        for check in [both_formats, a_cut_wire, a_spill, a_dead_broker]:
            await check(program, port)
            print(f"ok: {check.__name__}: {check.__doc__.splitlines()[0]}")
    finally:
        process.terminate()
        process.wait()


asyncio.run(main())
