"""all-MiniLM-L6-v2 as ONNX, written from its f32 weights: as exported, and quantised as ONNX Runtime's own tool does.

`write(safetensors, folder)` leaves `f32.onnx` and `int8.onnx` (dynamic: int8 weights per channel, u8 activations per
tensor) in `folder`. Input `input_ids` [texts, tokens], output `vector` [texts, 384]: mean of the tokens, at unit
length. No mask: all texts of a batch are equally long, which is what is measured, and it spares the peers work.
"""

import json
import struct

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

HIDDEN, HEADS, LAYERS = 384, 12, 6
HEAD = HIDDEN // HEADS


def read(path):
    """Tensors of a safetensors file, by name."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    found = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            found[name] = numpy.frombuffer(data[start:end], numpy.float32).reshape(entry["shape"])
    return found


class Graph:
    """Nodes in the order of their work, and the numbers they need."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.count = weights, [], [], 0

    def add(self, kind, *inputs, **attributes):
        self.count += 1
        name = f"{kind.lower()}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"n_{name}", **attributes))
        return name

    def constant(self, values, kind=numpy.float32):
        self.count += 1
        name = f"constant_{self.count}"
        self.constants.append(numpy_helper.from_array(numpy.ascontiguousarray(values, kind), name))
        return name

    def numbers(self, *values):
        return self.constant(values, numpy.int64)

    def linear(self, x, name):
        weight = self.constant(self.weights[f"{name}.weight"].T)
        return self.add("Add", self.add("MatMul", x, weight), self.constant(self.weights[f"{name}.bias"]))

    def norm(self, x, name):
        gain, bias = (self.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("LayerNormalization", x, gain, bias, axis=-1, epsilon=1e-12)

    def heads(self, x, order):
        split = self.add("Reshape", x, self.numbers(0, 0, HEADS, HEAD))
        return self.add("Transpose", split, perm=order)

    def layer(self, x, name):
        part = lambda which: self.linear(x, f"{name}.attention.self.{which}")
        query, value = self.heads(part("query"), [0, 2, 1, 3]), self.heads(part("value"), [0, 2, 1, 3])
        scores = self.add("MatMul", query, self.heads(part("key"), [0, 2, 3, 1]))
        scores = self.add("Div", scores, self.constant(HEAD**0.5))
        blended = self.add("MatMul", self.add("Softmax", scores, axis=-1), value)
        joined = self.add("Reshape", self.add("Transpose", blended, perm=[0, 2, 1, 3]), self.numbers(0, 0, HIDDEN))
        attended = self.add("Add", self.linear(joined, f"{name}.attention.output.dense"), x)
        x = self.norm(attended, f"{name}.attention.output.LayerNorm")
        y = self.linear(x, f"{name}.intermediate.dense")
        erf = self.add("Erf", self.add("Div", y, self.constant(2**0.5)))
        y = self.add("Mul", y, self.add("Add", erf, self.constant(1.0)))
        y = self.add("Mul", y, self.constant(0.5))
        return self.norm(self.add("Add", self.linear(y, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")


def graph(weights):
    g = Graph(weights)
    names = lambda part: weights[f"embeddings.{part}_embeddings.weight"]
    words = g.add("Gather", g.constant(names("word")), "input_ids", axis=0)
    # Shape and Slice, not Range and Gather: with the latter ONNX Runtime 1.32 fails when it runs.
    tokens = g.add("Shape", "input_ids", start=1, end=2)
    positions = g.constant(names("position") + names("token_type")[0])
    positions = g.add("Slice", positions, g.numbers(0), tokens, g.numbers(0))
    x = g.norm(g.add("Add", words, positions), "embeddings.LayerNorm")
    for layer in range(LAYERS):
        x = g.layer(x, f"encoder.layer.{layer}")
    mean = g.add("ReduceMean", x, axes=[1], keepdims=0)
    length = g.add("ReduceL2", mean, axes=[1], keepdims=1)
    g.nodes.append(helper.make_node("Div", [mean, length], ["vector"], name="n_vector"))
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["texts", HIDDEN])
    return helper.make_graph(g.nodes, "minilm", [ids], [vector], g.constants)


def write(safetensors, folder):
    model = helper.make_model(graph(read(safetensors)), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "f32.onnx")
    quantize_dynamic(
        folder / "f32.onnx",
        folder / "int8.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
        extra_options={"MatMulConstBOnly": True},
    )
