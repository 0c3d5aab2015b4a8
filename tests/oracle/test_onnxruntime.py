"""onnxruntime on the CPU: the same numbers over random parameters, with ONNX's words for padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from oracles import SETS, Array, Held, numbers, readings
from test_onnx import operation

from convviz import ConvvizError

KINDS = ["Conv", "ConvTranspose", "MaxPool", "AveragePool"]


def computed(kind: str, attributes: dict[str, Any], inputs: dict[str, Array]) -> Array:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(kind, list(inputs), ["y"], **attributes)], "one", values, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: array.astype(np.float32) for name, array in inputs.items()})[0]


def drawn(random: np.random.Generator, kind: str, axes: int) -> tuple[dict[str, Any], tuple[int, ...], int, int]:
    def sizes(least: int, most: int) -> list[int]:
        return [int(n) for n in random.integers(least, most + 1, axes)]

    kernel = sizes(1, 4)
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": sizes(1, 3)}
    if kind != "AveragePool":
        attributes["dilations"] = sizes(1, 3)
    attributes["auto_pad"] = str(random.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if attributes["auto_pad"] == "NOTSET":
        most = [k // 2 if kind.endswith("Pool") else 3 for k in kernel]
        attributes["pads"] = [int(random.integers(0, n + 1)) for n in most * 2]
    groups = 1
    if kind == "ConvTranspose":
        attributes["output_padding"] = [int(random.integers(0, s)) for s in attributes["strides"]]
    if kind.endswith("Pool"):
        attributes["ceil_mode"] = int(random.integers(2))
        if kind == "AveragePool":
            attributes["count_include_pad"] = int(random.integers(2))
    else:
        attributes["group"] = groups = int(random.integers(1, 4))
    channels = int(random.integers(1, 4)) * groups
    return attributes, tuple(sizes(1, 8)), channels, int(random.integers(1, 4)) * groups


def unlike(kind: str, attributes: dict[str, Any], size: tuple[int, ...]) -> str | None:
    """Where onnxruntime is known to compute something else than ONNX or TensorFlow say."""
    if not attributes["auto_pad"].startswith("SAME"):
        return None
    if max(attributes.get("dilations", (1,))) > 1 and kind != "ConvTranspose":
        return "SAME with a dilation: onnxruntime refuses it for Conv and looks past the dilation for pools"
    axes = list(zip(attributes["kernel_shape"], attributes["strides"], size, strict=True))
    if kind == "ConvTranspose":
        spans = [d * (k - 1) + 1 for d, k in zip(attributes["dilations"], attributes["kernel_shape"], strict=True)]
        if any(
            n + more < s for n, more, s in zip(spans, attributes["output_padding"], attributes["strides"], strict=True)
        ):
            return "SAME where the full output is shorter than ONNX's i*s: onnxruntime leaves it shorter"
    elif kind.endswith("Pool") and any((-(-i // s) - 1) * s + k < i for k, s, i in axes):
        return "SAME where the windows leave cells out: onnxruntime crops the input, TensorFlow leaves the last cells"
    return None


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_onnxruntime_gives_the_same_numbers(kind: str, axes: int) -> None:
    random = np.random.default_rng([25, axes, KINDS.index(kind)])
    with Held(f"onnxruntime {onnxruntime.__version__}, {kind} over {axes} axes") as held:
        for _ in range(SETS):
            one(held, random, kind, axes)


def one(held: Held, random: np.random.Generator, kind: str, axes: int) -> None:
    attributes, size, channels, outputs = drawn(random, kind, axes)
    groups = attributes.get("group", 1)
    first, second = (outputs, channels) if kind == "Conv" else (channels, outputs)
    shape = (first, second // groups, *attributes["kernel_shape"])
    try:
        given = np.zeros(shape) if kind.startswith("Conv") else None
        op = operation(kind, np.zeros((1, channels, *size)), given, attributes)
    except ConvvizError:
        held.told["parameter sets that convviz refuses"] += 1
        return
    reason = unlike(kind, attributes, size)
    if reason:
        held.told[f"left out: {reason}"] += 1
        return
    x, weight, bias = numbers(random, op)
    inputs = {"x": x[np.newaxis], "w": weight, "b": bias}
    expected = computed(kind, attributes, {name: array for name, array in inputs.items() if array is not None})[0]
    # Where a dilated window misses the input it gives the least number rather than minus infinity.
    expected = np.where(expected == np.finfo(np.float32).min, -np.inf, expected)
    # A quotient is rounded to 32 bits there; all else is whole numbers.
    rtol = 2e-7 if kind == "AveragePool" else 0
    held.compare((attributes, op), expected, readings(op, x, weight, bias), rtol)
