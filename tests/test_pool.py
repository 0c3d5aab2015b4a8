"""Pooling against plain nested loops."""

from __future__ import annotations

import itertools
import shlex
from math import inf, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convviz import AveragePool, Conv, ConvvizError, MaxPool, trace
from convviz.cli import _case, _parser
from convviz.layers import pytorch
from convviz.spec import command, parse_operation, show_parameters


@st.composite
def pools(draw, kinds=(MaxPool, AveragePool)):
    """A pooling with every parameter free; those that cannot be are drawn again."""
    ndim = draw(st.sampled_from([1, 2, 2]))

    def sizes(least, most):
        return draw(st.tuples(*[st.integers(least, most)] * ndim))

    kernel = sizes(1, 4)
    padding = tuple(draw(st.tuples(st.integers(0, k // 2), st.integers(0, k // 2))) for k in kernel)
    keywords = {"ceil_mode": draw(st.booleans()), "channels": draw(st.sampled_from([1, 1, 3]))}
    kind = draw(st.sampled_from(kinds))
    if kind is MaxPool:
        keywords["dilation"] = sizes(1, 3)
    else:
        keywords["count_include_pad"] = draw(st.booleans())
    stride = draw(st.sampled_from([None, sizes(1, 4)]))
    try:
        return kind(sizes(1, 8), kernel, stride, padding, **keywords)
    except ConvvizError:
        return kind((12,) * ndim, kernel, stride, padding, **keywords)


def places(op, axis):
    """Windows of one axis, each a list of the places of its taps; PyTorch's rule of how many there are."""
    i, k, s, d = op.input_size[axis], op.kernel_size[axis], op.stride[axis], op.dilation[axis]
    begin, end = op.padding[axis]
    starts = []
    for n in itertools.count():
        start, last = n * s, n * s + d * (k - 1)
        fits = last < i + begin + end
        # With ceil_mode a window may run past the end: one, where the one before it left cells over.
        runs_past = op.ceil_mode and last - s < i + begin + end - 1 and start < i + begin
        if not (fits or runs_past):
            return [[start + t * d - begin for t in range(k)] for start in starts]
        starts.append(start)


def pooled(op, x):
    """The result for one channel, the winning places and the divisors, window by window."""
    out = np.zeros(op.output_size)
    winners, divisors = [], []
    windows = itertools.product(*(places(op, axis) for axis in range(len(op.input_size))))
    for at, window in zip(np.ndindex(*op.output_size), windows, strict=True):
        values, counted = [], 0
        for cell in itertools.product(*window):
            axes = list(zip(cell, op.input_size, op.padding, strict=True))
            inside = all(0 <= c < i for c, i, _ in axes)
            values.append(x[cell] if inside else -inf if isinstance(op, MaxPool) else 0)
            padded = all(-begin <= c < i + end for c, i, (begin, end) in axes)
            counted += padded if getattr(op, "count_include_pad", True) else inside
        out[at] = max(values) if isinstance(op, MaxPool) else sum(values) / counted
        winners.append(values.index(max(values)))
        divisors.append(counted)
    return out, winners, divisors


def random_input(op, seed):
    shape = op.input_size if op.channels == 1 else (op.channels, *op.input_size)
    return np.random.default_rng(seed).integers(-9, 10, shape)


@settings(max_examples=400, deadline=None)
@given(pools(), st.integers(0, 2**32 - 1))
def test_pooling_is_what_plain_loops_give(op, seed):
    x = random_input(op, seed)
    traced = trace(op, x)
    assert tuple(len(places(op, axis)) for axis in range(len(op.input_size))) == op.output_size
    for channel, plane in enumerate(x.reshape(op.channels, *op.input_size)):
        expected, winners, divisors = pooled(op, plane)
        np.testing.assert_allclose(traced.output.reshape(op.channels, *op.output_size)[channel], expected, rtol=1e-14)
        if isinstance(op, MaxPool):
            assert traced.winners[channel].tolist() == winners
            assert traced.divisors is None
        else:
            assert traced.divisors.tolist() == divisors
            assert traced.winners is None


@settings(max_examples=200, deadline=None)
@given(pools(), st.data())
def test_a_step_holds_what_a_view_shows(op, data):
    x = random_input(op, 0)
    traced = trace(op, x)
    t = data.draw(st.integers(0, len(traced) - 1))
    step = traced[t]
    cells = x.reshape(op.channels, -1)
    value = np.ravel(step.value)
    np.testing.assert_array_equal(step.reads, traced.reads[t])
    np.testing.assert_array_equal(step.writes, np.full(prod(op.kernel_size), t))
    np.testing.assert_array_equal(value, traced.output.reshape(op.channels, -1)[:, t])
    for channel, values in enumerate(np.reshape(step.values, (op.channels, -1))):
        nothing = -inf if isinstance(op, MaxPool) else 0
        assert values.tolist() == [cells[channel, n] if n >= 0 else nothing for n in step.reads]
        products = np.reshape(step.products, (op.channels, -1))[channel]
        if isinstance(op, MaxPool):
            winner = np.ravel(step.winner)[channel]
            assert value[channel] == values[winner] == products[winner] == values.max()
            assert (values[:winner] < values[winner]).all()
            assert step.weights is None
            assert step.divisor is None
        else:
            assert products.sum() == pytest.approx(value[channel], abs=1e-12)
            assert values.sum() / step.divisor == pytest.approx(value[channel], abs=1e-12)
            assert step.winner is None


@settings(max_examples=200, deadline=None)
@given(pools(kinds=(AveragePool,)))
def test_an_average_is_linear_in_every_reading(op):
    x = random_input(op, 1)
    gather, scatter = trace(op, x), trace(op, x, order="scatter")
    np.testing.assert_allclose(scatter.output, gather.output, atol=1e-12)
    matrix = gather.matrix()
    np.testing.assert_allclose(matrix @ x.ravel(), gather.output.ravel(), atol=1e-12)
    np.testing.assert_allclose(scatter.matrix(), matrix, atol=0)
    if not op.count_include_pad:
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
    total = np.zeros((op.channels, prod(op.output_size)))
    for step in scatter:
        kept = step.writes >= 0
        total[:, step.writes[kept]] += np.reshape(step.products, (op.channels, -1))[:, kept]
    np.testing.assert_allclose(total.ravel(), gather.output.ravel(), atol=1e-12)


@given(pools())
def test_text_and_back_is_the_same_pooling(op):
    assert parse_operation(op.name, show_parameters(op)) == op


@settings(max_examples=50, deadline=None)
@given(pools())
def test_a_pooling_is_its_command(op):
    arguments = _parser().parse_args(["describe", *shlex.split(command(op))])
    assert _case(arguments).op == op


@settings(max_examples=100, deadline=None)
@given(pools())
def test_without_ceil_mode_the_size_is_that_of_a_convolution(op):
    if not op.ceil_mode:
        assert op.output_size == Conv(op.input_size, op.kernel_size, op.stride, op.padding, op.dilation).output_size


def test_the_values_of_the_guides_numerical_figures():
    assert trace(MaxPool(5, 3, stride=1)).output.tolist() == [[3, 3, 3], [3, 3, 3], [3, 2, 3]]
    average = trace(AveragePool(5, 3, stride=1)).output
    assert average.round(1).tolist() == [[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]]


def test_facts_that_pytorch_gives():
    # torch.nn.functional.max_pool2d and avg_pool2d, version 2.13.0.
    assert MaxPool(6, 3, 2, 1, ceil_mode=True).output_size == (4, 4)
    assert MaxPool((4,), 1, 5, ceil_mode=True).output_size == (1,)  # a second window would start past the input
    assert MaxPool((2,), 3, 2, ceil_mode=True).output_size == (1,)  # ceil_mode lets a kernel exceed its input
    ones = np.ones((4, 4))
    counted = trace(AveragePool(4, 3, 2, 1, ceil_mode=True), ones).output[2]
    assert counted.tolist() == pytest.approx([2 / 6, 3 / 6, 1 / 4])
    alone = trace(AveragePool(4, 3, 2, 1, ceil_mode=True, count_include_pad=False), ones).output[2]
    assert alone.tolist() == [1, 1, 1]


def test_a_window_without_any_cell_is_minus_infinity():
    traced = trace(MaxPool((3,), 2, 1, 1, dilation=4), [1, 2, 3])
    assert traced.output.tolist() == [-inf]
    assert traced[0].reads.tolist() == [-1, -1]


def test_large_integers_keep_all_their_digits():
    x = [2**60 + 1, 2**60, 2**60 + 2]
    assert trace(MaxPool((3,), 2, 1, 1), x).output.tolist() == [x[0], x[0], x[2], x[2]]


def test_cells_past_the_padding_are_told_apart():
    canvas = trace(MaxPool((4,), 3, 2, 1, ceil_mode=True)).canvas
    assert canvas.tolist() == [-1, 0, 1, 2, 3, -1, -3]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MaxPool(5, 3, padding=2), r"padding is 2: pooling takes at most half of the kernel_size \(3\), 1"),
        (lambda: MaxPool(9, 2, padding=2, dilation=4), "padding is 2: .* at most half"),
        (lambda: AveragePool(5, 3, padding="full"), "padding is 2: .* at most half"),
        (lambda: AveragePool(5, 3, padding=((0, 2), (0, 0))), "padding is 0:2,0: .* at most half"),
        (lambda: MaxPool(2, 3), "kernel_size is 3: larger than the padded input"),
        (lambda: MaxPool(5, 3, stride=0), "stride is 0: it must be at least 1"),
        (lambda: MaxPool(5, 3, ceil_mode="yes"), 'ceil_mode is "yes": give True or False'),
        (lambda: AveragePool(5, 3, count_include_pad=2), "count_include_pad is 2: give True or False"),
        (lambda: MaxPool(5, 3, channels=0), "channels is 0: it must be at least 1"),
        (lambda: MaxPool(5, 3).transposed(), "operation is max-pool: only a convolution"),
        (lambda: trace(MaxPool(5, 3), order="scatter"), 'order is "scatter": a maximum is no sum'),
        (lambda: trace(MaxPool(5, 3)).matrix(), "operation is max-pool: a maximum is not linear"),
        (lambda: trace(MaxPool(5, 3), weight=np.ones((3, 3))), "weight is given: max-pool has none"),
        (lambda: trace(AveragePool(5, 3), bias=1), "bias is given: average-pool has none"),
        (lambda: parse_operation("max-pool", {"input_size": "5", "kernel_size": "3", "ceil_mode": "1"}),
         'ceil_mode is "1": give true or false'),
        (lambda: parse_operation("max-pool", {"input_size": "5", "kernel_size": "3", "groups": "1"}),
         "groups is 1: max-pool has no groups"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(ConvvizError, match=said):
        make()


def test_pools_in_words():
    assert pytorch(MaxPool(5, 3)) == "torch.nn.MaxPool2d(kernel_size=3)"
    assert pytorch(MaxPool(5, 3, 3, 1, 2, True)) == (
        "torch.nn.MaxPool2d(kernel_size=3, padding=1, dilation=2, ceil_mode=True)"
    )
    assert pytorch(MaxPool(5, (3, 2), padding=((0, 1), (1, 0)))) == (
        "torch.nn.Sequential(torch.nn.ConstantPad2d((1, 0, 0, 1), -float('inf')), "
        "torch.nn.MaxPool2d(kernel_size=(3, 2)))"
    )
    assert pytorch(AveragePool((5,), 3, padding=((0, 1),), count_include_pad=False)) is None
    assert command(AveragePool((5,), 3, count_include_pad=False)) == "average-pool -i 5, -k 3 --no-count-include-pad"
