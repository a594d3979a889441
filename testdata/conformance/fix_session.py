"""QuickFIX as the counterparty of a running demo: market data over FIX 4.2, FIX 4.4 and FIX 5.0SP2 / FIXT 1.1.

Eighteen checks a version, the last three over a server that is killed, started again and stopped. QuickFIX validates everything we send with its own full dictionaries; whatever it
rejects fails the run, and so does an update that does not fit the book which the updates before it made.

    python testdata/conformance/fix_session.py [--ouzel BINARY]

Without --ouzel the binary is built with cargo. What is missing is said as "skipped: ..".
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

try:
    import quickfix as fix
except ImportError:
    print("skipped: no Python package quickfix-py")
    sys.exit(0)


def fields_of(text):
    return [tuple(field.split("=", 1)) for field in text.split("\x01") if field]


class Message:
    """What came in, as pairs in their order."""

    def __init__(self, text):
        self.fields = fields_of(text)
        self.at = time.monotonic()

    def get(self, tag):
        return next((value for name, value in self.fields if name == str(tag)), None)

    @property
    def kind(self):
        return self.get(35)

    @property
    def seq(self):
        return int(self.get(34))

    def entries(self, delimiter):
        """The entries of NoMDEntries, each a dict."""
        entries, inside = [], False
        for tag, value in self.fields:
            if tag == "268":
                inside = True
            elif inside and tag == "10":
                break
            elif inside and tag == str(delimiter):
                entries.append({tag: value})
            elif inside and entries:
                entries[-1][tag] = value
        return entries

    def __repr__(self):
        return "|".join(f"{tag}={value}" for tag, value in self.fields)[:400]


class Client(fix.Application):
    """Keeps what comes in; says what QuickFIX refused."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Condition()
        self.messages = []
        self.refused = []
        self.sent = []
        self.logged_on = False

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        with self.lock:
            self.logged_on = True
            self.lock.notify_all()

    def onLogout(self, session):
        with self.lock:
            self.logged_on = False
            self.lock.notify_all()

    def toAdmin(self, message, session):
        self.out(message)

    def toApp(self, message, session):
        self.out(message)

    def out(self, message):
        with self.lock:
            said = Message(message.toString())
            self.sent.append(said)
            if said.kind in ("3", "j"):
                self.refused.append(said)

    def fromAdmin(self, message, session):
        self.take(message)

    def fromApp(self, message, session):
        self.take(message)

    def take(self, message):
        with self.lock:
            self.messages.append(Message(message.toString()))
            self.lock.notify_all()

    def wait(self, what, since=0, seconds=15):
        """The first message from index `since` on for which `what` holds."""
        end = time.monotonic() + seconds
        with self.lock:
            while True:
                for message in self.messages[since:]:
                    if what(message):
                        return message
                left = end - time.monotonic()
                if left <= 0:
                    return None
                self.lock.wait(left)

    def mark(self):
        with self.lock:
            return len(self.messages)

    def until(self, logged_on, seconds=15):
        end = time.monotonic() + seconds
        with self.lock:
            while self.logged_on != logged_on and time.monotonic() < end:
                self.lock.wait(0.2)
            return self.logged_on == logged_on


class Book:
    """A book kept from W and X: a level is known by side and price."""

    def __init__(self):
        self.levels = {}
        self.updates = 0

    def snapshot(self, message):
        self.levels = {(e["269"], e["270"]): e["271"] for e in message.entries(269) if e["269"] in "01"}

    def update(self, message):
        for entry in message.entries(279):
            if entry["269"] not in "01":
                continue
            key = (entry["269"], entry["270"])
            there = key in self.levels
            action = entry["279"]
            assert there == (action != "0"), f"action {action} of {key}: {message}"
            if action == "2":
                del self.levels[key]
            else:
                self.levels[key] = entry["271"]
            self.updates += 1


VERSIONS = {"FIX.4.2": "CLIENT42", "FIX.4.4": "CLIENT44", "FIX.5.0SP2": "CLIENT50"}

SETTINGS = """[DEFAULT]
ConnectionType=initiator
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
StartTime=00:00:00
EndTime=00:00:00
HeartBtInt=2
ReconnectInterval=1
FileStorePath={store}
SenderCompID={sender}
TargetCompID=OUZEL
[SESSION]
{session}
"""


class Run:
    def __init__(self, version, port, folder):
        self.version = version
        share = pathlib.Path(sys.prefix) / "share" / "quickfix"
        sender = VERSIONS[version]
        if version != "FIX.5.0SP2":
            session = f"BeginString={version}\nDataDictionary={share}/{version.replace('.', '')}.xml"
        else:
            session = (
                f"BeginString=FIXT.1.1\nDefaultApplVerID=FIX.5.0SP2\n"
                f"TransportDataDictionary={share}/FIXT11.xml\nAppDataDictionary={share}/FIX50SP2.xml"
            )
        text = SETTINGS.format(port=port, store=f"{folder}/{sender}", sender=sender, session=session)
        path = pathlib.Path(folder) / f"{sender}.cfg"
        path.write_text(text)
        self.client = Client()
        settings = fix.SessionSettings(str(path))
        self.store = fix.FileStoreFactory(settings)
        self.initiator = fix.SocketInitiator(self.client, self.store, settings)
        self.passed = 0

    def check(self, name, good, why=""):
        print(f"  {self.version} {'ok  ' if good else 'FAIL'} {name}{'' if good else f': {why}'}")
        self.passed += bool(good)

    def session(self):
        return fix.Session.lookupSession(self.client.session)

    def send(self, kind, fields=(), groups=()):
        message = fix.Message()
        message.getHeader().setField(fix.MsgType(kind))
        for tag, value in fields:
            message.setField(tag, str(value))
        for count, delimiter, values in groups:
            for value in values:
                group = fix.Group(count, delimiter)
                group.setField(delimiter, value)
                message.addGroup(group)
        assert fix.Session.sendToTarget(message, self.client.session)

    def ask(self, name, wanted, symbols, depth=5, update=1, kinds="012"):
        fields = [(262, name), (263, wanted), (264, depth), (265, update)]
        self.send("V", fields, [(267, 269, list(kinds)), (146, 55, symbols)])

    def symbols(self):
        """All that is there: a list, or in FIX 4.2, which has none, a definition each."""
        if self.version != "FIX.4.2":
            self.send("x", [(320, "list"), (559, 4)])
            listed = self.client.wait(lambda m: m.kind == "y")
            return [value for tag, value in listed.fields if tag == "55"] if listed else []
        self.send("c", [(320, "list"), (321, 3)])
        self.client.wait(lambda m: m.kind == "d" and m.get(322) == m.get(393))
        defined = [m for m in self.client.messages if m.kind == "d" and m.get(323) == "4"]
        return [m.get(55) for m in defined] if len(defined) == int(defined[0].get(393)) else []

    def all(self):
        client = self.client
        self.initiator.start()
        self.check("logon", client.until(True))
        symbols = self.symbols()
        self.check("security list", len(symbols) > 1, symbols)
        self.market_data(symbols)
        self.refusals(symbols)
        self.liveness()
        self.gaps(symbols)
        self.reconnect(symbols)
        self.check("QuickFIX refused nothing", not client.refused, client.refused[:3])
        return self.passed

    def market_data(self, symbols):
        client, book = self.client, Book()
        self.ask("one", 1, symbols[:1])
        snapshot = client.wait(lambda m: m.kind == "W" and m.get(262) == "one")
        if snapshot:
            book.snapshot(snapshot)
        sides = {side for side, _ in book.levels}
        self.check("V gives a snapshot W", sides == {"0", "1"}, snapshot)
        of_one = lambda m: m.kind == "X" and m.get(262) == "one"
        why, end = "", time.monotonic() + 30
        at = client.messages.index(snapshot) + 1 if snapshot else 0
        prints = 0
        while time.monotonic() < end and (book.updates < 50 or prints == 0) and not why:
            for message in client.messages[at:]:
                at += 1
                if of_one(message):
                    prints += sum(entry["269"] == "2" for entry in message.entries(279))
                    try:
                        book.update(message)
                    except AssertionError as wrong:
                        why = str(wrong)
            time.sleep(0.05)
        bids = [float(price) for side, price in book.levels if side == "0"]
        offers = [float(price) for side, price in book.levels if side == "1"]
        fits = book.updates >= 50 and prints > 0 and len(bids) <= 5 and len(offers) <= 5
        self.check("X keeps the book", fits and not why, why or (book.updates, prints, len(bids), len(offers)))
        mark = client.mark()
        # FIX 4.2 has no trade volume as an entry.
        statistic, kinds = ("4", "0149") if self.version == "FIX.4.2" else ("B", "0149B")
        self.ask("whole", 1, symbols[:2], update=0, kinds=kinds)
        whole = [client.wait(lambda m: m.kind == "W" and m.get(262) == "whole" and m.get(55) == s, mark) for s in symbols[:2]]
        mark = client.mark()
        again = client.wait(lambda m: m.kind == "W" and m.get(262) == "whole", mark)
        kinds = {entry["269"] for message in whole if message for entry in message.entries(269)}
        self.check("full refresh of two symbols, with statistics", all(whole) and again and statistic in kinds, kinds)
        for name in ("one", "whole"):
            self.send("V", [(262, name), (263, 2), (264, 5)], [(267, 269, ["0"]), (146, 55, symbols[:1])])
        time.sleep(1)
        mark = client.mark()
        time.sleep(1)
        late = [m for m in client.messages[mark:] if m.kind in "WX"]
        self.check("unsubscribe", not late, late[:2])

    def refusals(self, symbols):
        client = self.client
        self.ask("unknown", 1, [symbols[0], "NO SUCH"])
        refused = client.wait(lambda m: m.kind == "Y" and m.get(262) == "unknown")
        self.check("Y for an unknown symbol", refused and refused.get(281) == "0", refused)
        self.ask("twice", 1, symbols[:1])
        client.wait(lambda m: m.kind == "W" and m.get(262) == "twice")
        self.ask("twice", 1, symbols[:1])
        refused = client.wait(lambda m: m.kind == "Y" and m.get(262) == "twice")
        self.ask("settlement", 1, symbols[:1], kinds="6")
        other = client.wait(lambda m: m.kind == "Y" and m.get(262) == "settlement")
        good = refused and refused.get(281) == "1" and other and other.get(281) == "8"
        self.check("Y for an id in use and for an entry type", good, (refused, other))
        self.send("V", [(262, "twice"), (263, 2), (264, 5)], [(267, 269, ["0"]), (146, 55, symbols[:1])])

    def liveness(self):
        client, mark = self.client, self.client.mark()
        self.send("1", [(112, "are you there")])
        beat = client.wait(lambda m: m.kind == "0" and m.get(112) == "are you there", mark)
        self.check("test request", beat, "no heartbeat with its id")
        mark = client.mark()
        first = client.wait(lambda m: m.kind == "0" and m.get(112) is None, mark)
        second = first and client.wait(lambda m: m.kind == "0" and m.at > first.at, mark)
        pause = second.at - first.at if second else 0
        self.check("heartbeats every two seconds", 1.5 < pause < 3, pause)

    def gaps(self, symbols):
        client = self.client
        self.ask("again", 0, symbols[:3])
        last = client.wait(lambda m: m.kind == "W" and m.get(262) == "again" and m.get(55) == symbols[2])
        mark = client.mark()
        # What came is forgotten: the next message shows a gap, and QuickFIX asks for it.
        self.session().setNextTargetMsgSeqNum(last.seq - 4)
        self.send("1", [(112, "gap")])
        beat = client.wait(lambda m: m.kind == "0" and m.get(112) == "gap", mark)
        again = [m for m in client.messages[mark:] if m.kind == "W" and m.get(43) == "Y"]
        filled = [m for m in client.messages[mark:] if m.kind == "4" and m.get(123) == "Y"]
        good = beat and len(again) >= 3 and all(m.get(122) for m in again)
        self.check("resend: W as possible duplicates, gaps for the rest", good, (beat, len(again), len(filled)))
        asked = client.mark()
        ours = self.session().getExpectedSenderNum()
        self.session().setNextSenderMsgSeqNum(ours + 3)
        self.send("1", [(112, "ahead")])
        request = client.wait(lambda m: m.kind == "2" and int(m.get(7)) == ours, asked)
        # QuickFIX fills the gap up to its newest number, "ahead" included, so that one is void by its own word. Only
        # what is sent behind the fill is answered.
        end = time.monotonic() + 15
        while time.monotonic() < end and not any(m.kind == "4" and m.seq == ours for m in list(client.sent)):
            time.sleep(0.05)
        self.send("1", [(112, "after")])
        beat = client.wait(lambda m: m.kind == "0" and m.get(112) == "after", asked)
        self.check("a gap of QuickFIX's is asked for and filled", request and beat, (request, beat))

    def reconnect(self, symbols):
        client = self.client
        mark = client.mark()
        self.session().logout()
        left = client.until(False)
        farewell = client.wait(lambda m: m.kind == "5", mark)
        self.check("logout is answered", left and farewell, (left, farewell))
        highest = max(m.seq for m in client.messages)
        mark = client.mark()
        self.session().logon()
        back = client.until(True, 20)
        logon = client.wait(lambda m: m.kind == "A", mark)
        self.ask("back", 0, symbols[:1])
        snapshot = client.wait(lambda m: m.kind == "W" and m.get(262) == "back", mark)
        good = back and logon and logon.seq == highest + 1 and snapshot
        self.check("reconnect with numbers kept", good, (back, highest, logon, snapshot))
        self.session().logout()
        client.until(False)
        self.initiator.stop()


class Server:
    """`ouzel serve`, without a feed where no more is said: the numbers of its sessions are in its data folder."""

    def __init__(self, binary, data, port, *more):
        command = [str(binary), "serve", "--json", "--listen", "127.0.0.1:0", "--data", data, "--fix", f"127.0.0.1:{port}", *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = json.loads(self.process.stdout.readline())
        self.port, self.url = said["fix"].rsplit(":", 1)[1], said["listening"]

    def end(self, how):
        how()
        self.process.wait()
        self.process.stdout.close()


def restarts(binary, version):
    """A server that is killed, and one that is asked to stop: numbers go on, and what was sent can be had again."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(binary, f"{folder}/data", 0)
        try:
            run = Run(version, server.port, folder)
            client = run.client
            run.initiator.start()
            client.until(True)
            run.ask("before", 1, ["NO SUCH"])
            refused = client.wait(lambda m: m.kind == "Y" and m.get(262) == "before")
            server.end(server.process.kill)
            gone = client.until(False)
            mark = client.mark()
            server = Server(binary, f"{folder}/data", server.port)
            back = client.until(True)
            logon = client.wait(lambda m: m.kind == "A", mark)
            good = refused and gone and back and logon and logon.seq == refused.seq + 1
            run.check("numbers outlive a killed server", good, (refused, gone, back, logon))
            run.session().setNextTargetMsgSeqNum(refused.seq if refused else 1)
            run.send("1", [(112, "gap")])
            again = client.wait(lambda m: m.kind == "Y" and m.get(43) == "Y", mark)
            same = again and again.get(262) == "before" and again.get(122) == refused.get(52)
            run.check("what it sent before is sent again", same, again)
            mark = client.mark()
            server.end(server.process.terminate)
            bye = client.wait(lambda m: m.kind == "5", mark)
            run.check("a server that stops logs out with the reason", bye and bye.get(58) == "the server stops", bye)
            run.initiator.stop()
            return run.passed
        finally:
            if server.process.poll() is None:
                server.end(server.process.kill)


def build():
    """The binary, built with cargo."""
    subprocess.run(["cargo", "build", "--quiet", "--package", "ouzel"], cwd=REPOSITORY, check=True)
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    output = subprocess.run(metadata, cwd=REPOSITORY, check=True, capture_output=True).stdout
    return pathlib.Path(json.loads(output)["target_directory"]) / "debug" / "ouzel"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ouzel")
    args = parser.parse_args()
    binary = args.ouzel or build()
    command = [str(binary), "demo", "--json", "--listen", "127.0.0.1:0", "--fix", "0", "--symbols", "12",
               "--rate", "2000", "--for", "300"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    passed = wanted = 0
    try:
        port = json.loads(demo.stdout.readline())["fix"].rsplit(":", 1)[1]
        threading.Thread(target=lambda: [None for _ in demo.stdout], daemon=True).start()
        time.sleep(3)
        for version in VERSIONS:
            with tempfile.TemporaryDirectory() as folder:
                passed += Run(version, port, folder).all()
                wanted += 15
            passed += restarts(binary, version)
            wanted += 3
    finally:
        demo.terminate()
        demo.wait()
    print(f"{passed} of {wanted} checks")
    return 0 if passed == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
