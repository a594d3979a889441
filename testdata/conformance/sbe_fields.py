#!/usr/bin/env python3
"""Do we read Simple Binary Encoding as others do, field for field?

`sbe_dump` (ours, cargo example of `wire`) writes 200 random messages of each kind in testdata/sbe/mdp3.xml and says what we read in them; the PyPI
package `sbedecoder` reads the same bytes by the same schema. Exits 0 when all agree, 1 with the differences.

usage: sbe_fields.py [--dump PATH/TO/sbe_dump]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = REPOSITORY / "testdata" / "sbe" / "mdp3.xml"
COUNT = 200
SKIP_STATUS = 77


def plain(value):
    """Their values as text; absence stays None."""
    return None if value is None else str(value)


def value_of(field):
    """Enumerations and sets as their numbers, composites as their members, the rest as it is."""
    kind = type(field).__name__
    if kind == "CompositeMessageField":
        members = {part.original_name or part.name: plain(part.value) for part in field.parts}
        return members | {"groups": {}}
    if kind in ("EnumMessageField", "SetMessageField"):
        return plain(field.raw_value)
    return plain(field.value)


def block_of(fields):
    return {str(field.id): value_of(field) for field in fields if field.id is not None}


def theirs(message):
    root = block_of(message.fields)
    root["groups"] = {
        group.original_name: [block_of(entry.fields) | {"groups": {}} for entry in group.repeating_groups] for group in message.groups
    }
    return root


# The null of an enumeration whose type is optional: the package has no null for enumerations.
ENUM_NULLS = {"5797": "255", "326": "255", "1682": "255"}


def without_enum_nulls(block):
    for key, null in ENUM_NULLS.items():
        if block.get(key) == null:
            block[key] = None
    return block


def differences(ours, other, path=""):
    if isinstance(ours, dict) and isinstance(other, dict):
        for key in sorted(set(ours) | set(other)):
            if key not in ours or key not in other:
                yield f"{path}/{key}: only {'theirs' if key in other else 'ours'}"
            else:
                yield from differences(ours[key], other[key], f"{path}/{key}")
    elif isinstance(ours, list) and isinstance(other, list) and len(ours) == len(other):
        for index, pair in enumerate(zip(ours, other)):
            yield from differences(*pair, f"{path}[{index}]")
    elif ours != other:
        yield f"{path}: ours {ours!r}, theirs {other!r}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dump", type=pathlib.Path)
    options = arguments.parse_args()
    try:
        from sbedecoder import MDPMessageFactory, SBEParser, SBESchema
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIP_STATUS
    dump = [str(options.dump)] if options.dump else ["cargo", "run", "--quiet", "-p", "wire", "--example", "sbe_dump", "--"]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "messages"
        run = subprocess.run([*dump, str(SCHEMA), str(COUNT), str(out)], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, text=True)
        data = out.read_bytes()
    schema = SBESchema(include_message_size_header=True, use_description_as_message_name=False)
    schema.parse(str(SCHEMA))
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    found, compared, fields = [], 0, 0
    for line, message in zip(lines, SBEParser(MDPMessageFactory(schema)).parse(data), strict=True):
        ours, other = line["root"], theirs(message)
        without_enum_nulls(other)
        for entries in other["groups"].values():
            for entry in entries:
                without_enum_nulls(entry)
        if message.template_id.value != line["id"]:
            found.append(f"message {compared}: {line['id']} is {message.template_id.value} for them")
        found += [f"message {compared} ({line['id']}){text}" for text in differences(ours, other)]
        fields += len(ours) + sum(len(entry) for entries in ours["groups"].values() for entry in entries)
        compared += 1
    for text in found[:20]:
        print(text)
    print(f"{compared} messages, {fields} fields compared with sbedecoder, {len(found)} differences")
    return 1 if found or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
