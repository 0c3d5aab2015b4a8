"""The link table, the numbers and the matrix, against plain nested loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import by_loops, links, operations

from convviz import Conv, ConvTranspose, ConvvizError, trace
from convviz.windows import canvas, windows


def integers(rng, shape):
    return rng.integers(-9, 10, shape)


@settings(max_examples=1500, deadline=None)
@given(operations(), st.integers(0, 2**32 - 1))
def test_both_orders_and_the_matrix_are_what_plain_loops_give(op, seed):
    rng = np.random.default_rng(seed)
    x, weight = integers(rng, op.input_size), integers(rng, op.kernel_size)
    expected = by_loops(op, x, weight)
    gather, scatter = trace(op, x, weight), trace(op, x, weight, order="scatter")
    np.testing.assert_array_equal(gather.output, expected)
    np.testing.assert_array_equal(scatter.output, expected)
    for traced in (gather, scatter):
        np.testing.assert_array_equal(traced.matrix() @ x.ravel(), expected.ravel())


@settings(max_examples=1000, deadline=None)
@given(operations())
def test_both_orders_have_exactly_the_links_of_the_definition(op):
    expected = {
        (int(np.ravel_multi_index(cell, op.input_size)), int(np.ravel_multi_index(tap, op.kernel_size)),
         int(np.ravel_multi_index(target, op.output_size)))
        for cell, tap, target in links(op)
    }  # fmt: skip
    for order in ("gather", "scatter"):
        traced = trace(op, order=order)
        reads, writes = traced.reads, traced.writes
        assert reads.shape == writes.shape == (len(traced), len(traced.taps))
        real = (reads >= 0) & (writes >= 0)
        taps = np.broadcast_to(traced.taps, reads.shape)
        table = list(zip(reads[real].tolist(), taps[real].tolist(), writes[real].tolist(), strict=True))
        assert len(set(table)) == len(table)
        assert set(table) == expected


@settings(max_examples=500, deadline=None)
@given(operations(kinds=("conv",)))
def test_the_transposed_operation_has_the_transposed_matrix(op):
    weight = np.arange(1, np.prod(op.kernel_size) + 1).reshape(op.kernel_size)
    back = op.transposed()
    assert back.output_size == op.input_size
    assert back.transposed() == op
    np.testing.assert_array_equal(trace(back, weight=weight).matrix(), trace(op, weight=weight).matrix().T)


@settings(max_examples=500, deadline=None)
@given(operations(), st.sampled_from(["gather", "scatter"]), st.data())
def test_a_step_is_its_row_of_the_table(op, order, data):
    traced = trace(op, bias=5, order=order)
    t = data.draw(st.integers(0, len(traced) - 1))
    step = traced[t]
    assert step.index == t
    np.testing.assert_array_equal(step.reads, traced.reads[t])
    np.testing.assert_array_equal(step.writes, traced.writes[t])
    np.testing.assert_array_equal(step.products, step.values * step.weights)
    np.testing.assert_array_equal(step.weights, traced.weight.ravel()[step.taps])
    if order == "gather":
        assert step.value == step.products.sum() + 5 == traced.output.ravel()[t]
        assert np.ravel_multi_index(step.position, op.output_size) == t
    else:
        assert step.value == traced.x.ravel()[t]
        np.testing.assert_array_equal(step.products, step.value * step.weights)


@settings(max_examples=300, deadline=None)
@given(operations(channels=True))
def test_channels_and_groups_are_sums_of_single_channels(op):
    rng = np.random.default_rng(0)
    many = op.in_channels > 1 or op.out_channels > 1
    outer = (op.out_channels, op.in_channels) if isinstance(op, Conv) else (op.in_channels, op.out_channels)
    x = integers(rng, ((op.in_channels,) if many else ()) + op.input_size)
    weight = integers(rng, ((outer[0], outer[1] // op.groups) if many else ()) + op.kernel_size)
    gather, scatter = trace(op, x, weight), trace(op, x, weight, order="scatter")
    np.testing.assert_array_equal(gather.output, scatter.output)
    np.testing.assert_array_equal(gather.matrix() @ x.ravel(), gather.output.ravel())
    if not many:
        return
    single = type(op)(op.input_size, op.kernel_size, op.stride, op.padding, op.dilation,
                      *([op.output_padding] if isinstance(op, ConvTranspose) else []))  # fmt: skip
    per_in, per_out = op.in_channels // op.groups, op.out_channels // op.groups
    for m in range(op.out_channels):
        group = m // per_out
        total = 0
        for c in range(group * per_in, (group + 1) * per_in):
            kernel = weight[m, c - group * per_in] if isinstance(op, Conv) else weight[c, m - group * per_out]
            total = total + by_loops(single, x[c], kernel)
        np.testing.assert_array_equal(gather.output[m], total)


def test_the_values_of_the_guides_numerical_figures():
    assert trace(Conv(5, 3)).output.tolist() == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    assert trace(Conv(5, 3, stride=2, padding=1)).output.tolist() == [[6, 17, 3], [8, 17, 13], [6, 4, 4]]


def test_no_kernel_is_all_zeros_for_want_of_numbers():
    again = 0
    for kind, n, k in product((Conv, ConvTranspose), [(1,), (3,), (4,), (2, 2), (4, 4), (5, 5)], (1, 2, 3)):
        if kind is Conv and k > min(n):
            continue
        traced = trace(kind(n, (k,) * len(n)))
        assert traced.weight.any()
        random = np.random.RandomState(1234)
        np.testing.assert_array_equal(traced.x, random.randint(0, 4, n))
        first = random.randint(0, 3, traced.weight.shape)
        again += not first.any()
        assert not first.any() or np.array_equal(traced.weight, first)
    assert again


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
def test_scipy_agrees(mode):
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(7, 9)), rng.normal(size=(3, 5))
    expected = scipy.signal.correlate2d(x, weight, mode=mode)
    np.testing.assert_allclose(trace(Conv(x.shape, weight.shape, padding=mode), x, weight).output, expected, atol=1e-12)


def test_windows_and_tables_share_memory_with_the_canvas():
    for order in ("gather", "scatter"):
        traced = trace(Conv(9, 3, stride=2, padding=1), order=order)
        assert np.shares_memory(traced.windows, traced.canvas)
        assert not traced.windows.flags.writeable


def test_windows_carry_the_axes_before_them_along():
    plane = np.arange(2 * 5 * 6).reshape(2, 5, 6)
    seen = windows(plane, (2, 3), (2, 1), (1, 2))
    assert seen.shape == (2, 2, 2, 2, 3)
    assert seen[1, 1, 1].tolist() == [[plane[1, 2, 1], plane[1, 2, 3], plane[1, 2, 5]],
                                      [plane[1, 3, 1], plane[1, 3, 3], plane[1, 3, 5]]]  # fmt: skip


@given(st.integers(1, 5), st.integers(1, 4), st.integers(-6, 4), st.integers(-6, 4))
def test_a_cropped_canvas_is_the_middle_of_the_whole_one(n, spacing, begin, end):
    whole = canvas((n,), ((max(begin, 0), max(end, 0)),), (spacing,))
    cropped = canvas((n,), ((begin, end),), (spacing,))
    kept = whole[max(-begin, 0) : len(whole) - max(-end, 0)]
    np.testing.assert_array_equal(cropped, kept if len(whole) > max(-begin, 0) + max(-end, 0) else kept[:0])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((4, 5))}, r"x has shape \(4, 5\): this operation needs \(5, 5\)"),
        ({"weight": np.zeros((3, 3, 1))}, "weight has shape"),
        ({"x": np.full((5, 5), "a")}, "x holds <U1: give integers or floats"),
        ({"x": np.full((5, 5), np.nan)}, "x holds nan or infinity"),
        ({"weight": np.full((3, 3), 1j)}, "weight holds complex128"),
        ({"x": [[1, 2], [3]]}, "x is ragged"),
        ({"x": np.full((5, 5), 10**19, object)}, "x holds 10000000000000000000: integers of at most .*; give floats"),
        ({"weight": [[-(10**30), 1, 1]] * 3}, "weight holds -10*: integers of at most"),
        ({"bias": np.array(None)}, "bias holds object: give integers or floats"),
        ({"bias": [1, 2]}, r"bias has shape \(2,\)"),
        ({"order": "backwards"}, 'order is "backwards": give "gather" or "scatter"'),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(arrays, said):
    with pytest.raises(ConvvizError, match=said):
        trace(Conv(5, 3), **arrays)
