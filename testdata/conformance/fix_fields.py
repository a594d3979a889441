"""Every field of the derived FIX files, read by `fix_dump` (ours, cargo example of `wire`) and by simplefix.

    python testdata/conformance/fix_fields.py [--dump BINARY]

What is missing is said as "skipped: ..".
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

try:
    import simplefix
except ImportError:
    print("skipped: no Python package simplefix")
    sys.exit(0)


def recordings():
    folders = [pathlib.Path(os.environ["OUZEL_SHARED"])] if "OUZEL_SHARED" in os.environ else []
    folders += [folder / "shared" for folder in [REPOSITORY, *REPOSITORY.parents]]
    for folder in folders:
        files = sorted((folder / "data/market/fix").glob("*.fix"))
        if files:
            return files
    return []


def theirs(file):
    parser = simplefix.FixParser()
    # A message at a time: simplefix moves all that waits in its buffer for each field that it takes.
    rest = file.read_bytes()
    while rest:
        end = rest.index(b"\x0110=") + 8
        parser.append_buffer(rest[:end])
        rest = rest[end:]
        while (message := parser.get_message()) is not None:
            fields = [(int(tag), value.decode("ascii")) for tag, value in message]
            yield "".join(f"{tag}={value}|" for tag, value in fields if tag not in (9, 10))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dump")
    dump = parser.parse_args().dump
    files = recordings()
    if not files:
        print("skipped: no recordings (shared/data/market/fix)")
        return 0
    if not dump:
        build = ["cargo", "build", "--quiet", "--package", "wire", "--example", "fix_dump"]
        subprocess.run(build, cwd=REPOSITORY, check=True)
        metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
        output = subprocess.run(metadata, cwd=REPOSITORY, check=True, capture_output=True).stdout
        dump = pathlib.Path(json.loads(output)["target_directory"]) / "debug/examples/fix_dump"
    for file in files:
        output = subprocess.run([str(dump), str(file)], check=True, capture_output=True).stdout
        ours = output.decode("ascii").splitlines()
        other = list(theirs(file))
        if ours != other:
            at = next((i for i, pair in enumerate(zip(ours, other)) if pair[0] != pair[1]), min(len(ours), len(other)))
            print(f"{file.name}: {len(ours)} and {len(other)} messages, differ at {at}:")
            print(f"  ours   {ours[at:at + 1]}\n  theirs {other[at:at + 1]}")
            return 1
        fields = sum(line.count("|") for line in ours)
        print(f"{file.name}: {len(ours)} messages, {fields} fields equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
