"""What the oracles share: random parameters, convviz's answer in all its readings, and the count of what was held."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz import AveragePool, Conv, ConvTranspose, MaxPool, Operation, trace

SETS = int(os.environ.get("CONVVIZ_ORACLE_SETS", "2000"))
TOLD: defaultdict[str, Counter[str]] = defaultdict(Counter)

Array = NDArray[Any]


def weight_shape(op: Conv | ConvTranspose) -> tuple[int, ...]:
    outer = (op.out_channels, op.in_channels) if isinstance(op, Conv) else (op.in_channels, op.out_channels)
    return (outer[0], outer[1] // op.groups, *op.kernel_size)


def numbers(random: np.random.Generator, op: Operation) -> tuple[Array, Array | None, Array | None]:
    """x, weight and bias with channel axes, whole numbers, so that every way of adding them up is exact."""
    x = random.integers(-9, 10, (op.in_channels, *op.input_size)).astype(float)
    if isinstance(op, MaxPool | AveragePool):
        return x, None, None
    weight = random.integers(-9, 10, weight_shape(op)).astype(float)
    return x, weight, random.integers(-9, 10, op.out_channels).astype(float) if random.integers(2) else None


def readings(op: Operation, x: Array, weight: Array | None, bias: Array | None) -> dict[str, Array]:
    """The output with its channel axis by gather, step by step, by scatter and by the matrix, where there is one."""
    given: dict[str, Any] = {"x": x, "weight": weight, "bias": bias}
    if op.in_channels == op.out_channels == 1:
        given["x"] = x[0]
        given["weight"] = None if weight is None else weight[0, 0]
    shape = (op.out_channels, *op.output_size)
    gather = trace(op, **given)
    steps = np.stack([np.reshape(step.value, -1) for step in gather], axis=-1)
    read = {"gather": gather.output.reshape(shape), "steps": steps.reshape(shape)}
    if not isinstance(op, MaxPool):
        read["scatter"] = trace(op, **given, order="scatter").output.reshape(shape)
        product = (gather.matrix() @ x.reshape(-1)).reshape(shape)
        read["matrix"] = product if bias is None else product + bias.reshape(-1, *(1,) * len(op.input_size))
        # The matrix of an average holds rounded quotients; its product is near, the other readings are exact.
        if isinstance(op, AveragePool):
            np.testing.assert_allclose(read.pop("matrix"), read["gather"], rtol=0, atol=1e-12)
    return read


class Held:
    """Counts for one oracle; after its block the test fails where there was a mismatch, with the first one."""

    def __init__(self, oracle: str) -> None:
        self.told = TOLD[oracle]
        self.first: object = None

    def compare(self, what: object, expected: Array, read: dict[str, Array], rtol: float = 0) -> None:
        """One parameter set: each reading must have the expected shape and numbers."""
        wrong = [
            (reading, got, expected)
            for reading, got in read.items()
            if got.shape != expected.shape or not np.allclose(got, expected, rtol=rtol, atol=0)
        ]
        self.told["parameter sets compared, in every reading"] += 1
        self.told["mismatches"] += bool(wrong)
        self.first = self.first or (wrong and (what, wrong))

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        assert kind or not self.first, self.first
