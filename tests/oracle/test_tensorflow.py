"""TensorFlow's SAME, by the rule in its documentation of convolution (tf.nn, "Notes on padding")."""

from __future__ import annotations

from itertools import product

from oracles import TOLD

from convviz import AveragePool, Conv, ConvTranspose, MaxPool


def same(size: int, span: int, stride: int) -> tuple[int, int]:
    """Padding before and after, for a filter that spans so many cells."""
    along = max(span - stride, 0) if size % stride == 0 else max(span - size % stride, 0)
    return along // 2, along - along // 2


def test_same_is_tensorflows() -> None:
    for i, k, s, d in product(range(1, 25), range(1, 8), range(1, 7), range(1, 4)):
        op = Conv((i,), (k,), (s,), "same", (d,))
        assert op.padding == (same(i, d * (k - 1) + 1, s),), op
        assert op.output_size == (-(-i // s),), op
        if d == 1 and max(op.padding[0]) <= k // 2:
            assert MaxPool((i,), (k,), (s,), "same").padding == op.padding
            assert AveragePool((i,), (k,), (s,), "same").output_size == op.output_size
        TOLD["TensorFlow's SAME, by its formula"]["convolutions and poolings with equal padding and size"] += 1


def test_same_of_a_transposed_convolution_is_tensorflows() -> None:
    """There it is the gradient of the convolution of an input that is the stride times as large."""
    for i, k, s, d in product(range(1, 13), range(1, 8), range(1, 7), range(1, 4)):
        op = ConvTranspose((i,), (k,), (s,), "same", (d,))
        assert op.output_size == (i * s,), op
        assert op.padding == (same(i * s, d * (k - 1) + 1, s),), op
        TOLD["TensorFlow's SAME, by its formula"]["transposed convolutions with equal padding and size"] += 1
