"""Laws that hold for every operation, whatever its parameters: the algebra, the sizes, the geometry and the words."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from convviz import CASES, AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, Operation, animate, trace
from convviz.cli import main
from convviz.describe import alt_text, facts, report
from convviz.ops import OPERATIONS
from convviz.spec import command, parse_case, parse_operation, show_parameters
from convviz.windows import INSERTED

LINEAR = (Conv, ConvTranspose, AveragePool)
FEW = settings(max_examples=150)


@st.composite
def operations(draw: Any, kinds: tuple[type[Operation], ...] = tuple(OPERATIONS.values()), copies: bool = True) -> Any:
    """Any operation, every parameter free; one that cannot be is made possible by leaving its padding out."""
    kind = draw(st.sampled_from(kinds))
    axes = draw(st.sampled_from([1, 2]))

    def sizes(least: int, most: int) -> Any:
        return tuple(draw(st.integers(least, most)) for _ in range(axes))

    given: dict[str, Any] = {"stride": sizes(1, 4)}
    end = st.integers(0, 3)
    if kind in (Conv, ConvTranspose):
        given["groups"] = groups = draw(st.sampled_from([1, 1, 2]))
        given["in_channels"] = groups * draw(st.sampled_from([1, 1, 2]))
        given["out_channels"] = groups * draw(st.sampled_from([1, 1, 3]))
    else:
        given["ceil_mode"] = draw(st.booleans())
        given["channels"] = draw(st.integers(1, 3))
        end = st.integers(0, 1)
    if kind is not AveragePool:
        given["dilation"] = sizes(1, 3)
    if kind is AveragePool:
        given["count_include_pad"] = draw(st.booleans())
    if kind is ConvTranspose:
        most = [max(s, d) - 1 for s, d in zip(given["stride"], given["dilation"], strict=True)]
        given["output_padding"] = tuple(draw(st.integers(0, n)) for n in most)
    if kind is Conv and copies:
        given["padding_mode"] = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    words = st.sampled_from(["valid", "same", "same_lower", "full"])
    padding = draw(st.one_of(st.tuples(*[st.tuples(end, end)] * axes), words))
    size, kernel = sizes(1, 6), sizes(1, 4)
    for attempt in ({"padding": padding}, {"padding": 0}):
        try:
            return kind(size, kernel, **given, **attempt)
        except ConvvizError:
            continue
    return kind(tuple(n + 12 for n in size), kernel, **given)


def arrays(op: Operation, seed: int) -> dict[str, Any]:
    """Whole numbers for x, the weight and the bias, of which every sum is exact."""
    random = np.random.default_rng(seed)
    channels = op.in_channels > 1 or op.out_channels > 1
    found = {"x": random.integers(-9, 10, (op.in_channels,) * channels + op.input_size)}
    if isinstance(op, Conv | ConvTranspose):
        outer = (op.out_channels, op.in_channels) if isinstance(op, Conv) else (op.in_channels, op.out_channels)
        shape = (outer[0], outer[1] // op.groups) * channels
        found["weight"] = random.integers(-9, 10, (*shape, *op.kernel_size))
        found["bias"] = random.integers(-9, 10, op.out_channels)
    return found


SEEDS = st.integers(0, 2**32 - 1)


@FEW
@given(operations(LINEAR), SEEDS)
def test_gather_scatter_and_the_matrix_are_one(op: Operation, seed: int) -> None:
    given = arrays(op, seed)
    gather, scatter = trace(op, **given), trace(op, **given, order="scatter")
    bias = given.get("bias", np.zeros(op.out_channels, int))
    np.testing.assert_array_equal(gather.output, scatter.output)
    for traced in (gather, scatter):
        product = (traced.matrix() @ given["x"].reshape(-1)).reshape(op.out_channels, -1) + bias[:, np.newaxis]
        np.testing.assert_allclose(product.reshape(gather.output.shape), gather.output, rtol=0, atol=1e-12)
    steps = np.stack([np.reshape(step.value, -1) for step in gather], axis=-1)
    np.testing.assert_array_equal(steps.reshape(gather.output.shape), gather.output)
    sums = np.stack([np.reshape(np.sum(step.products, axis=-1), -1) for step in gather], axis=-1)
    np.testing.assert_allclose((sums + bias[:, np.newaxis]).reshape(gather.output.shape), gather.output, atol=1e-12)


@FEW
@given(operations((Conv, ConvTranspose), copies=False), SEEDS)
def test_the_transposed_operation_is_the_adjoint(op: Operation, seed: int) -> None:
    """<C x, y> = <x, C^T y>, with one weight for both."""
    back = op.transposed()
    if back is None:  # an output_padding of a stride or more
        return
    given = arrays(op, seed)
    x, weight = given["x"], given["weight"]
    y = np.random.default_rng(seed + 1).integers(-9, 10, trace(op, x, weight).output.shape)
    there = int((trace(op, x, weight).output * y).sum())
    assert there == int((x * trace(back, y, weight).output).sum())
    assert there == int((x * trace(back, y, weight, order="scatter").output).sum())


@FEW
@given(operations(LINEAR), SEEDS, st.integers(-5, 5), st.integers(-5, 5))
def test_it_is_linear(op: Operation, seed: int, a: int, b: int) -> None:
    one, other = arrays(op, seed), arrays(op, seed + 1)
    weight = {"weight": one["weight"]} if "weight" in one else {}
    mixed = trace(op, a * one["x"] + b * other["x"], **weight).output
    apart = a * trace(op, one["x"], **weight).output + b * trace(op, other["x"], **weight).output
    np.testing.assert_allclose(mixed, apart, rtol=0, atol=1e-9)
    if weight:
        both = trace(op, one["x"], one["weight"] + other["weight"]).output
        np.testing.assert_array_equal(
            both, trace(op, one["x"], one["weight"]).output + trace(op, one["x"], other["weight"]).output
        )


@FEW
@given(operations((MaxPool,)), SEEDS, st.integers(-5, 5), st.integers(1, 5))
def test_a_maximum_moves_and_grows_with_its_input(op: MaxPool, seed: int, added: int, factor: int) -> None:
    x = arrays(op, seed)["x"]
    np.testing.assert_array_equal(trace(op, x * factor + added).output, trace(op, x).output * factor + added)


@FEW
@given(operations((Conv,), copies=False))
def test_the_transposed_size_inverts_the_direct_one_with_the_output_padding_that_describe_tells(op: Conv) -> None:
    told = facts(op)["transposed"]
    back = parse_operation(told["operation"], told["parameters"])
    assert list(back.output_size) == told["output_size"] == list(op.input_size)
    assert back.input_size == op.output_size
    assert back.transposed() == op
    # Every input size that floors to the same output has one of the stride's output paddings.
    same = [Fraction(extra) for extra in back.output_padding]
    assert all(0 <= extra < s for extra, s in zip(same, op.stride, strict=True))


def source(op: Operation, axis: int, place: int) -> int | None:
    """The input's cell at ``place``, counted from its first cell along an axis, or None where there is none."""
    n = op.input_size[axis]
    if 0 <= place < n:
        return place
    if op.padding_mode == "zeros":
        return None
    if op.padding_mode == "replicate":
        return min(max(place, 0), n - 1)
    if op.padding_mode == "circular":
        return place % n
    place = abs(place)
    return place if place < n else 2 * (n - 1) - place


def linked(op: Operation, target: tuple[int, ...], tap: tuple[int, ...]) -> int | None:
    """The input's cell that reaches an output's cell through a tap, by the definition of the operation."""
    cells = []
    for axis, (o, t) in enumerate(zip(target, tap, strict=True)):
        s, d, (begin, _) = op.stride[axis], op.dilation[axis], op.padding[axis]
        if isinstance(op, ConvTranspose):  # y[c*s + t*d - p] += w[t] * x[c]
            c, rest = divmod(o + begin - t * d, s)
            cell = c if rest == 0 and 0 <= c < op.input_size[axis] else None
        else:  # y[o] = sum of w[t] * x[o*s + t*d - p]
            cell = source(op, axis, o * s + t * d - begin)
        if cell is None:
            return None
        cells.append(cell)
    return int(np.ravel_multi_index(cells, op.input_size))


@FEW
@given(operations())
def test_each_link_is_where_the_definition_puts_it(op: Operation) -> None:
    expected = []
    for target in np.ndindex(*op.output_size):
        for tap in np.ndindex(*op.kernel_size):
            cell = linked(op, target, tap)
            if cell is not None:
                to, through = np.ravel_multi_index(target, op.output_size), np.ravel_multi_index(tap, op.kernel_size)
                expected.append((cell, int(through), int(to)))
    for order in ("gather",) if isinstance(op, MaxPool) else ("gather", "scatter"):
        traced = trace(op, order=order)
        reads, writes = traced.reads, traced.writes
        real = (reads >= 0) & (writes >= 0)
        taps = np.broadcast_to(traced.taps, reads.shape)
        table = zip(reads[real].tolist(), taps[real].tolist(), writes[real].tolist(), strict=True)
        assert sorted(table) == sorted(expected)
        for step in traced:
            np.testing.assert_array_equal(step.reads, reads[step.index])
            np.testing.assert_array_equal(step.writes, writes[step.index])


@FEW
@given(operations())
def test_the_words_agree_with_the_trace(op: Operation) -> None:
    told = facts(op)
    assert json.loads(json.dumps(told)) == told
    assert report(op).splitlines()[0].endswith("×".join(map(str, op.output_size)))
    for order in ("gather",) if isinstance(op, MaxPool) else ("gather", "scatter"):
        traced = trace(op, order=order)
        said = alt_text(op, order)
        assert told["steps"][order] == len(traced)
        assert said.endswith(f"in {len(traced)} step{'s' * (len(traced) > 1)}.")
        for size in (op.input_size, op.output_size):
            assert ("×".join(map(str, size)) if len(size) == 2 else f"{size[0]}-cell") in said
        if order == "gather":
            pulled = any(n > 1 and s > 1 for n, s in zip(op.input_size, traced.layout.spacing, strict=True))
            assert ("inserted" in said) == pulled
            assert pulled or not (traced.canvas == INSERTED).any()
            assert ("of padding" in said) == any(
                map(any, op.gather.padding if isinstance(op, ConvTranspose) else op.padding)
            )
    assert told["output_size"] == list(trace(op).output.shape[-len(op.output_size) :])
    for axis, line in enumerate(told["formula"]):
        left, result = line.split(" = ")[0], line.rsplit(" = ", 1)[1]
        assert int(result) == op.output_size[axis]
        if isinstance(op, Conv | ConvTranspose):
            assert eval(left, {"floor": lambda x: x // 1}) == op.output_size[axis]


@FEW
@given(operations(LINEAR))
def test_describe_counts_the_matrix_as_it_is(op: Operation) -> None:
    channels = op.in_channels > 1 or op.out_channels > 1
    weight = {}
    if isinstance(op, Conv | ConvTranspose):
        weight["weight"] = np.ones_like(arrays(op, 0)["weight"])
    matrix = trace(op, np.ones((op.in_channels,) * channels + op.input_size), **weight).matrix()
    told = facts(op)["matrix"]
    assert told["shape"] == list(matrix.shape)
    assert told["nonzeros"] == np.count_nonzero(matrix)
    assert told["sparsity"] == pytest.approx(1 - np.count_nonzero(matrix) / matrix.size)


@FEW
@given(operations())
def test_parameters_and_json_make_the_round_trip(op: Operation) -> None:
    assert parse_operation(op.name, show_parameters(op)) == op
    told = json.loads(json.dumps(facts(op)))
    assert parse_operation(told["operation"], told["parameters"]) == op
    assert hash(parse_case(op.name, told["parameters"]).op) == hash(op)
    assert eval(repr(op), {kind.__name__: kind for kind in OPERATIONS.values()}) == op


@settings(max_examples=25)
@given(op=operations())
def test_the_command_line_reads_the_command_that_it_prints(op: Operation) -> None:
    import contextlib
    import io

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["describe", *command(op).split(), "--json"]) == 0
    assert json.loads(said.getvalue()) == json.loads(json.dumps(facts(op)))


@pytest.mark.parametrize("name", CASES)
def test_a_case_survives_its_name_its_parameters_and_json(name: str) -> None:
    case = CASES[name]
    assert parse_case(name, {}) == case
    assert parse_case(name, show_parameters(case.op)) == case
    told = json.loads(json.dumps(facts(case.op)))
    assert parse_operation(told["operation"], told["parameters"]) == case.op
    picture = animate(name)
    assert picture.trace.op == case.op
    op, shown = case.op, [len(picture.trace)]
    if case.with_transposed:
        shown.append(len(trace(op.transposed())))
    if case.order == "both":  # and a last frame that says that they agree
        shown = [max(len(trace(op)), len(trace(op, order="scatter"))) + 1]
    assert len(picture) == max(shown)
    assert picture.alt_text


@pytest.mark.parametrize("stride", [2, 3, 7, 1000])
def test_a_formula_with_large_numbers_is_exact(stride: int) -> None:
    op = Conv((9_999_999,), (2,), stride=(stride,))
    [line] = facts(op)["formula"]
    inner = re.search(r"= floor\((\S+)\)", line)
    assert inner
    assert int(Fraction(inner[1])) == (9_999_999 - 2) // stride == op.output_size[0] - 1
    assert abs(Fraction(inner[1]) - Fraction(9_999_997, stride)) < Fraction(1, 100)
    assert prod(op.output_size) == facts(op)["steps"]["gather"]


@FEW
@given(operations((Conv,)), SEEDS)
def test_scipys_correlation_of_the_padded_input_is_the_convolution(op: Conv, seed: int) -> None:
    given = arrays(op, seed)
    modes = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    size = (1, *op.input_size)[-2:]
    x = np.asarray(given["x"]).reshape(op.in_channels, *size)
    weight = np.asarray(given["weight"]).reshape(op.out_channels, -1, *(1, *op.kernel_size)[-2:])
    padding = (((0, 0), *op.padding)[-2:]) if len(op.padding) == 1 else op.padding
    (down, across), (dy, dx) = (1, *op.stride)[-2:], (1, *op.dilation)[-2:]
    spread = np.zeros((*weight.shape[:2], dy * (weight.shape[2] - 1) + 1, dx * (weight.shape[3] - 1) + 1), int)
    spread[:, :, ::dy, ::dx] = weight
    each = op.in_channels // op.groups
    for m in range(op.out_channels):
        first = m // (op.out_channels // op.groups) * each
        padded = [np.pad(x[first + c], padding, mode=modes[op.padding_mode]) for c in range(each)]
        total = sum(correlate2d(padded[c], spread[m, c], "valid") for c in range(each)) + given["bias"][m]
        got = trace(op, **given).output.reshape(op.out_channels, *op.output_size)[m]
        np.testing.assert_array_equal(total[::down, ::across].reshape(op.output_size), got)
