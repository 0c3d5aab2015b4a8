"""The weights and sizes that `from_layer` and `layer_weights` read, held against what the frameworks compute."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest
from tools import package

from convviz import ConvvizError, from_layer, layer_weights, trace
from convviz.layers import TORCH, TORCH_PARAMETERS

# Of the frameworks' own making.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same'"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),
]
RANDOM = np.random.default_rng(0)


def shown(layer: Any, op: Any, x: np.ndarray) -> np.ndarray:
    """What convviz computes for ``x``, (channels, *sizes), without the channel axis where there is one channel."""
    if "pool" in op.name:
        return trace(op, x[0]).output
    flat = x[0] if op.in_channels == op.out_channels == 1 else x
    return trace(op, flat, *layer_weights(layer)).output


def test_torch() -> None:
    torch = package("torch")
    nn = torch.nn
    for layer, channels, size in [
        (nn.Conv2d(1, 1, 3, stride=2, padding=1), 1, (6, 7)),
        (nn.Conv2d(4, 6, (3, 2), padding="same", dilation=(2, 1), groups=2), 4, (7, 5)),
        (nn.Conv1d(2, 3, 3, padding=2, bias=False), 2, (8,)),
        (nn.Conv2d(4, 8, 3, groups=4), 4, (5, 5)),
        (nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1), 1, (3, 4)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=2), 4, (3, 3)),
        (nn.ConvTranspose1d(2, 5, 4, stride=3), 2, (4,)),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), 1, (4, 5)),
        (nn.MaxPool2d(3, stride=2, padding=1), 1, (6, 7)),
        (nn.MaxPool1d(2, dilation=2, ceil_mode=True), 1, (8,)),
        (nn.AvgPool2d((3, 2), padding=1, count_include_pad=False), 1, (6, 7)),
        (nn.AvgPool1d(3, stride=2, ceil_mode=True), 1, (8,)),
    ]:
        op = from_layer(layer, size)
        x = RANDOM.normal(size=(channels, *size)).astype(np.float32)
        with torch.no_grad():
            expected = layer(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(shown(layer, op, x).reshape(expected.shape), expected, atol=1e-5)


def test_weights_of_a_type_that_numpy_has_not_keep_their_numbers() -> None:
    torch = package("torch")
    for make in (torch.nn.Conv2d, torch.nn.ConvTranspose2d):
        layer = make(2, 3, 3).to(torch.bfloat16)
        x = RANDOM.normal(size=(2, 5, 5))
        weight, bias = layer_weights(layer)
        assert weight.tolist() == layer.weight.tolist()
        assert bias.tolist() == layer.bias.tolist()
        with torch.no_grad():
            expected = layer.double()(torch.from_numpy(x)[None])[0].numpy()
        np.testing.assert_allclose(trace(from_layer(layer, 5), x, weight, bias).output, expected)


def test_weights_without_numbers_are_refused_in_one_line() -> None:
    nn = package("torch").nn
    for layer, says in [
        (nn.LazyConv2d(3, 3), "LazyConv2d: its weights have no numbers yet; initialise it, or call it on an input"),
        (nn.Conv2d(1, 1, 3, device="meta"), "Conv2d: its weights have no numbers yet; initialise it"),
        (nn.Conv3d(1, 1, 3), "Conv3d: 3 axes cannot be drawn"),
    ]:
        with pytest.raises(ConvvizError, match=says):
            layer_weights(layer)


def test_torch_has_its_parameters_in_this_order() -> None:
    nn = package("torch").nn
    for name, operation in TORCH.items():
        for axes in ("1d", "2d"):
            theirs = [*inspect.signature(getattr(nn, name + axes)).parameters]
            ours = [each for each in TORCH_PARAMETERS[operation] if axes == "2d" or each != "divisor_override"]
            assert theirs == ours


def test_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    package("torch")
    monkeypatch.setitem(os.environ, "KERAS_BACKEND", "torch")
    keras = package("keras")
    layers = keras.layers
    for layer, channels, size in [
        (layers.Conv2D(1, 3, strides=2, padding="same"), 1, (6, 7)),
        (layers.Conv2D(6, (3, 2), groups=2, dilation_rate=2), 4, (7, 8)),
        (layers.Conv1D(3, 3, padding="causal", dilation_rate=2), 2, (8,)),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 3, (5, 5)),
        (layers.Conv2DTranspose(2, 4, strides=2, padding="same"), 3, (3, 4)),
        (layers.Conv2DTranspose(1, 3, strides=2), 1, (3, 3)),
        (layers.Conv1DTranspose(2, 3, strides=2, padding="same"), 1, (4,)),
        (layers.Conv1DTranspose(2, 2, strides=3), 1, (4,)),
        (layers.Conv1DTranspose(2, 3, strides=2, padding="same", output_padding=1), 1, (4,)),
        (layers.MaxPooling2D(2, padding="same"), 1, (5, 6)),
        (layers.AveragePooling2D((3, 2), strides=2, padding="valid"), 1, (7, 6)),
        (layers.AveragePooling2D(3, strides=2, padding="same"), 1, (7, 5)),
    ]:
        x = RANDOM.normal(size=(channels, *size)).astype(np.float32)
        expected = keras.ops.convert_to_numpy(layer(np.moveaxis(x, 0, -1)[np.newaxis]))[0]
        expected = np.moveaxis(expected, -1, 0)
        op = from_layer(layer, size)
        assert op.output_size == expected.shape[1:], layer
        np.testing.assert_allclose(shown(layer, op, x).reshape(expected.shape), expected, atol=1e-5, err_msg=str(op))


def test_onnx() -> None:
    helper = package("onnx.helper")
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"
    )
    assert from_layer(node, 4).output_size == (8, 8)
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3], pads=[1, 2], dilations=[2], group=3)
    op = from_layer(node, 9)
    assert (op.output_size, op.padding, op.groups, op.in_channels) == ((8,), ((1, 2),), 3, 3)
