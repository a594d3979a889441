"""Load on a running server, open loop: so many users ask by a clock of their own whether or not the last answer has come, and
an answer's time counts from the moment it was due, so that a server that stalls cannot hide what waited meanwhile. Standard
library only. Prints p50 and p99 of every stage that answers tell in `Server-Timing`, and of the whole as users see it.

    python3 testdata/doors/load.py --url http://127.0.0.1:7878 --users 200 --seconds 300 --every 4
"""

import argparse
import asyncio
import json
import random
import re
import sys
import time
import urllib.request
from urllib.parse import urlsplit

STAGE = re.compile(r"(\w+);dur=([0-9.]+)")
PATHS = {"search": "/v1/search", "ask": "/v1/ask", "similar": "/v1/similar"}
# Of a hundred calls.
SHARES = {"search": 65, "ask": 25, "similar": 10}
DONE = ["cut", "raised", "confirmed", "withdrew", "missed", "beat", "won", "lost", "settled", "opened", "closed", "sold"]
WHAT = ["its forecast", "a contract", "a lawsuit", "the dividend", "a plant", "a licence", "estimates", "a unit", "an order", "the outlook", "a trial", "shares"]
WHO = ["a bank", "an airline", "a miner", "a chip maker", "a drug maker", "a retailer", "an insurer", "a utility", "a carmaker", "a shipper"]


def body(kind, symbols, chance):
    """A question with a number of its own, about any symbol: kept lists answer none of them."""
    symbol, number = chance.choice(symbols), chance.randrange(10**6)
    about = chance.choice([f"{chance.choice(WHO)} {chance.choice(DONE)} {chance.choice(WHAT)}", f"{symbol} {chance.choice(DONE)} {chance.choice(WHAT)}"]) + f" {number}"
    if kind == "search":
        return {"q": about, "k": 10}
    if kind == "ask":
        return {"q": chance.choice([f"why did {symbol} move by {number}?", f"who {chance.choice(DONE)} {chance.choice(WHAT)} for {number}?", f"which news is there of {symbol}, {about}?"])}
    return {"symbol": symbol}


# Longer than any deadline that a question has by itself.
PATIENCE_S = 60


async def call(address, path, body):
    """Status and headers of one POST on a connection of its own."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + data)
        answer = await reader.read(-1)
    finally:
        writer.close()
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:])
    return int(head[0].split()[1]), headers


class Tally:
    def __init__(self):
        self.times = {}
        self.statuses = {}

    def add(self, kind, stage, ms):
        self.times.setdefault((kind, stage), []).append(ms)

    def status(self, kind, status):
        key = (kind, str(status))
        self.statuses[key] = self.statuses.get(key, 0) + 1

    def rows(self):
        for (kind, stage), times in sorted(self.times.items()):
            times.sort()
            at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
            yield {"call": kind, "stage": stage, "count": len(times), "p50_ms": round(at(0.5), 3), "p99_ms": round(at(0.99), 3), "max_ms": round(times[-1], 3)}


async def ask(address, kind, asked, due, tally):
    try:
        status, headers = await asyncio.wait_for(call(address, PATHS[kind], asked), PATIENCE_S)
    except (OSError, asyncio.TimeoutError, IndexError, ValueError) as error:
        return tally.status(kind, type(error).__name__)
    tally.status(kind, status)
    if status == 200:
        tally.add(kind, "user (from due time)", (time.perf_counter() - due) * 1e3)
        for stage, ms in STAGE.findall(headers.get("server-timing", "")):
            tally.add(kind, stage, float(ms))


async def user(address, symbols, end, every, seed, tally):
    chance = random.Random(seed)
    due = time.perf_counter() + chance.random() * every
    asked = []
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        kind = chance.choices(list(SHARES), SHARES.values())[0]
        asked.append(asyncio.create_task(ask(address, kind, body(kind, symbols, chance), due, tally)))
        due += chance.expovariate(1 / every)
    await asyncio.gather(*asked)


async def run(args, tally):
    url = urlsplit(args.url)
    address = (url.hostname, url.port or 80)
    with urllib.request.urlopen(f"{args.url}/v1/symbols", timeout=PATIENCE_S) as answer:
        symbols = sorted(row["symbol"] for row in json.load(answer)["symbols"])
    started = time.perf_counter()
    end = started + args.seconds
    await asyncio.gather(*(user(address, symbols or ["NONE"], end, args.every, seed, tally) for seed in range(args.users)))
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:7878")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300, help="how long questions are asked")
    parser.add_argument("--every", type=float, default=4, help="mean seconds between two questions of one user")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()
    tally = Tally()
    took = asyncio.run(run(args, tally))
    good = sum(count for (_, status), count in tally.statuses.items() if status == "200")
    summary = {"users": args.users, "seconds": round(took, 1), "answered": good, "outcomes": {f"{k} {s}": n for (k, s), n in sorted(tally.statuses.items())}}
    if args.json:
        for row in [summary, *tally.rows()]:
            print(json.dumps(row))
    else:
        print(f"{args.users} users, {took:.1f} s, {good} answered ({good / took:.1f} a second); {summary['outcomes']}")
        print(f"{'call':8}{'stage':22}{'count':>8}{'p50 ms':>12}{'p99 ms':>12}{'max ms':>12}")
        for row in tally.rows():
            print(f"{row['call']:8}{row['stage']:22}{row['count']:8}{row['p50_ms']:12.3f}{row['p99_ms']:12.3f}{row['max_ms']:12.3f}")
    # Refusals for want of room are an outcome; an answer that never came is a failure.
    lost = [status for (_, status) in tally.statuses if not status.isdigit() or int(status) >= 500]
    sys.exit(1 if lost or not good else 0)


if __name__ == "__main__":
    main()
