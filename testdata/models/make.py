#!/usr/bin/env python3
"""Makes the small BERT models of this folder and the vectors that they must give. All of it is synthetic: weights are random.

    python3 testdata/models/make.py testdata/models

Needs numpy, ml_dtypes, onnx and tokenizers. The forward pass is plain numpy in f64, from the formulas of the BERT paper.
"""

import json
import math
import struct
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + list("abcdefghijklmnopqrstuvwxyz0123456789.,?$%") + [
    "##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + ["the", "rose", "fell", "margin", "copper", "Cop", "##per", "é", "query", "passage", ":"]
TEXTS = ["The margin fell, why?", "Copper rose 4.2% to $9310.", "é", "", "the the the the the the the the the the the the the rose rose rose"]
DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}

MODELS = {
    # heads of 16 in rows of 48, cased, weights as TensorFlow named them
    "heads-16": dict(hidden=48, heads=3, layers=2, intermediate=80, act="gelu", eps=1e-12, pool="mean", dtype="F32", cased=True),
    # heads of 32, first token, prefix `bert.`, prompts
    "heads-32": dict(hidden=64, heads=2, layers=2, intermediate=64, act="gelu_new", eps=1e-12, pool="cls", dtype="BF16", cased=False),
    # heads of 64, ONNX
    "heads-64": dict(hidden=128, heads=2, layers=1, intermediate=96, act="relu", eps=1e-5, pool="mean", dtype="F16", cased=False),
    # heads of 26, four of them
    "heads-26": dict(hidden=104, heads=4, layers=2, intermediate=100, act="gelu", eps=1e-5, pool="cls", dtype="F16", cased=False),
    # one head of 100
    "heads-100": dict(hidden=100, heads=1, layers=1, intermediate=64, act="gelu", eps=1e-12, pool="mean", dtype="BF16", cased=False),
    # sixteen heads of 4
    "heads-4": dict(hidden=64, heads=16, layers=1, intermediate=32, act="gelu", eps=1e-12, pool="mean", dtype="F32", cased=False),
}
POSITIONS = 24


def weights(spec, rng):
    h, wide = spec["hidden"], spec["intermediate"]
    out = {}

    def put(name, *shape, scale=1.0, mean=0.0):
        values = mean + scale * rng.standard_normal(shape)
        out[name] = values.astype(DTYPES[spec["dtype"]])

    put("embeddings.word_embeddings.weight", len(PIECES), h)
    put("embeddings.position_embeddings.weight", POSITIONS, h, scale=0.3)
    put("embeddings.token_type_embeddings.weight", 2, h, scale=0.3)

    def norm(name):
        put(name + ".weight", h, scale=0.1, mean=1.0)
        put(name + ".bias", h, scale=0.1)

    def dense(name, outputs, inputs):
        put(name + ".weight", outputs, inputs, scale=1.5 / math.sqrt(inputs))
        put(name + ".bias", outputs, scale=0.1)

    norm("embeddings.LayerNorm")
    for n in range(spec["layers"]):
        at = f"encoder.layer.{n}."
        for part in ("query", "key", "value"):
            dense(at + "attention.self." + part, h, h)
        dense(at + "attention.output.dense", h, h)
        norm(at + "attention.output.LayerNorm")
        dense(at + "intermediate.dense", wide, h)
        dense(at + "output.dense", h, wide)
        norm(at + "output.LayerNorm")
    return out


def forward(spec, weights, tokens):
    w = {name: np.asarray(values).astype(np.float64) for name, values in weights.items()}
    act = {
        "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
        "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "relu": lambda x: np.maximum(x, 0),
    }[spec["act"]]

    def dense(name, x):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(name, x):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + spec["eps"]) * w[name + ".weight"] + w[name + ".bias"]

    e = "embeddings."
    x = w[e + "word_embeddings.weight"][tokens] + w[e + "position_embeddings.weight"][: len(tokens)] + w[e + "token_type_embeddings.weight"][0]
    x = norm(e + "LayerNorm", x)
    heads, width = spec["heads"], spec["hidden"] // spec["heads"]
    for n in range(spec["layers"]):
        at = f"encoder.layer.{n}."
        q, k, v = (dense(at + "attention.self." + part, x).reshape(-1, heads, width) for part in ("query", "key", "value"))
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(width)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        found = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(x.shape)
        x = norm(at + "attention.output.LayerNorm", x + dense(at + "attention.output.dense", found))
        x = norm(at + "output.LayerNorm", x + dense(at + "output.dense", act(dense(at + "intermediate.dense", x))))
    vector = x.mean(0) if spec["pool"] == "mean" else x[0]
    return vector / np.linalg.norm(vector)


def tokenizer(spec):
    lower = not spec["cased"]
    out = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(PIECES)}, unk_token="[UNK]", max_input_chars_per_word=100))
    out.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=None)
    out.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    out.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return out


def safetensors(path, weights):
    table, body = {}, b""
    for name, values in weights.items():
        kind = {4: "F32", 2: "F16" if values.dtype == np.float16 else "BF16"}[values.dtype.itemsize]
        data = values.tobytes()
        table[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)


def onnx_file(path, weights):
    """As torch.onnx.export leaves them: matrices turned and numbered, all else by name."""
    initialisers, nodes = [], []
    for number, (name, values) in enumerate(weights.items()):
        if values.ndim == 2 and not name.startswith("embeddings."):
            matrix, product = f"onnx::MatMul_{number}", f"/{name}/MatMul_output_0"
            initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values.T), matrix))
            nodes.append(helper.make_node("MatMul", ["x", matrix], [product]))
            nodes.append(helper.make_node("Add", ["0.auto_model." + name.removesuffix("weight") + "bias", product], [f"/{name}/Add_output_0"]))
        else:
            initialisers.append(numpy_helper.from_array(values, "0.auto_model." + name))
    graph = helper.make_graph(nodes, "synthetic", [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [None])], [], initialisers)
    onnx.save(helper.make_model(graph), path)


def make(folder, name, spec, rng):
    out = folder / name
    out.mkdir(exist_ok=True)
    dump = lambda file, value: (out / file).write_text(json.dumps(value, ensure_ascii=False) + "\n")
    dump("config.json", {
        "note": "synthetic: random weights", "architectures": ["BertModel"], "model_type": "bert", "hidden_act": spec["act"],
        "hidden_size": spec["hidden"], "intermediate_size": spec["intermediate"], "layer_norm_eps": spec["eps"],
        "max_position_embeddings": POSITIONS, "num_attention_heads": spec["heads"], "num_hidden_layers": spec["layers"],
        "type_vocab_size": 2, "vocab_size": len(PIECES)})
    (out / "1_Pooling").mkdir(exist_ok=True)
    dump("1_Pooling/config.json", {"pooling_mode_mean_tokens": spec["pool"] == "mean", "pooling_mode_cls_token": spec["pool"] == "cls"})
    words = tokenizer(spec)
    made = weights(spec, rng)
    if name == "heads-16":
        (out / "vocab.txt").write_text("\n".join(PIECES) + "\n")
        dump("tokenizer_config.json", {"do_lower_case": False})
        safetensors(out / "model.safetensors", {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for n, v in made.items()})
    else:
        words.save(str(out / "tokenizer.json"), pretty=False)
        if name == "heads-64":
            (out / "onnx").mkdir(exist_ok=True)
            onnx_file(out / "onnx" / "model.onnx", made)
        else:
            prefix = "bert." if name == "heads-32" else ""
            safetensors(out / "model.safetensors", {prefix + n: v for n, v in made.items()})
    if name == "heads-32":
        dump("config_sentence_transformers.json", {"prompts": {"query": "query: ", "passage": "passage: "}})
    words.enable_truncation(POSITIONS)
    vectors = [forward(spec, made, words.encode(text).ids).round(6).tolist() for text in TEXTS]
    dump("expected.json", {"texts": TEXTS, "vectors": vectors})


def main():
    folder = Path(sys.argv[1])
    for seed, (name, spec) in enumerate(MODELS.items()):
        make(folder, name, spec, np.random.default_rng(seed))


main()
