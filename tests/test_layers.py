"""Operations from the layers of frameworks, held against the frameworks where they are installed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import operations
from test_padding_mode import padded
from test_pool import pools

import convviz
from convviz import AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, from_layer
from convviz.cli import main, read_picture
from convviz.layers import pytorch, read_layer
from convviz.spec import parse_operation, show_parameters


def layer(name: str, **attributes: Any) -> Any:
    """An object of a class ``name`` with these attributes: all that `from_layer` looks at."""
    return type(name, (), attributes)()


def torch_layer(name: str, **given: Any) -> Any:
    defaults = {"kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "in_channels": 1}
    return layer(name, **{**defaults, "out_channels": 1, "output_padding": 0, "padding_mode": "zeros", **given})


def keras_layer(name: str, **given: Any) -> Any:
    defaults = {"kernel_size": (3, 3), "strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid", "filters": 1}
    return layer(name, **{**defaults, "groups": 1, **given})


def node(op_type: str, **attributes: Any) -> Any:
    """An ONNX node: an attribute holds a number, numbers or bytes."""
    made = []
    for name, value in attributes.items():
        kinds = {
            "ints": value if isinstance(value, list) else [],
            "s": value.encode() if isinstance(value, str) else b"",
            "i": value if isinstance(value, int) else 0,
        }
        made.append(SimpleNamespace(name=name, **kinds))
    return SimpleNamespace(op_type=op_type, attribute=made)


def test_torch() -> None:
    given = torch_layer("Conv2d", kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), in_channels=4, out_channels=8)
    assert from_layer(given, 7) == Conv(7, (3, 2), (2, 1), (1, 0), in_channels=4, out_channels=8)
    assert from_layer(torch_layer("Conv1d", padding="same"), 7) == Conv((7,), (3,), padding="same")
    turned = torch_layer(
        "ConvTranspose2d", stride=2, padding=1, output_padding=1, groups=2, in_channels=2, out_channels=4
    )
    assert from_layer(turned, (3, 4)) == ConvTranspose(
        (3, 4), 3, 2, 1, output_padding=1, in_channels=2, out_channels=4, groups=2
    )


def test_padding_that_copies() -> None:
    given = torch_layer("Conv2d", padding=1, padding_mode="reflect")
    assert from_layer(given, 5) == Conv(5, 3, padding=1, padding_mode="reflect")
    with pytest.raises(ConvvizError, match="padding_mode is reflect"):
        from_layer(torch_layer("ConvTranspose2d", padding_mode="reflect"), 5)


def test_a_subclass_is_its_base() -> None:
    base = type(torch_layer("Conv2d", in_channels=0, groups=2, out_channels=2))
    op = from_layer(type("LazyOne", (base,), {})(), 5)
    assert (op.in_channels, op.out_channels) == (2, 2), "unknown input channels: as few as the groups allow"


def test_keras() -> None:
    assert from_layer(keras_layer("Conv2D", strides=(2, 2), padding="same"), 6) == Conv(6, 3, 2, "same")
    causal = keras_layer("Conv1D", kernel_size=(3,), strides=(1,), dilation_rate=(2,), padding="causal")
    assert from_layer(causal, 7) == Conv((7,), 3, padding=((4, 0),), dilation=2)
    deep = keras_layer("DepthwiseConv2D", depth_multiplier=2, kernel=np.zeros((3, 3, 4, 2)))
    assert from_layer(deep, 5) == Conv(5, 3, in_channels=4, out_channels=8, groups=4)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize(("stride", "extra"), [(1, None), (1, 0), (2, None), (2, 0), (2, 1), (3, None), (3, 0), (3, 2)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_keras_transposed_has_the_documented_size(kernel: int, stride: int, padding: str, extra: int | None) -> None:
    both = {"kernel_size": (kernel,), "strides": (stride,), "dilation_rate": (1,)}
    given = keras_layer("Conv1DTranspose", **both, padding=padding, output_padding=None if extra is None else (extra,))
    if extra is None:
        size = 4 * stride + (max(kernel - stride, 0) if padding == "valid" else 0)
    else:
        size = 3 * stride + kernel + extra - (2 * (kernel // 2) if padding == "same" else 0)
    assert from_layer(given, 4).output_size == (size,)


def test_onnx() -> None:
    given = node("Conv", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 2, 1], dilations=[1, 2], group=2)
    expected = Conv(8, 3, 2, ((1, 2), (0, 1)), (1, 2), in_channels=2, out_channels=2, groups=2)
    assert from_layer(given, 8) == expected
    assert from_layer(node("Conv", kernel_shape=[3], auto_pad="SAME_LOWER", strides=[2]), 6) == Conv(
        (6,), 3, 2, "same_lower"
    )
    assert from_layer(node("Conv"), 6, kernel_size=3) == Conv(6, 3)
    assert from_layer(node("Conv", strides=[2]), 6, kernel_size=3) == Conv((6,), 3, 2)
    assert from_layer(node("Conv", strides=[2, 2], pads=[1, 1, 1, 1]), 6, kernel_size=(2, 3)) == Conv(6, (2, 3), 2, 1)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "NOTSET"])
def test_onnx_output_shape(auto_pad: str) -> None:
    """The odd cell that is cropped goes where the schema's formula puts it."""
    given = node("ConvTranspose", kernel_shape=[4], strides=[2], output_shape=[7], auto_pad=auto_pad)
    op = from_layer(given, 3)
    assert op.output_size == (7,)
    assert op.padding == (((0, 1),) if auto_pad == "SAME_UPPER" else ((1, 0),))
    longer = node("ConvTranspose", kernel_shape=[2], strides=[3], output_shape=[10], auto_pad=auto_pad)
    assert from_layer(longer, 3).output_size == (10,)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (layer("Linear"), "layer is Linear: give a convolution"),
        (torch_layer("Conv3d", kernel_size=(3, 3, 3)), "layer is Conv3d: 3 axes cannot be drawn"),
        (keras_layer("SeparableConv2D"), "layer is SeparableConv2D"),
        (node("Gemm"), "layer is Gemm"),
        (node("Conv", kernel_shape=[3, 3, 3]), "layer is Conv: 3 axes"),
        (node("Conv", strides=[2, 2]), "kernel_size is missing"),
        (node("Conv", kernel_shape=[3, 3], pads=[-1, 0, 0, 0]), "padding is"),
        (torch_layer("Conv2d", kernel_size=(9, 9)), "kernel_size is 9"),
        (None, "layer is NoneType"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said(given: Any, told: str) -> None:
    with pytest.raises(ConvvizError) as error:
        from_layer(given, 5)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_an_input_size_with_channels_is_told() -> None:
    with pytest.raises(ConvvizError, match="needs 2 numbers, without batch and channels"):
        from_layer(torch_layer("Conv2d"), (3, 32, 32))


def test_weights_need_a_layer_that_has_some() -> None:
    with pytest.raises(ConvvizError, match="it has no weights"):
        convviz.layer_weights(torch_layer("Conv2d"))
    with pytest.raises(ConvvizError, match="call it on an input first"):
        convviz.layer_weights(layer("Conv2D", get_weights=list))
    with pytest.raises(ConvvizError, match="layer is BatchNormalization: give a convolution"):
        convviz.layer_weights(layer("BatchNormalization", get_weights=lambda _: [np.ones(3), np.ones(3)]))


def test_pooling() -> None:
    both = {"kernel_size": 2, "stride": 2, "padding": 0, "ceil_mode": True}
    assert from_layer(layer("MaxPool2d", **both, dilation=1), 5).output_size == (3, 3)
    assert from_layer(layer("MaxPool1d", **both, dilation=1), 5).output_size == (3,)
    assert from_layer(layer("AvgPool1d", **both, count_include_pad=True), 5).output_size == (3,)
    same = layer("AveragePooling2D", pool_size=(2, 2), strides=(2, 2), padding="same")
    assert from_layer(same, 5) == AveragePool(5, 2, 2, "same", count_include_pad=False)
    assert from_layer(layer("MaxPooling1D", pool_size=(3,), strides=(3,), padding="valid"), 7) == MaxPool((7,), 3)
    onnx = node("AveragePool", kernel_shape=[3, 3])
    assert from_layer(onnx, 5).output_size == (3, 3), "ONNX's stride is 1 where none is given"
    assert not from_layer(onnx, 5).count_include_pad


WRITTEN = {
    "nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)": ConvTranspose(16, 4, 2, 1, in_channels=64, out_channels=32),
    "torch.nn.Conv2d(4, 8, (3, 5), 2, (1, 0), 1, 4, False, 'reflect')": Conv(
        16, (3, 5), 2, (1, 0), groups=4, in_channels=4, out_channels=8, padding_mode="reflect"
    ),
    "nn.ConvTranspose1d(1, 1, 3, 2, 1, 1, 1, True, 2)": ConvTranspose((16,), 3, 2, 1, 2, 1),
    "Conv1d(1, 1, 3, padding='same', dilation=2)": Conv((16,), 3, padding=2, dilation=2),
    "nn.MaxPool2d(2)": MaxPool(16, 2),
    "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)": MaxPool(16, 3, 2, 1, ceil_mode=True),
    "nn.MaxPool1d(3, None, 1, 2, True)": MaxPool((16,), 3, padding=1, dilation=2),
    "nn.AvgPool2d((3, 2), None, (1, 0), False, False)": AveragePool(
        16, (3, 2), padding=(1, 0), count_include_pad=False
    ),
    " nn.AvgPool1d(3,\n stride=2) ": AveragePool((16,), 3, 2),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_a_layer_as_it_is_written(text: str) -> None:
    operation, parameters = read_layer(text)
    sizes = {"input_size": "16," if "1d" in text else "16"}
    assert parse_operation(operation, {**parameters, **sizes}) == WRITTEN[text]


@settings(max_examples=200, deadline=None)
@given(st.one_of(operations(channels=True), padded(channels=True), pools()))
def test_what_describe_prints_is_read(op: Any) -> None:
    text = pytorch(op) or ""
    if text.startswith("torch.nn.Sequential") or not text:
        return
    operation, parameters = read_layer(text)
    sizes = {"input_size": show_parameters(op)["input_size"]}
    if "pool" in op.name:
        sizes["channels"] = str(op.channels)
    assert parse_operation(operation, {**parameters, **sizes}) == op


def test_the_command_line_reads_a_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "-s", "3", "nn.Conv2d(4, 6, 3, stride=2, groups=2)", "-i", "7", "-p", "1"]) == 0
    assert "conv -i 7 -k 3 -s 3 -p 1 --in-channels 4 --out-channels 6 --groups 2 -o" in capsys.readouterr().out
    np.save(tmp_path / "w.npy", np.ones((6, 2, 3, 3)))
    picture = read_picture(["nn.Conv2d(4, 6, 3, groups=2)", "-i", "4", "--weight", "w.npy"], folder=tmp_path)
    assert picture.name == "conv"
    assert picture.animation.trace.op == Conv(4, 3, groups=2, in_channels=4, out_channels=6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nn.Conv2d(1", "a layer is written as"),
        ("1 + f(2)", "a layer is written as"),
        ("nn.Conv3d(1, 1, 3)", "Conv3d cannot be drawn; give Conv1d"),
        ("f(1)(2)", "cannot be drawn"),
        ("nn.Conv2d(1, 1)", "kernel_size is not given: Conv2d needs it"),
        ("nn.Conv2d(1, None, 3)", "out_channels is not given"),
        ("nn.Conv2d(1, c * 2, 3)", r"out_channels is c \* 2: write out its value"),
        ("nn.Conv2d(1, 1, open('x'))", "kernel_size is open"),
        ("nn.Conv2d(1, 1, 3, kernel_size=3)", "kernel_size is 3: Conv2d has it twice"),
        ("nn.Conv2d(1, 1, 3, output_padding=1)", "output_padding is 1: Conv2d has no output_padding, only in_channels"),
        ("nn.Conv2d(1, 1, 3, **more)", "Conv2d has no"),
        ("nn.Conv2d(1, 1, *more)", "kernel_size is [*]more: write out"),
        ("nn.MaxPool2d(1, 1, 1, 1, 1, 1, 1)", "takes at most 6 arguments"),
        ("nn.Conv2d(1, 1, (3, 3, 3))", r"kernel_size is \(3, 3, 3\): Conv2d takes a whole number, or two"),
        ("nn.Conv1d(1, 1, (3, 3))", "Conv1d takes a whole number$"),
        ("nn.Conv2d(1, 1, 3, padding=((1, 2), (1, 2)))", "padding is .*: Conv2d takes a whole number, or two"),
        ("nn.Conv2d(1, 1, 3, padding='SAME')", "padding is 'SAME': Conv2d takes a whole number, or two"),
        ("nn.ConvTranspose2d(1, 1, 3, padding='same')", "ConvTranspose2d takes a whole number, or two"),
        ("nn.Conv2d(1, 1, b'3')", "kernel_size is b'3': Conv2d takes a whole number, or two"),
        ("nn.Conv2d(1, 1, {3})", "kernel_size is .3.: Conv2d takes a whole number, or two"),
        ("nn.Conv2d(1, 1, 3, 1.5)", r"stride is 1\.5: Conv2d takes a whole number, or two"),
        ("nn.Conv2d(1, 1, 3, 2, 'same')", 'padding is "same": Conv2d takes it with stride 1 only'),
        ("nn.AvgPool2d(2, divisor_override=3)", "divisor_override is given"),
        ("nn.Conv2d({[]}, 1, 3)", "write out its value"),
        ("nn.Conv2d(" + "-" * 900 + "1, 1, 3)", "a layer is written as"),
        ("nn.Conv2d(" + "-" * 50_000 + "1, 1, 3)", "a layer is written as"),
        ("nn.Conv2d(1, 1, '\\d')", "kernel_size is"),
    ],
)
def test_a_layer_that_cannot_be_read(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", text, "-i", "7"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)
