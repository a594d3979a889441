"""The stream of a running demo through the Python client `websockets`, permessage-deflate on and off.

JSON, binary frames read by the byte map of docs/formats/ouzel-frames.md (an independent reader), resume by
number, and what the server says when it is misused. Status 77: something that it needs is not installed."""

import argparse
import asyncio
import json
import struct
import sys

try:
    import websockets
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
except ImportError as missing:
    print(f"skipped: no {missing.name}; cargo xtask test installs it")
    sys.exit(77)

BINARY = "ouzel.frames.v1"
SIZES = {1: 28, 2: 36, 3: 60, 4: 108, 5: 52, 6: 92, 7: 180, 8: 16}


def packet(data):
    """Session, first number and messages of one packet."""
    session, seq, count = struct.unpack_from(">10sQH", data)
    at, messages = 20, []
    for _ in range(count):
        (size,) = struct.unpack_from(">H", data, at)
        messages.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    assert at == len(data), "bytes beyond the last message"
    for message in messages:
        assert len(message) >= SIZES[message[0]], message
    return session.decode(), seq, messages


async def text(socket, wanted, patience=20):
    """The next JSON message of a kind."""
    async with asyncio.timeout(patience):
        while True:
            said = await socket.recv()
            if isinstance(said, str) and json.loads(said)["type"] == wanted:
                return json.loads(said)


async def json_both_ways(url):
    """Packed or not, the same things are said."""
    for extensions, compression in [(None, "deflate"), (None, None)]:
        async with connect(url, compression=compression, extensions=extensions) as socket:
            names = [e.name for e in socket.protocol.extensions]
            assert names == (["permessage-deflate"] if compression else []), names
            hello = await text(socket, "hello")
            assert hello["session"].startswith("OZ1") and hello["next"] >= 1, hello
            await socket.send(json.dumps({"subscribe": ["movers", "feed", "trades", "bars"], "interval_ms": 50}))
            movers = await text(socket, "movers")
            assert len(movers["symbols"]) > 4
            numbers = [(await text(socket, "trade"))["n"] for _ in range(50)]
            assert numbers == sorted(set(numbers)), numbers
            assert (await text(socket, "bar"))["bar"]["trades"] >= 1
            # A long message from the client, packed by it, is read too.
            await socket.send(json.dumps({"subscribe": ["weather" * 500]}))
            assert "hint" in await text(socket, "error")


async def windows(url):
    """Offers that the server can keep are kept; a smaller window of its own is declined."""
    small = ClientPerMessageDeflateFactory(server_max_window_bits=10)
    try:
        async with connect(url, compression=None, extensions=[small]) as socket:
            assert not socket.protocol.extensions
            await text(socket, "hello")
    except websockets.exceptions.NegotiationError:
        pass
    forgetful = ClientPerMessageDeflateFactory(
        server_no_context_takeover=True, client_no_context_takeover=True, client_max_window_bits=9
    )
    async with connect(url, compression=None, extensions=[forgetful]) as socket:
        assert [e.name for e in socket.protocol.extensions] == ["permessage-deflate"]
        await socket.send(json.dumps({"subscribe": ["movers"], "interval_ms": 20}))
        for _ in range(5):
            await text(socket, "movers")


async def numbered(url, wish, count):
    """Numbers and raw messages of `count` prints, the session, and marks seen."""
    found, marks, named, states = {}, 0, set(), set()
    async with connect(url, subprotocols=[BINARY]) as socket:
        assert socket.subprotocol == BINARY
        hello = await text(socket, "hello")
        await socket.send(json.dumps({"subscribe": ["trades", "signals", "feed"], "interval_ms": 20} | wish))
        async with asyncio.timeout(30):
            while len(found) < count:
                data = await socket.recv()
                if isinstance(data, str):
                    continue
                session, seq, messages = packet(data)
                assert session == hello["session"]
                for place, message in enumerate(messages):
                    kind, _, lane, instrument = struct.unpack_from("<BBHI", message)
                    if seq == 0:
                        states.add(kind)
                        marks += struct.unpack_from("<Q", message, 8)[0] if kind == 8 else 0
                    if kind == 1:
                        named.add((lane, instrument))
                    if kind == 3 and seq > 0:
                        assert (lane, instrument) in named, "a print before its name"
                        assert seq + place not in found, "sent twice"
                        found[seq + place] = bytes(message)
    assert 7 in states, "no feed state"
    return hello["session"], found, marks


async def resume(url):
    """After a break the client goes on where it was: nothing missing, nothing twice, the same bytes."""
    session, first, marks = await numbered(url, {}, 200)
    assert marks == 0
    last = max(first)
    await asyncio.sleep(1)
    _, second, marks = await numbered(url, {"resume": {"session": session, "after": last}}, 200)
    assert marks == 0 and min(second) > last
    _, again, _ = await numbered(url, {"resume": {"session": session, "after": min(first) - 1}}, len(first) + 200)
    both = first | second
    overlap = [n for n in again if n in both]
    assert len(overlap) >= len(first) and all(again[n] == both[n] for n in overlap)
    missing = [n for n in again if n <= max(second) and n not in both]
    assert not missing, f"{len(missing)} prints were skipped at the break"
    async with connect(url) as socket:
        wish = {"subscribe": ["trades"], "resume": {"session": "OZ1OLDRUN0", "after": 5}}
        await socket.send(json.dumps(wish))
        assert "restarted" in (await text(socket, "gap"))["why"]


async def misuse(url):
    """Too long a message ends the connection with the code that says so; others go on."""
    async with connect(url) as other:
        async with connect(url, compression=None) as socket:
            await socket.send("x" * (65 << 10))
            try:
                while True:
                    await socket.recv()
            except ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code == 1009, closed
        async with connect(url) as socket:
            # 32 MiB of nothing, packed into some 30 KB.
            await socket.send("\0" * (32 << 20))
            try:
                while True:
                    await socket.recv()
            except ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code == 1009, closed
        pong = await other.ping()
        await asyncio.wait_for(pong, 10)


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--url", required=True)
    url = arguments.parse_args().url.replace("http://", "ws://") + "/v1/stream"
    for check in [json_both_ways, windows, resume, misuse]:
        await check(url)
        print(f"ok: {check.__name__}: {check.__doc__.splitlines()[0]}")


asyncio.run(main())
