"""Standing questions of a server of our own, read from outside: signatures by the reference library of Standard Webhooks,
alerts by another WebSocket library and, where the server was built with NATS, from a real nats-server. An endpoint that
fails is tried again, a redirect is not followed, and what was not delivered when the server was killed is delivered by
the next one under the same id. Status 77: something that it needs is not installed."""

import argparse
import asyncio
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

try:
    import nats
    import websockets
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError
except ImportError as missing:
    print(f"skipped: no {missing.name}; cargo xtask test installs it")
    sys.exit(77)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MILL = "Flour prices rose on Monday. The mill in Łódź stopped at noon after a fire in its grain elevator."


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def until(what, done, seconds=30):
    """Waits until `done` has something to say."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


class Receiver:
    """An endpoint whose every call is kept; `answers` says with which status each path answers, first calls first."""

    def __init__(self):
        self.calls, self.answers = [], {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.calls.append((self.path, dict(self.headers), body))
                left = receiver.answers.get(self.path, [])
                self.send_response(left.pop(0) if left else 204)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        return [call for call in self.calls if call[0] == path]


class Ouzel:
    running = []

    def __init__(self, program, folder, *options):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", folder, *options]
        self.log = open(os.path.join(folder, "server.log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        Ouzel.running.append(self.process)
        until("the server", self.is_live, 60)

    def is_live(self):
        assert self.process.poll() is None, f"the server ended: see {self.log.name}"
        try:
            return self.call("GET", "/livez")
        except (urllib.error.URLError, ConnectionError):
            return None

    def call(self, method, path, body=None):
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, body, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=40) as answer:
            return json.load(answer)

    def refused(self, method, path, body, word):
        try:
            self.call(method, path, body)
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            assert word in said, said
            return error.code
        raise AssertionError(f"{body} was not refused")

    def store(self, id, text, **more):
        self.call("POST", "/v1/documents", {"id": id, "text": text, **more})

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(20)


def verified(call):
    """What a call says, if it was signed by us; the reference library also looks at its time."""
    _, headers, body = call
    headers = {key.lower(): value for key, value in headers.items()}
    return headers["webhook-id"], Webhook(SECRET).verify(body, headers)


def put(ouzel, receiver):
    hook = lambda path: {"url": receiver.url + path, "secret": SECRET}
    kept = ouzel.call("POST", "/v1/standing", [
        {"id": "mill/1", "name": "the mill", "text": "mill \"grain elevator\"", "symbols": ["flrx"], "webhook": hook("/hook")},
        {"id": "fire", "meaning": {"text": "a fire stopped a factory", "min_cosine": 0.3}},
        {"id": "yeast", "text": {"q": "yeast molasses", "match": "any"}},
        {"id": "moved", "text": "mill", "webhook": hook("/moved")},
        {"id": "own", "text": "zebra", "webhook": {"url": receiver.url + "/own"}},
    ])["questions"]
    assert kept[4]["webhook"]["secret"].startswith("whsec_"), kept[4]
    shown = ouzel.call("GET", "/v1/standing/mill/1")
    assert "secret" not in shown["webhook"] and shown["name"] == "the mill", shown
    assert "secret" not in json.dumps(ouzel.call("GET", "/v1/standing"))
    for bad, word in [
        ({"id": "x", "text": "of the"}, "not indexed"),
        ({"id": "x"}, "asks nothing"),
        ({"id": "x", "text": "a1", "webhook": {"url": "file:///etc/passwd"}}, "webhook.url"),
        ({"id": "x", "filter": {"most": []}}, "most"),
        ({"id": "x", "text": "a1", "webhook": {"url": receiver.url, "secret": "whsec_c2hvcnQ="}}, "24 to 64"),
    ]:
        assert ouzel.refused("POST", "/v1/standing", [{"id": "good", "text": "a1"}, bad], word) == 400
    assert ouzel.refused("GET", "/v1/standing/good", None, "no standing question") == 404, "all or none"


async def alerts(ouzel, receiver, stored):
    """What the stream's topic says while a document comes."""
    async with websockets.connect(f"ws://127.0.0.1:{ouzel.port}/v1/stream") as stream:
        await stream.send(json.dumps({"subscribe": ["alerts"], "interval_ms": 20}))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(stored)
        told = {}
        while not {"mill/1", "fire", "moved"} <= set(told):
            frame = json.loads(await asyncio.wait_for(stream.recv(), 20))
            if frame["type"] == "alert":
                told[frame["question_id"]] = frame
        return told


def check_told(told, ouzel):
    assert set(told) == {"mill/1", "fire", "moved"}, told.keys()
    document = told["mill/1"]["document"]
    text = ouzel.call("GET", "/v1/documents/mill")["text"]
    assert document["document_id"] == "mill" and document["score"] == 1 and document["symbols"] == ["FLRX"]
    assert text.encode()[document["start"]:document["end"]].decode() == document["text"], document
    assert 0.3 <= told["fire"]["document"]["score"] <= 1 and document["seq"] > 0 and document["known_at"]
    again = ouzel.call("GET", "/v1/alerts?question=fire&wait_ms=1000")["alerts"]
    assert again == [told["fire"]], again


def check_webhooks(receiver, told):
    calls = until("a webhook tried three times", lambda: len(receiver.of("/hook")) >= 3 and receiver.of("/hook"))
    ids = {verified(call)[0] for call in calls}
    assert ids == {told["mill/1"]["id"]}, "one id at each attempt"
    said = verified(calls[0])[1]
    assert said == told["mill/1"], said
    path, headers, body = calls[0]
    for changed in [(path, headers, body.replace(b"mill", b"hill")), (path, {**headers, "webhook-id": "alert_0"}, body)]:
        try:
            verified(changed)
        except WebhookVerificationError:
            continue
        raise AssertionError("a changed call passes for ours")
    until("a redirect", lambda: receiver.of("/moved"))
    assert not receiver.of("/elsewhere"), "a redirect was followed"


def check_restart(program, folder, receiver, options):
    """Killed with a webhook undelivered and a document unmatched, the next server delivers both."""
    receiver.answers["/hook"] = [500] * 100
    ouzel = Ouzel(program, folder, *options)
    ouzel.store("mill2", "The mill and its grain elevator stand again.", symbols=["FLRX"])
    calls = until("an attempt", lambda: [c for c in receiver.of("/hook") if b"mill2" in c[2]])
    ouzel.end(signal.SIGKILL)
    receiver.answers["/hook"] = []
    before = len(receiver.calls)
    ouzel = Ouzel(program, folder, *options)
    again = until("the webhook of the run before", lambda: [c for c in receiver.calls[before:] if b"mill2" in c[2] and c[0] == "/hook"])
    assert verified(again[0])[0] == verified(calls[0])[0]
    assert ouzel.call("DELETE", "/v1/standing/mill/1") == {"deleted": True}
    ouzel.store("mill3", "The mill has a third grain elevator.", symbols=["FLRX"])
    until("another question's alert", lambda: [a for a in ouzel.call("GET", "/v1/alerts?question=moved")["alerts"] if a["document"]["document_id"] == "mill3"])
    assert not [c for c in receiver.of("/hook") if b"mill3" in c[2]], "a question that was removed is told of nothing"
    metrics = urllib.request.urlopen(ouzel.url + "/metrics", timeout=10).read().decode()
    assert "ouzel_standing_questions 4" in metrics and 'ouzel_webhooks_total{outcome="delivered"}' in metrics
    ouzel.end()


def check_private(program, receiver):
    """Without leave, a webhook does not reach this machine."""
    with tempfile.TemporaryDirectory() as folder:
        ouzel = Ouzel(program, folder)
        before = len(receiver.calls)
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]:
            url = f"http://{host}:{receiver.server.server_address[1]}/private"
            ouzel.call("POST", "/v1/standing", {"id": host, "text": "mill", "webhook": {"url": url}})
        ouzel.store("mill", MILL)
        failed = lambda: ouzel.call("GET", "/v1/standing")["webhooks"]["failed"] >= 4
        until("refused attempts", failed)
        assert len(receiver.calls) == before, receiver.calls[before:]
        ouzel.end()


async def check_nats(program):
    beside = os.path.join(os.path.dirname(sys.executable), "nats-server")
    server = beside if os.path.exists(beside) else shutil.which("nats-server")
    with tempfile.TemporaryDirectory() as folder:
        # Refused in any case: for the subject, or for what was not built.
        refused = [program, "serve", "--listen", "127.0.0.1:0", "--data", folder, "--nats", "nats://127.0.0.1:1", "--nats-subject", ">"]
        said = subprocess.run(refused, capture_output=True, text=True, timeout=60).stderr
    if not server or "without the feature nats" in said:
        print("no NATS: the server was built without it, or there is no nats-server")
        return
    port, got = free_port(), []
    broker = subprocess.Popen([server, "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        with tempfile.TemporaryDirectory() as folder:
            ouzel = await asyncio.to_thread(Ouzel, program, folder, "--nats", f"nats://127.0.0.1:{port}")
            client = await nats.connect(f"nats://127.0.0.1:{port}")

            async def take(message):
                got.append(message)

            await client.subscribe("ouzel.standing.>", cb=take)
            await client.flush()
            await asyncio.to_thread(ouzel.call, "POST", "/v1/standing", {"id": "mill/1", "text": "mill"})
            await asyncio.to_thread(ouzel.store, "mill", MILL)
            for _ in range(200):
                if got:
                    break
                await asyncio.sleep(0.05)
            assert [m.subject for m in got] == ["ouzel.standing.mill%2F1"], got
            said = json.loads(got[0].data)
            assert got[0].headers["Nats-Msg-Id"] == said["id"] and said["document"]["document_id"] == "mill", said
            await client.close()
            ouzel.end()
    finally:
        broker.terminate()
        broker.wait(10)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ouzel", required=True, help="the program")
    program = os.path.abspath(parser.parse_args().ouzel)
    receiver = Receiver()
    receiver.answers = {"/hook": [500, 503], "/moved": [302] * 100}
    with tempfile.TemporaryDirectory() as folder:
        options = ["--webhook-private"]
        ouzel = Ouzel(program, folder, *options)
        ouzel.store("before", MILL)
        put(ouzel, receiver)
        told = asyncio.run(alerts(ouzel, receiver, lambda: ouzel.store("mill", MILL, symbols=["FLRX"])))
        check_told(told, ouzel)
        check_webhooks(receiver, told)
        ouzel.end()
        check_restart(program, folder, receiver, options)
    check_private(program, receiver)
    asyncio.run(check_nats(program))
    print(f"standing questions: {len(receiver.calls)} calls of webhooks, all signed as the standard says")


try:
    main()
finally:
    for process in Ouzel.running:
        process.kill()
