"""QuickFIX over a market that misbehaves, and over real captures: what a client of the FIX door sees.

Ten checks a version over a capture made here (a halt, a resumption, messages lost for good, documents posted meanwhile) and one for
each real capture that there is (OUZEL_SHARED): after it was played, the client's books are the server's own, level for level.

    python testdata/conformance/fix_market.py [--ouzel BINARY] [--capture FILE]..
"""

import argparse
import json
import os
import pathlib
import struct
import sys
import tempfile
import time
import urllib.request

import fix_session
from fix_session import VERSIONS, Book, Run, Server, build

DAY_NS = 86_400_000_000_000
# 2026-03-02 14:30 UTC, half past nine in New York.
OPENING_S = 1_772_461_800
MIDNIGHT_ET_S = OPENING_S - 34_200
CAPTURES = ("crypto/binance/spot_btcusdt_20240808.gz",)


class Venue:
    """ITCH 5.0 in MoldUDP64 in a capture: one symbol and what happens to it."""

    def __init__(self):
        self.seq, self.packets, self.stock = 1, [], b"PLANTED "

    def at(self, second, *messages, lost=0):
        """A packet at a second of the capture; `lost` numbers before it never come."""
        self.seq += lost
        ns = (OPENING_S - MIDNIGHT_ET_S) * 1_000_000_000 + int(second * 1e9)
        blocks = b""
        for kind, rest in messages:
            body = kind + struct.pack(">HH", 1, 0) + ns.to_bytes(6, "big") + rest
            blocks += struct.pack(">H", len(body)) + body
        mold = b"FIXMARKET1" + struct.pack(">QH", self.seq, len(messages)) + blocks
        self.seq += len(messages)
        udp = struct.pack(">HHHH", 26_400, 26_477, 8 + len(mold), 0) + mold
        address = bytes([10, 0, 0, 1]), bytes([233, 54, 12, 111])
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + address[0] + address[1] + udp
        frame = b"\x01\x00\x5e\x36\x0c\x6f" + bytes(6) + b"\x08\x00" + ip
        stamp = struct.pack("<IIII", OPENING_S + int(second), int(second % 1 * 1e6), len(frame), len(frame))
        self.packets.append(stamp + frame)

    def directory(self):
        return b"R", self.stock + b"Q" + b"N" + struct.pack(">I", 100) + b"N" + b"C" + b"Z " + b"P" + b"N" + b"N" + b"1" + b"N" + bytes(4) + b"N"

    def action(self, state, reason=b"    "):
        return b"H", self.stock + state + b" " + reason

    def add(self, reference, side, shares, price):
        return b"A", struct.pack(">Q", reference) + side + struct.pack(">I", shares) + self.stock + struct.pack(">I", int(price * 10_000))

    def save(self, path):
        path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1) + b"".join(self.packets))


def planted(path):
    """Books, then a halt after 20 s, a resumption after 23 s, two messages lost after 26 s, and levels again and again."""
    venue = Venue()
    venue.at(0, venue.directory(), venue.action(b"T"), venue.add(1, b"B", 300, 99.99), venue.add(2, b"S", 200, 100.01))
    for second in range(1, 20):
        venue.at(second, venue.add(10 + second, b"B", 100 * second, 99))
    venue.at(20, venue.action(b"H", b"T1  "))
    venue.at(23, venue.action(b"T"))
    venue.at(26, venue.add(30, b"B", 700, 98), lost=2)
    for second in range(28, 60, 2):
        venue.at(second, venue.add(20 + second, b"S", 100, 101))
    venue.save(path)


def post(url, documents):
    data = json.dumps(documents).encode()
    request = urllib.request.Request(url + "/v1/documents", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def get(url, path):
    with urllib.request.urlopen(url + path, timeout=20) as answer:
        return json.loads(answer.read())


def logged_on(version, server, folder):
    run = Run(version, server.port, folder)
    run.initiator.start()
    run.check("logon", run.client.until(True))
    return run


def first_symbols(run, wanted=1, seconds=20):
    """What is listed, once there is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        symbols = run.symbols()
        if len(symbols) >= wanted:
            return symbols
        time.sleep(0.2)
    return []


def levels(message):
    """The levels of a W or X with their flags."""
    entries = message.entries(269 if message.kind == "W" else 279)
    return [entry for entry in entries if entry.get("269") in ("0", "1")]


def flags(message):
    return {(entry.get("276"), entry.get("58")) for entry in levels(message) if entry.get("279") != "2"}


def headline(client, text, since, seconds=30):
    return client.wait(lambda m: m.kind == "B" and text in (m.get(148) or ""), since, seconds)


def misbehaving(binary, version):
    """A halt, a resumption, a loss, news and a depth that is refused."""
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder) / "planted.pcap"
        planted(capture)
        server = Server(binary, f"{folder}/data", 0, "--capture", str(capture))
        try:
            run = logged_on(version, server, folder)
            told(run, server.url)
            run.check("QuickFIX refused nothing", not run.client.refused, run.client.refused[:3])
            run.initiator.stop()
            return run.passed, 10
        finally:
            server.end(server.process.kill)


def told(run, url):
    client = run.client
    symbols = first_symbols(run)
    run.ask("deep", 1, symbols[:1], depth=11)
    refused = client.wait(lambda m: m.kind == "Y" and m.get(262) == "deep")
    run.check("Y for a depth beyond ten", refused and refused.get(281) == "5" and "MarketDepth" in refused.get(58), refused)
    run.ask("one", 1, symbols, depth=0, kinds="01")
    # Until its second packet the feed is being joined, which is a flag too.
    whole = lambda m: m.kind in "WX" and m.get(262) == "one" and flags(m) == {(None, None)}
    snapshot = client.wait(whole)
    run.check("a whole book has no flags", snapshot, client.messages[-1])
    news(run, url)
    since = client.messages.index(snapshot) if snapshot else 0
    halt = headline(client, "PLANTED halted T1", since)
    halted = client.wait(lambda m: m.kind == "X" and ("B", None) in flags(m), since)
    run.check("a halt is news, and closes every level", halt and halted, (halt, halted))
    since = client.messages.index(halted) if halted else 0
    resumed = headline(client, "PLANTED trades again", since)
    opened = client.wait(lambda m: m.kind == "X" and (None, None) in flags(m), since)
    run.check("a resumption opens it again", resumed and opened, (resumed, opened))
    stale = lambda m: m.kind == "X" and any(c == "I" and t and t.startswith("stale:") for c, t in flags(m))
    lost = client.wait(stale, since, 30)
    run.check("a loss makes it not firm, with the reason", lost, [m for m in client.messages[since:] if m.kind == "X"][-2:])
    run.ask("late", 0, symbols, depth=1, kinds="01")
    late = client.wait(lambda m: m.kind == "W" and m.get(262) == "late")
    conditions = {entry.get("276") for entry in levels(late)} if late else set()
    run.check("so does a snapshot asked for later", conditions == {"I"}, late)


def news(run, url):
    """Documents posted while subscribed: those about the symbol come, once, as they were."""
    client, since = run.client, run.client.mark()
    post(url, [{"id": "other", "text": "About something else.", "title": "Elsewhere", "symbols": ["ELSE"]}])
    text = "The maker of planted things cuts its forecast.\nShares had risen before."
    document = {"id": "n1", "title": "Planted cuts its forecast", "text": text, "symbols": ["PLANTED", "ELSE"], "url": "http://127.0.0.1/n1"}
    report = post(url, [document])
    came = headline(client, "Planted cuts its forecast", since)
    lines = [value for tag, value in came.fields if tag == "58"] if came else []
    related = came and [value for tag, value in came.fields if tag == ("46" if run.version == "FIX.4.2" else "55")]
    good = report["stored"] == 1 and lines == [text.replace("\n", " ")] and related == ["PLANTED"] and came.get(149) == document["url"]
    run.check("a document about the symbol is news", good, came)
    post(url, [{"id": "n2", "text": "No title here.", "symbols": ["PLANTED"]}])
    second = headline(client, "No title here.", since)
    mine = [m.get(148) for m in client.messages[since:] if m.kind == "B" and m.get(42)]
    run.check("one without a title too, one about others not", second and mine == [document["title"], "No title here."], mine)


def same_books(binary, version, capture, speed):
    """A capture through the door: at its end every book at the client is the server's."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(binary, f"{folder}/data", 0, "--capture", str(capture), "--speed", str(speed))
        try:
            run = logged_on(version, server, folder)
            books, updates = follow(run, server.url)
            differ = [s for s, book in books.items() if book.levels != own(server.url, s)]
            name = f"books of {capture.name} at the client: {len(books)}, after {updates} changes of levels"
            run.check(name, books and updates > 0 and not differ, [(s, books[s].levels, own(server.url, s)) for s in differ[:1]])
            run.check("QuickFIX refused nothing", not run.client.refused, run.client.refused[:3])
            run.initiator.stop()
            return run.passed, 3
        finally:
            server.end(server.process.kill)


def decimal(text):
    """A price or size as both sides write it."""
    return f"{float(text):.9f}"


def own(url, symbol):
    book = get(url, f"/v1/book/{urllib.request.quote(symbol, safe='')}?depth=10")
    rows = [("0", level) for level in book["bids"]] + [("1", level) for level in book["asks"]]
    return {(side, decimal(level["price"])): decimal(level["qty"]) for side, level in rows}


class Exact(Book):
    """A book whose numbers are compared with those of JSON."""

    def snapshot(self, message):
        super().snapshot(message)
        self.levels = {(side, decimal(price)): decimal(size) for (side, price), size in self.levels.items()}

    def update(self, message):
        for entry in message.entries(279):
            if entry["269"] not in "01":
                continue
            key = (entry["269"], decimal(entry["270"]))
            assert (key in self.levels) == (entry["279"] != "0"), f"{entry['279']} of {key}: {message}"
            self.levels.pop(key, None)
            if entry["279"] != "2":
                self.levels[key] = decimal(entry["271"])
            self.updates += 1


def follow(run, url):
    """Asks for each symbol as it is listed, and keeps its book until the capture has been played and nothing more comes."""
    client, books, at, quiet, said = run.client, {}, 0, time.monotonic(), 0
    while time.monotonic() - quiet < 6:
        for symbol in [s for s in run.symbols() if s not in books][:500]:
            books[symbol] = Exact()
            run.ask(symbol, 1, [symbol], depth=0, kinds="01")
        time.sleep(1)
        for message in client.messages[at:]:
            at += 1
            if message.kind == "W":
                books[message.get(262)].snapshot(message)
            elif message.kind == "X":
                books[message.get(262)].update(message)
        seq = get(url, "/v1/feed")["next_seq"], sum(book.updates for book in books.values()), len(books)
        if seq != said:
            said, quiet = seq, time.monotonic()
    return books, sum(book.updates for book in books.values())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ouzel")
    parser.add_argument("--capture", action="append", type=pathlib.Path, help="played in place of the shared ones")
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--version", choices=VERSIONS, action="append")
    arguments = parser.parse_args()
    binary = arguments.ouzel or build()
    passed = wanted = 0
    for version in arguments.version or VERSIONS:
        good, of = misbehaving(binary, version)
        passed, wanted = passed + good, wanted + of
    shared = pathlib.Path(os.environ.get("OUZEL_SHARED", fix_session.REPOSITORY.parent / "shared")) / "data/market"
    captures = arguments.capture or [shared / name for name in CAPTURES if (shared / name).exists()]
    for number, capture in enumerate(captures):
        version = list(VERSIONS)[(number + 1) % len(VERSIONS)]
        good, of = same_books(binary, version, capture, arguments.speed)
        passed, wanted = passed + good, wanted + of
    print(f"{passed} of {wanted} checks")
    return 0 if passed == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
