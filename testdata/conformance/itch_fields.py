#!/usr/bin/env python3
"""Do we read ITCH 5.0 and MoldUDP64 as others do, field for field?

Every message of every recorded ITCH file, and 100 random messages of each of the 23 types, are decoded
by `itch_dump` (ours, cargo example of `wire`) and by the PyPI package `itchfeed`; every MoldUDP64 header
of every capture by `itch_dump` and by `tshark`. Exits 0 when all agree, 1 with the differences.

usage: itch_fields.py [--dump PATH/TO/itch_dump] [--shared FOLDER]

Without --dump the example is built with cargo. What is missing is said as "skipped: ..".
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# The attributes of itchfeed's classes, in wire order, after type, locate, tracking and time. Our fields are
# in wire order too, so the n-th of one is the n-th of the other.
ATTRIBUTES = {
    "S": "event_code",
    "R": "stock market_category financial_status_indicator round_lot_size round_lots_only issue_classification"
    " issue_sub_type authenticity short_sale_threshold_indicator ipo_flag luld_ref etp_flag etp_leverage_factor"
    " inverse_indicator",
    "H": "stock trading_state reserved reason",
    "Y": "stock reg_sho_action",
    "L": "mpid stock primary_market_maker market_maker_mode market_participant_state",
    "V": "level1_price level2_price level3_price",
    "W": "breached_level",
    "K": "stock ipo_release_time ipo_release_qualifier ipo_price",
    "J": "stock auction_collar_reference_price upper_auction_collar_price lower_auction_collar_price"
    " auction_collar_extention",
    "h": "stock market_code operational_halt_action",
    "A": "order_reference_number buy_sell_indicator shares stock price",
    "F": "order_reference_number buy_sell_indicator shares stock price attribution",
    "E": "order_reference_number executed_shares match_number",
    "C": "order_reference_number executed_shares match_number printable execution_price",
    "X": "order_reference_number cancelled_shares",
    "D": "order_reference_number",
    "U": "order_reference_number new_order_reference_number shares price",
    "P": "order_reference_number buy_sell_indicator shares stock price match_number",
    "Q": "shares stock cross_price match_number cross_type",
    "B": "match_number",
    "I": "paired_shares imbalance_shares imbalance_direction stock far_price near_price current_reference_price"
    " cross_type variation_indicator",
    "N": "stock interest_flag",
    "O": "stock open_eligibility_status minimum_allowable_price maximum_allowable_price near_execution_price"
    " near_execution_time lower_price_range_collar upper_price_range_collar",
}
HEADER_KEYS = {"message", "name", "locate", "tracking", "timestamp_ns"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--dump", help="the built example itch_dump")
    arguments.add_argument("--shared", help="the folder with data/market (default: OUZEL_SHARED or found)")
    arguments = arguments.parse_args()
    try:
        from itch.messages import messages as types
    except ImportError:
        print("skipped: no Python package itchfeed (pip install itchfeed)")
        return 0
    dump = arguments.dump or build()
    differences = []

    missing = {key.decode() for key in types} ^ set(ATTRIBUTES)
    if missing:
        differences.append(f"message types not in both decoders: {sorted(missing)}")
    print(f"random messages: {summary(check_random(dump, types, differences))}")

    market = recordings(arguments.shared)
    if market is None:
        print("skipped: no recordings (shared/data/market)")
        return verdict(differences)
    counts = collections.Counter()
    for file in sorted(market.glob("itch/*.itch")):
        check_fields(file.name, frames(file.read_bytes()), read(dump, file), types, counts, differences)
    captures = sorted(market.glob("itch/*/*.pcap"))
    for file in captures:
        lines = read(dump, file)
        check_fields(file.name, mold_messages(file), lines, types, counts, differences)
    print(f"recorded messages: {summary(counts)}")
    if shutil.which("tshark"):
        headers = sum(check_headers(file, read(dump, file), differences) for file in captures)
        print(f"MoldUDP64 headers: {headers} packets of {len(captures)} captures as tshark")
    else:
        print("skipped: no tshark for the MoldUDP64 headers (apt-get install tshark)")
    return verdict(differences)


def verdict(differences):
    for difference in differences[:50]:
        print(f"DIFFERENT {difference}")
    print(f"{len(differences)} differences")
    return 1 if differences else 0


def summary(counts):
    kinds = ", ".join(f"{kind} {counts[kind]}" for kind in sorted(counts))
    return f"{sum(counts.values())} as itchfeed ({kinds})"


def build():
    command = ["cargo", "build", "--quiet", "--package", "wire", "--example", "itch_dump"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return pathlib.Path(target) / "debug" / "examples" / "itch_dump"


def recordings(given):
    given = given or os.environ.get("OUZEL_SHARED")
    folders = [pathlib.Path(given)] if given else [folder / "shared" for folder in REPOSITORY.parents]
    folders.append(REPOSITORY / "shared")
    return next((f / "data/market" for f in folders if (f / "data/market/itch").is_dir()), None)


def read(dump, file):
    output = subprocess.run([str(dump), str(file)], check=True, capture_output=True).stdout
    return [json.loads(line) for line in output.decode().splitlines()]


def frames(data):
    """Whole messages behind u16 lengths; a cut tail is left out."""
    at, found = 0, []
    while at + 2 <= len(data):
        (size,) = struct.unpack_from(">H", data, at)
        if at + 2 + size > len(data):
            break
        found.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


def packets(data):
    """Where the UDP header of each packet is: little-endian classic pcap, Ethernet, VLAN, plain IPv4."""
    at = 24
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        tag = 4 if data[at + 28 : at + 30] == b"\x81\x00" else 0
        yield at + 16 + 14 + tag + 20, at + 16 + size
        at += 16 + size


def mold_messages(file):
    data, found = file.read_bytes(), []
    for udp, end in packets(data):
        (count,) = struct.unpack_from(">H", data, udp + 8 + 18)
        found += frames(data[udp + 8 + 20 : end])[:count]
    return found


def check_fields(name, raw, lines, types, counts, differences):
    ours = [line for line in lines if "message" in line]
    if len(ours) != len(raw):
        differences.append(f"{name}: {len(ours)} messages, not {len(raw)}")
    for index, (bytes_, mine) in enumerate(zip(raw, ours)):
        kind = bytes_[:1].decode()
        theirs = types[bytes_[:1]](bytes_)
        want = [kind, theirs.stock_locate, theirs.tracking_number, theirs.timestamp]
        want += [plain(getattr(theirs, attribute)) for attribute in ATTRIBUTES[kind].split()]
        got = [mine["message"], mine["locate"], mine["tracking"], mine["timestamp_ns"]]
        got += [value for key, value in mine.items() if key not in HEADER_KEYS]
        if got != want:
            differences.append(f"{name} message {index}: {got}, not {want}")
        counts[kind] += 1


def plain(value):
    """Codes of one byte as they are, text without padding, integers as they are."""
    if isinstance(value, bytes):
        return value.decode() if len(value) == 1 else value.decode().rstrip(" ")
    return value


def check_random(dump, types, differences):
    """Types that no recording has are checked on bytes made from itchfeed's own formats."""
    source = random.Random(50)
    raw = []
    for kind, theirs in types.items():
        for _ in range(100):
            values = [kind]
            for size, code in fields_of(theirs.message_format):
                if code in "cs":
                    text = "".join(source.choice("ABCXYZ.019 ") for _ in range(size))
                    values.append(text.encode())
                else:
                    values.append(source.getrandbits(8 * size).to_bytes(size, "big"))
            raw.append(b"".join(values))
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "random.itch"
        file.write_bytes(b"".join(struct.pack(">H", len(message)) + message for message in raw))
        check_fields("random", raw, read(dump, file), types, counts, differences)
    return counts


def fields_of(message_format):
    """Size in bytes and letter of every field of a `struct` format such as `!HHHI8sc`."""
    sizes, number = {"c": 1, "H": 2, "I": 4, "Q": 8}, ""
    for letter in message_format.lstrip("!>"):
        if letter.isdigit():
            number += letter
        elif letter == "s":
            yield int(number), "s"
            number = ""
        else:
            yield sizes[letter], letter


def check_headers(file, lines, differences):
    # tshark never looks into datagrams of port 0, which the made-up packets have: give them another.
    data = bytearray(file.read_bytes())
    for udp, _ in packets(data):
        struct.pack_into(">HH", data, udp, 26477, 26477)
    command = ["tshark", "-r", "-", "-d", "udp.port==26477,moldudp64", "-T", "fields"]
    command += ["-e", "moldudp64.session", "-e", "moldudp64.sequence", "-e", "moldudp64.count"]
    output = subprocess.run(command, check=True, capture_output=True, input=bytes(data)).stdout.decode()
    theirs = [row.split("\t") for row in output.splitlines()]
    theirs = [[session.strip("\0"), seq, count] for session, seq, count in theirs]
    ours = []
    for line in lines:
        if "packet" in line:
            session = bytes.fromhex(line["packet"]).decode().strip("\0")
            ours.append([session, str(line["seq"]), str(line["count"])])
    if ours != theirs:
        differences.append(f"{file.name}: {ours}, not {theirs}")
    return len(ours)


if __name__ == "__main__":
    sys.exit(main())
