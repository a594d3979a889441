#!/usr/bin/env python3
"""Does tshark see our SoupBinTCP packets as we wrote them?

`soup_dump` (cargo example of `wire`) writes a session with every packet type; tshark's dissector reads type, length, login
fields and sequence numbers. Exits 0 when all agree, 1 with the differences.

usage: soupbintcp.py [--dump PATH/TO/soup_dump]
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FIELDS = ["packet_type", "packet_length", "username", "password", "session", "reject_code"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--dump", help="the built example soup_dump")
    dump = arguments.parse_args().dump or build()
    if not shutil.which("tshark"):
        print("skipped: no tshark (apt-get install tshark)")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "session.pcap"
        ours = subprocess.run([str(dump), "write", str(file)], check=True, capture_output=True, text=True).stdout
        command = ["tshark", "-r", str(file), "-d", "tcp.port==26477,soupbintcp", "-T", "fields"]
        for field in FIELDS:
            command += ["-e", f"soupbintcp.{field}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # The fields of sequence numbers are not filled by the dissector; its text shows them.
        command = ["tshark", "-r", str(file), "-d", "tcp.port==26477,soupbintcp", "-O", "soupbintcp"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    theirs = dict(zip(FIELDS, [column.split(",") for column in output.rstrip("\n").split("\t")]))
    theirs["numbers"] = re.findall(r"(?i)(?:next|requested) sequence number: (\d+)", text)
    theirs["counted"] = re.findall(r"Sequence number: (\d+) \(Calculated\)", text)
    rows = [row.split("\t") for row in ours.splitlines()]
    expected = {
        "packet_type": [kind for kind, _ in rows],
        "packet_length": [size for _, size in rows],
        "username": ["OUZEL "],
        "password": ["secret    "],
        # The request asks for whichever session is current.
        "session": [" " * 10, "SESSION001"],
        "numbers": ["1", "1"],
        "counted": ["1", "2"],
        "reject_code": ["A", "S"],
    }
    differences = [
        f"{field}: {theirs[field]}, not {want}"
        for field, want in expected.items()
        if [plain(value) for value in theirs[field]] != [plain(value) for value in want]
    ]
    print(f"{len(rows)} packets of {len(set(kind for kind, _ in rows))} types as tshark")
    for difference in differences:
        print(f"DIFFERENT {difference}")
    return 1 if differences else 0


def plain(value):
    """tshark shows one-letter codes as text or as a number, depending on its version."""
    value = value.strip().strip("'")
    return chr(int(value, 16)) if value.startswith("0x") else value


def build():
    command = ["cargo", "build", "--quiet", "--package", "wire", "--example", "soup_dump"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return pathlib.Path(target) / "debug" / "examples" / "soup_dump"


if __name__ == "__main__":
    sys.exit(main())
