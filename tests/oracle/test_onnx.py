"""The node tests that the ONNX package carries: what a backend must give for Conv, ConvTranspose and the poolings."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from oracles import TOLD, Array, readings

from convviz import AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, Operation, trace

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package makes the tests of all operators when it is asked for them
    from onnx.backend.test.loader import load_node_model_tests

    CASES = {
        case.name: case
        for case in load_node_model_tests()
        if case.model is not None
        and [node.op_type for node in case.model.graph.node]
        in [["Conv"], ["ConvTranspose"], ["MaxPool"], ["AveragePool"]]
    }


def operation(kind: str, x: Array, weight: Array | None, attributes: dict[str, Any]) -> Operation:
    """The operation of an ONNX node on an input with batch and channel axes."""
    axes = x.ndim - 2
    kernel = tuple(attributes.get("kernel_shape") or (weight.shape[2:] if weight is not None else ()))
    strides = tuple(attributes.get("strides", (1,) * axes))
    dilations = tuple(attributes.get("dilations", (1,) * axes))
    pads = attributes.get("pads", [0] * 2 * axes)
    words = {"NOTSET": tuple(zip(pads[:axes], pads[axes:], strict=True)), "VALID": "valid", "SAME_UPPER": "same",
             "SAME_LOWER": "same_lower"}  # fmt: skip
    given: dict[str, Any] = {"stride": strides, "padding": words[attributes.get("auto_pad", "NOTSET")]}
    size = x.shape[2:]
    if kind in ("MaxPool", "AveragePool"):
        given |= {"channels": x.shape[1], "ceil_mode": bool(attributes.get("ceil_mode", 0))}
        if kind == "AveragePool":
            given["count_include_pad"] = bool(attributes.get("count_include_pad", 0))
            if max(dilations) > 1:
                given["dilation"] = dilations  # not a parameter that there is
            return AveragePool(size, kernel, **given)
        return MaxPool(size, kernel, **given, dilation=dilations)
    assert weight is not None
    groups = attributes.get("group", 1)
    given |= {"dilation": dilations, "in_channels": x.shape[1], "groups": groups}
    if kind == "Conv":
        return Conv(size, kernel, **given, out_channels=weight.shape[0])
    extra = tuple(attributes.get("output_padding", (0,) * axes))
    if "output_shape" in attributes:  # the padding is then what gives that shape, the odd cell at the end
        totals = [
            s * (i - 1) + d * (k - 1) + 1 + more - wanted
            for s, i, d, k, more, wanted in zip(
                strides, size, dilations, kernel, extra, attributes["output_shape"][-axes:], strict=True
            )
        ]
        extra = tuple(more + max(-total, 0) for more, total in zip(extra, totals, strict=True))
        given["padding"] = tuple((max(total, 0) // 2, -(-max(total, 0) // 2)) for total in totals)
    return ConvTranspose(size, kernel, **given, output_padding=extra, out_channels=weight.shape[1] * groups)


def left_out(kind: str, x: Array, attributes: dict[str, Any]) -> str | None:
    if x.ndim > 4:
        return "three axes: a picture has one or two"
    if kind == "AveragePool" and max(attributes.get("dilations", (1,))) > 1:
        return "a dilated average pool: PyTorch has none"
    if kind.endswith("Pool") and any(
        pad > k // 2 for pad, k in zip(attributes.get("pads", ()), attributes["kernel_shape"] * 2, strict=False)
    ):
        return "padding of more than half the kernel: PyTorch refuses it"
    return None


@pytest.mark.parametrize("name", CASES)
def test_node(name: str) -> None:
    case = CASES[name]
    told = TOLD[f"ONNX {onnx.__version__}, node tests"]
    [node] = case.model.graph.node
    attributes = {
        attribute.name: value.decode()
        if isinstance(value := onnx.helper.get_attribute_value(attribute), bytes)
        else value
        for attribute in node.attribute
    }
    for inputs, outputs in case.data_sets:
        x, weight, bias = (*inputs, None, None)[:3]
        reason = left_out(node.op_type, x, attributes)
        if reason:
            with pytest.raises((ConvvizError, TypeError)):  # else there is no reason to leave it out
                operation(node.op_type, x, weight, attributes)
            told[f"left out: {name} ({reason})"] += 1
            return
        op = operation(node.op_type, x, weight, attributes)
        for number, one in enumerate(x):
            for reading, got in readings(op, one.astype(float), weight, bias).items():
                np.testing.assert_allclose(got, outputs[0][number], rtol=case.rtol, atol=case.atol, err_msg=reading)
            if len(outputs) > 1:
                assert isinstance(op, MaxPool)
                assert np.array_equal(winning_cells(op, one, attributes.get("storage_order", 0)), outputs[1][number])
    told["passed"] += 1


def winning_cells(op: MaxPool, x: Array, column_major: int) -> Array:
    """The flat index over all channels of each window's greatest value."""
    traced = trace(op, x if op.channels > 1 else x[0])
    assert traced.winners is not None
    cells = np.take_along_axis(traced.reads[np.newaxis], traced.winners[..., np.newaxis], axis=2)[..., 0]
    if column_major:
        row, column = np.unravel_index(cells, op.input_size)
        cells = column * op.input_size[0] + row
    first = np.arange(op.channels)[:, np.newaxis] * np.prod(op.input_size)
    return (cells + first).reshape(op.channels, *op.output_size)


def test_there_are_node_tests() -> None:
    kinds = {re.sub("[^a-z]", "", node.op_type.lower()) for case in CASES.values() for node in case.model.graph.node}
    assert kinds == {"conv", "convtranspose", "maxpool", "averagepool"}
    assert len(CASES) > 50
