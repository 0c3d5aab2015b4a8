"""PyTorch on the CPU: the same numbers, the same sizes, and agreement on what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles import SETS, Array, Held, numbers, readings

from convviz import AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, Operation
from convviz.layers import pytorch

# It makes a copy then, and says that it may.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")

LAYERS = {Conv: "Conv", ConvTranspose: "ConvTranspose", MaxPool: "MaxPool", AveragePool: "AvgPool"}


def layer(kind: type[Operation], axes: int, parameters: dict[str, Any]) -> torch.nn.Module:
    """PyTorch's layer for the same parameters."""
    known = {name: value for name, value in parameters.items() if name not in ("input_size", "channels")}
    if kind in (Conv, ConvTranspose):
        known["bias"] = False
    return getattr(torch.nn, f"{LAYERS[kind]}{axes}d")(**known)


def computed(module: torch.nn.Module, x: Array, weight: Array | None, bias: Array | None) -> Array:
    """What PyTorch makes of the numbers, in doubles, in which whole numbers are exact."""
    convolution = next((part for part in module.modules() if hasattr(part, "weight")), None)
    if weight is not None:
        assert convolution is not None
        assert tuple(convolution.weight.shape) == weight.shape
        convolution.weight = torch.nn.Parameter(torch.tensor(weight))
        convolution.bias = None if bias is None else torch.nn.Parameter(torch.tensor(bias))
    with torch.no_grad():
        return module(torch.tensor(x)[np.newaxis])[0].numpy()


def drawn(random: np.random.Generator, kind: type[Operation], axes: int) -> dict[str, Any]:
    """Parameters of which about half cannot be: what is refused is compared too."""

    def sizes(least: int, most: int, wild: int) -> tuple[int, ...]:
        rare = random.integers(12) == 0
        return tuple(int(n) for n in random.integers(wild if rare else least, most + 1, axes))

    parameters: dict[str, Any] = {"input_size": sizes(1, 8, 1), "kernel_size": sizes(1, 4, 1)}
    parameters["stride"] = sizes(1, 4, 0)
    parameters["padding"] = sizes(0, 4 if kind in (Conv, ConvTranspose) else 2, -1)
    if kind in (MaxPool, AveragePool) and random.integers(4):
        parameters["padding"] = tuple(
            min(p, k // 2) for p, k in zip(parameters["padding"], parameters["kernel_size"], strict=True)
        )
    if kind is not AveragePool:
        parameters["dilation"] = sizes(1, 3, 0)
    if kind is ConvTranspose:
        parameters["output_padding"] = sizes(0, 3, -1) if random.integers(2) else (0,) * axes
    if kind in (MaxPool, AveragePool):
        parameters["ceil_mode"] = bool(random.integers(2))
        parameters["channels"] = int(random.integers(1, 4))
    else:
        groups = int(random.integers(1, 4)) if random.integers(2) else 1
        ragged = random.integers(20) == 0
        for name in ("in_channels", "out_channels"):
            parameters[name] = int(random.integers(1, 4)) * (1 if ragged else groups)
        parameters["groups"] = groups
    if kind is Conv:
        parameters["padding_mode"] = str(random.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
        word = random.integers(10)
        if word < 2:
            parameters["padding"] = ("same", "valid")[word]
    if kind is AveragePool:
        parameters["count_include_pad"] = bool(random.integers(2))
    return parameters


def difference(kind: type[Operation], parameters: dict[str, Any], ours: object, theirs: object) -> str | None:
    """Why the two may disagree on whether these parameters can be; None where they must not."""
    if ours is None:
        if parameters["padding"] == "same" and max(parameters["stride"]) > 1:
            return 'PyTorch refuses padding "same" with a stride; TensorFlow and ONNX say what it is'
        return None
    if kind is Conv and parameters["padding_mode"] != "zeros" and min(parameters["padding"]) < 0:
        return "PyTorch crops where padding that holds copies is negative; of zeros it refuses it"
    if kind is ConvTranspose and min(parameters["dilation"]) == 0:
        return "PyTorch does not look at a transposed convolution's dilation of 0"
    if kind is ConvTranspose and "leaves none" in str(ours):
        return "PyTorch gives an output without a cell, of which there is no picture"
    return None


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_pytorch_gives_the_same_numbers_and_refuses_the_same_parameters(kind: type[Operation], axes: int) -> None:
    random = np.random.default_rng([20, axes, list(LAYERS).index(kind)])
    with Held(f"PyTorch {torch.__version__}, {LAYERS[kind]}{axes}d") as held:
        for _ in range(SETS):
            one(held, random, kind, axes, drawn(random, kind, axes))


def one(held: Held, random: np.random.Generator, kind: type[Operation], axes: int, parameters: dict[str, Any]) -> None:
    op, ours, theirs = None, None, None
    weight = bias = None
    try:
        op = kind(**parameters)
    except ConvvizError as error:
        ours = error
        channels = parameters.get("in_channels", parameters.get("channels"))
        x = np.ones((channels, *parameters["input_size"]))
    else:
        x, weight, bias = numbers(random, op)
    try:
        expected = computed(layer(kind, axes, parameters).double(), x, weight, bias)
    except (RuntimeError, ValueError) as error:
        theirs = error
    if op is not None and theirs is None:
        held.compare(parameters, expected, readings(op, x, weight, bias))
    elif ours is not None and theirs is not None:
        held.told["parameter sets that both refuse"] += 1
    else:
        reason = difference(kind, parameters, ours, theirs)
        assert reason is not None, (parameters, ours, theirs)
        held.told[f"disagreements on what can be: {reason}"] += 1


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("kind", LAYERS)
def test_the_layer_that_describe_prints_is_the_operation(kind: type[Operation], axes: int) -> None:
    """With padding that differs at the two ends, too, which no layer takes."""
    random = np.random.default_rng([30, axes, list(LAYERS).index(kind)])
    with Held("PyTorch, the layers that describe prints") as held:
        for _ in range(SETS // 4):
            parameters = drawn(random, kind, axes)
            if random.integers(2):
                parameters["padding"] = tuple(tuple(map(int, pair)) for pair in random.integers(0, 3, (axes, 2)))
            try:
                op = kind(**parameters)
            except ConvvizError:
                continue
            x, weight, bias = numbers(random, op)
            if pytorch(op) is None:
                held.told["no layer of PyTorch does it, and describe says so"] += 1
                continue
            printed = eval(pytorch(op), {"torch": torch}).double()
            held.compare(
                pytorch(op), computed(printed, x, weight, bias), {"gather": readings(op, x, weight, bias)["gather"]}
            )
