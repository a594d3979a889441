"""A venue, `ouzel serve` with every output on and a reader behind each, for as long as asked: memory, losses, and whether each loss was told.

    cargo xtask soak [--minutes 60] [--rate 500000] [--folder DIR] [--ouzel BINARY]

Reads /metrics each ten seconds. Ends with PASS or FAIL: memory is flat when the mean of the last quarter's resident
sizes is within 3 % of the second quarter's; a loss is flagged when the readers were told of it. Losses themselves are no
failure: on a machine that cannot hold the rate they must be counted and told. A feed that stands still is one. Status 77: something is not installed.
"""

import argparse
import asyncio
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import peers
import soak_readers as readers

LOOK_S = 10
FLAT_SHARE = 0.03
TAPE_GIB = 4


class Metrics:
    """One reading of /metrics."""

    def __init__(self, url):
        with urllib.request.urlopen(url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        self.rows = dict(line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")

    def sum(self, name, label=""):
        """All samples of a family whose labels have `label`."""
        of = lambda key: key.split("{")[0] == name and label in key
        return sum(float(value) for key, value in self.rows.items() if of(key))

    def outlets(self):
        name = "ouzel_outlet_sent_total"
        return sorted(key.split('"')[1] for key in self.rows if key.startswith(name))

    def seconds(self, name, quantile):
        return self.sum(name, f'quantile="{quantile}"')


def resident_mib(pid, kind="VmRSS"):
    """Of all its pages, or (RssAnon) of those that no file stands behind."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(kind))


class Processes:
    """What was started, ended in reverse."""

    def __init__(self):
        self.started = []

    def start(self, name, command, folder):
        log = open(folder / f"{name}.log", "w")
        process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
        self.started.append((name, process))
        return process

    def fallen(self):
        return [name for name, process in self.started if process.poll() is not None]

    def end(self):
        for _, process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def venue(program, ports, options):
    return [program, "venue", "--line-a", f"239.192.91.1:{ports['a']}", "--line-b", f"239.192.91.2:{ports['b']}",
            "--retransmit", f"127.0.0.1:{ports['retransmit']}", "--glimpse", f"127.0.0.1:{ports['glimpse']}",
            "--rate", options.rate, "--symbols", 100, "--history", 1 << 22]


def server(program, ports, brokers, folder):
    return [program, "serve", "--json", "--listen", f"127.0.0.1:{ports['http']}", "--data", folder / "data",
            "--itch-a", f"239.192.91.1:{ports['a']}", "--itch-b", f"239.192.91.2:{ports['b']}", "--interface", "127.0.0.1",
            "--retransmit", f"127.0.0.1:{ports['retransmit']}", "--glimpse", f"127.0.0.1:{ports['glimpse']}",
            "--prefault", "--tape", folder / "tape", "--tape-limit", TAPE_GIB, "--fix", f"127.0.0.1:{ports['fix']}",
            "--multicast-out", f"239.192.91.3:{ports['out']}", "--multicast-retransmit", f"127.0.0.1:{ports['again']}",
            "--nats", f"nats://127.0.0.1:{ports['nats']}", "--nats-format", "binary",
            "--kafka", brokers, "--kafka-format", "binary", "--kafka-kinds", "trade,bar,signal",
            "--flight", f"127.0.0.1:{ports['flight']}", "--parquet", folder / "parquet", "--parquet-roll", 60]


class Table:
    """What was seen, a row each look; and the verdict."""

    def __init__(self, pid):
        self.pid, self.rows, self.last = pid, [], None

    def look(self, metrics, started):
        now = time.monotonic()
        seen = {
            "at": now - started, "rss": resident_mib(self.pid), "own": resident_mib(self.pid, "RssAnon"), "seq": metrics.sum("ouzel_feed_next_sequence"),
            "lost": metrics.sum("ouzel_feed_lost_total"), "late": metrics.sum("ouzel_late_events_total"),
            "unresolved": metrics.sum("ouzel_feed_unresolved_total"), "ring": metrics.sum("ouzel_frames_dropped_total"),
            "kernel": metrics.sum("ouzel_line_kernel_drops_total"), "refreshed": metrics.sum("ouzel_feed_refreshed_total"),
            "outlets": {name: (metrics.sum("ouzel_outlet_sent_total", f'"{name}"'), metrics.sum("ouzel_outlet_dropped_total", f'"{name}"'),
                               metrics.sum("ouzel_outlet_conflated_total", f'"{name}"'), metrics.sum("ouzel_outlet_uncertain_total", f'"{name}"'))
                        for name in metrics.outlets()},
        }
        last, self.last = self.last, seen
        self.rows.append(seen)
        rate = (seen["seq"] - last["seq"]) / (seen["at"] - last["at"]) if last else 0
        drops = " ".join(f"{name}:{int(d)}" for name, (_, d, _, _) in seen["outlets"].items() if d)
        print(f"{seen['at']:6.0f} s  rss {seen['rss']:7.1f} MiB (own {seen['own']:7.1f})  {rate:9.0f} msg/s  lost {int(seen['lost'])}  late {int(seen['late'])}  "
              f"kernel {int(seen['kernel'])}  ring {int(seen['ring'])}  refreshed {int(seen['refreshed'])}  dropped {drops or '-'}", flush=True)

    def flat(self):
        """Whether memory stands still, and the two means."""
        length = self.rows[-1]["at"]
        quarter = lambda n: [row["rss"] for row in self.rows if n * length / 4 <= row["at"] <= (n + 1) * length / 4]
        second, last = (sum(rss) / len(rss) for rss in (quarter(1), quarter(3)))
        return abs(last - second) <= FLAT_SHARE * second, second, last


def verdict(table, found, fallen):
    """Prints what each reader found; true when nothing is wrong."""
    end, flat = table.rows[-1], table.flat()
    print(f"memory: second quarter {flat[1]:.1f} MiB, last quarter {flat[2]:.1f} MiB ({(flat[2] / flat[1] - 1) * 100:+.2f} %)")
    print(f"feed: {int(end['seq']):,} numbers in {end['at']:.0f} s, lost {int(end['lost']):,}, kernel drops {int(end['kernel']):,}, "
          f"unresolved {int(end['unresolved']):,}, late {int(end['late'])}, whole again {int(end['refreshed'])} times")
    for name, (sent, dropped, conflated, uncertain) in end["outlets"].items():
        print(f"outlet {name}: sent {int(sent):,}, dropped {int(dropped):,}, conflated {int(conflated):,}, uncertain {int(uncertain):,}")
    stood = [int(b["at"]) for a, b in zip(table.rows, table.rows[1:]) if b["seq"] <= a["seq"]]
    if stood:
        print(f"the feed stood still before second {stood[0]}, {len(stood)} looks in all")
    good = flat[0] and not fallen and not stood
    for name, (fine, words) in found.items():
        print(f"reader {name}: {'ok  ' if fine else 'WRONG'} {words}")
        good = good and fine
    if fallen:
        print("ended before their time: " + ", ".join(fallen))
    print("PASS" if good else "FAIL", flush=True)
    return good


async def soak(options, folder):
    processes = Processes()
    ports = {name: peers.free_port() for name in ("http", "a", "b", "out", "again", "retransmit", "glimpse", "fix", "nats", "flight")}
    try:
        processes.start("nats-server", [readers.nats_server(), "-a", "127.0.0.1", "-p", ports["nats"]], folder)
        mock = readers.MockCluster(folder)
        processes.started.append(("kafka-mock", mock.process))
        processes.start("venue", venue(options.ouzel, ports, options), folder)
        serve = processes.start("serve", server(options.ouzel, ports, mock.brokers, folder), folder)
        multicast = processes.start("listen", [options.ouzel, "listen", "--summary", "--json", "--group", f"239.192.91.3:{ports['out']}",
                                               "--retransmit", f"127.0.0.1:{ports['again']}"], folder)
        url = f"http://127.0.0.1:{ports['http']}"
        await peers.until(lambda: Metrics(url).sum("ouzel_feed_symbols") > 50, 120)
        every = readers.All(url, ports, mock.brokers)
        print(f"serve is process {serve.pid}; folder {folder}", flush=True)
        table, started = Table(serve.pid), time.monotonic()
        while time.monotonic() - started < options.minutes * 60 and not processes.fallen():
            await asyncio.sleep(LOOK_S)
            table.look(await asyncio.to_thread(Metrics, url), started)
            await asyncio.to_thread(every.keep, folder)
        fallen = processes.fallen()
        found = await every.end(table)
        # The end of the server ends its multicast session, and with it the listener, which then says what it had.
        serve.send_signal(signal.SIGINT)
        await asyncio.to_thread(serve.wait, 30)
        await asyncio.to_thread(multicast.wait, 30)
        found["multicast"] = readers.multicast(folder)
        return verdict(table, found, fallen)
    finally:
        processes.end()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--ouzel", required=True)
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--rate", type=int, default=500_000)
    arguments.add_argument("--folder", help="kept afterwards; without it a temporary one that is removed")
    options = arguments.parse_args()
    options.ouzel = os.path.abspath(options.ouzel)
    folder = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="ouzel-soak-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        good = asyncio.run(soak(options, folder))
    finally:
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if good else 1)


main()
