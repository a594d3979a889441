"""Serves the console's files and a made-up market over docs/api.md, so that the console can be built and tested alone.

    python mock_server.py --port 7979
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

from aiohttp import WSMsgType, web

import mock_answers
from mock_market import Market, rfc3339

ASSETS = Path(__file__).resolve().parents[2] / "crates/server/assets"
# As the server sends it: the console must work under this policy.
POLICY = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"
MARKET = web.AppKey("market", Market)


def refusal(status, message, hint):
    return web.json_response({"error": {"code": "not_found" if status == 404 else "bad_request", "message": message, "hint": hint}}, status=status)


@web.middleware
async def policy(request, handler):
    response = await handler(request)
    if not response.prepared:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Cache-Control"] = "no-cache"
    return response


def find(request):
    return request.app[MARKET].symbols.get(request.match_info["symbol"])


async def symbols(request):
    market = request.app[MARKET]
    return web.json_response({"as_of": rfc3339(market.now), "feed": market.feed(), "symbols": market.rows()})


async def book(request):
    s = find(request)
    return web.json_response(request.app[MARKET].book(s)) if s else refusal(404, "no such symbol", "see /v1/symbols")


async def bars(request):
    s, market = find(request), request.app[MARKET]
    if not s:
        return refusal(404, "no such symbol", "see /v1/symbols")
    span, limit = request.query.get("span", "1s"), int(request.query.get("limit", 300))
    minutes = span == "1m"
    rows = (market.minute_bars(s) if minutes else s.bars)[-limit:]
    return web.json_response({"symbol": s.symbol, "span": span, "bars": [market.bar(b, 60 if minutes else 1) for b in rows]})


async def vwap(request):
    market = request.app[MARKET]
    s = market.symbols[request.query["symbol"]]
    return web.json_response({"window": "60s", "step": "100ms", "values": market.vwaps(s, int(request.query.get("limit", 300)))})


async def documents(request):
    market = request.app[MARKET]
    doc = market.documents.get(request.match_info["id"])
    return web.json_response(doc) if doc else refusal(404, f"no document {request.match_info['id']!r}", "see /v1/documents")


async def ask(request):
    market, body = request.app[MARKET], await request.json()
    found = mock_answers.answer(market, body)
    if not body.get("stream"):
        return web.json_response(found)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    await asyncio.sleep(0.15)
    for word in found["answer"].split(" "):
        await response.write(f"event: token\ndata: {json.dumps({'text': word + ' '})}\n\n".encode())
        await asyncio.sleep(0.008)
    await response.write(f"event: answer\ndata: {json.dumps(found)}\n\n".encode())
    return response


class Client:
    """One WebSocket and what it wants."""

    def __init__(self, market, socket):
        self.market, self.socket, self.topics, self.seen = market, socket, set(), market.seq

    async def send(self, kind, body):
        await self.socket.send_json({"type": kind, **body})

    async def tick(self, signals):
        market = self.market
        if "movers" in self.topics:
            await self.send("movers", {"symbols": market.rows()})
        if "feed" in self.topics:
            await self.send("feed", market.feed())
        for topic in list(self.topics):
            kind, _, symbol = topic.partition(":")
            s = market.symbols.get(symbol)
            if not s:
                continue
            if kind == "book":
                await self.send("book", market.book(s))
            elif kind == "bars" and s.bars:
                await self.send("bar", {"symbol": symbol, "bar": market.bar(s.bars[-1])})
            elif kind == "vwap" and s.bars:
                await self.send("vwap", market.vwaps(s, 1)[0])
        if "signals" in self.topics:
            for signal in signals:
                await self.send("signal", signal)


async def stream(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    client = Client(request.app[MARKET], socket)
    await client.send("hello", {"version": "mock", "conflated": 0})
    request.app["clients"].add(client)
    try:
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
            body = json.loads(message.data)
            client.topics |= set(body.get("subscribe", []))
            client.topics -= set(body.get("unsubscribe", []))
    finally:
        request.app["clients"].discard(client)
    return socket


async def run_market(app):
    async def loop():
        while True:
            signals = app[MARKET].step(time.time_ns())
            for client in list(app["clients"]):
                try:
                    await client.tick(signals)
                except ConnectionError:
                    app["clients"].discard(client)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(loop())
    yield
    task.cancel()


def simple(make):
    async def handler(request):
        return web.json_response(make(request.app[MARKET], request))

    return handler


async def asset(request):
    path = (ASSETS / request.match_info.get("path", "index.html")).resolve()
    if ASSETS not in path.parents or not path.is_file():
        return refusal(404, "no such file", "the console is at /")
    return web.FileResponse(path)


def build(seed, count):
    app = web.Application(middlewares=[policy])
    app[MARKET] = Market(seed, count)
    app["clients"] = set()
    app.cleanup_ctx.append(run_market)
    get, post = app.router.add_get, app.router.add_post
    get("/livez", lambda r: web.json_response({"status": "ok", "checks": []}))
    get("/v1/symbols", symbols)
    get("/v1/book/{symbol}", book)
    get("/v1/bars/{symbol}", bars)
    get("/v1/vwap", vwap)
    get("/v1/signals", simple(lambda m, r: {"signals": m.signals[: int(r.query.get("limit", 100))]}))
    get("/v1/feed", simple(lambda m, r: m.feed()))
    get("/v1/rejected", simple(lambda m, r: {"rejected": [{"at": rfc3339(m.now - m.now % 3_600_000_000_000), "line": "B", "reason": "message block runs past the packet: 36 bytes wanted, 11 left", "bytes_hex": "4f555a454c53494d3031000000000012611b0001"}]}))
    get("/v1/documents/{id}", documents)
    get("/v1/stream", stream)
    post("/v1/ask", ask)
    app.router.add_post("/v1/search", search)
    get("/", asset)
    get("/favicon.svg", lambda r: web.FileResponse(ASSETS / "favicon.svg"))
    get("/assets/{path:.+}", asset)
    return app


async def search(request):
    return web.json_response(mock_answers.search(request.app[MARKET], await request.json()))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=7979)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--symbols", type=int, default=100)
    chosen = options.parse_args()
    web.run_app(build(chosen.seed, chosen.symbols), host="127.0.0.1", port=chosen.port, print=None)
