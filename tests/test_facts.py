"""What `describe` says of the algebra, against the matrix and the table themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import operations
from test_padding_mode import padded
from test_pool import pools

from convviz import AveragePool, Conv, ConvTranspose, MaxPool, animate, trace
from convviz.cli import main
from convviz.describe import a, alt_text, facts, formula, matrix, overlap, receptive_field, report, smaller, step_text

ANY = st.one_of(operations(), operations(channels=True), padded(), padded(channels=True), pools(), pools())


def ones(op):
    """A trace whose weights are all one, so that nothing cancels."""
    if isinstance(op, MaxPool | AveragePool):
        return trace(op)
    return trace(op, weight=np.ones(trace(op).weight.shape, int))


@settings(max_examples=400, deadline=None)
@given(ANY)
def test_the_matrix_is_counted_as_it_is_built(op):
    told = matrix(op)
    if isinstance(op, MaxPool):
        assert told is None
        return
    built = ones(op).matrix()
    assert told["shape"] == list(built.shape)
    assert told["nonzeros"] == np.count_nonzero(built)
    assert told["sparsity"] == pytest.approx(np.mean(built == 0))


def test_the_matrix_of_the_largest_layer_is_counted_without_walking_over_it():
    # Counted by hand: each of the steps has all of the taps on the input.
    op = Conv(2**31 - 1, 10**9, stride=3, dilation=2)
    assert op.output_size == (49_161_217,) * 2
    assert matrix(op)["nonzeros"] == (49_161_217 * 10**9) ** 2


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_copied_padding_is_counted_as_the_table_links_it(mode):
    for k, s, d in product(range(1, 6), range(1, 5), range(1, 5)):
        for i, begin, end in [(6, 5, 5), (6, 0, 3), (5, 4, 1), (2, 1, 1), (1, 0, 0), (13, 2, 0)]:
            if i + begin + end > d * (k - 1):
                op = Conv((i,), k, s, ((begin, end),), d, padding_mode=mode)
                linked = sum(len(set(reads.tolist())) for reads in trace(op).reads)
                assert matrix(op)["nonzeros"] == linked, op


def test_copied_padding_is_counted_without_its_table():
    # Counted by hand: the kernel is as long as the input, and so each of the windows has all of its cells.
    op = Conv(10**6, 10**6, padding=100, padding_mode="circular")
    assert matrix(op)["nonzeros"] == (201 * 10**6) ** 2


@settings(max_examples=600, deadline=None)
@given(ANY)
def test_the_overlap_is_what_the_links_count(op):
    traced = trace(op, order="scatter") if isinstance(op, ConvTranspose) else trace(op)
    links, cells = (traced.writes, op.output_size) if isinstance(op, ConvTranspose) else (traced.reads, op.input_size)
    counts = np.bincount(links[links >= 0], minlength=prod(cells))
    told = overlap(op)
    assert (told["minimum"], told["maximum"]) == (counts.min(), counts.max())


@settings(max_examples=300, deadline=None)
@given(operations())
def test_an_even_overlap_is_even_away_from_the_borders(op):
    # Room for every residue, after cells that no border has a part in.
    border = [d * k for d, k in zip(op.dilation, op.kernel_size, strict=True)]
    cells = tuple(2 * n + 2 * s for n, s in zip(border, op.stride, strict=True))
    traced = trace(type(op)(cells, op.kernel_size, op.stride, 0, op.dilation))
    direct = isinstance(op, Conv)
    links, size = (traced.reads, cells) if direct else (traced.writes, traced.op.output_size)
    if not direct:
        links = np.where(traced.reads >= 0, links, -1)
    counts = np.bincount(links[links >= 0], minlength=prod(size)).reshape(size)
    inside = counts[tuple(slice(n, n + s) for n, s in zip(border, op.stride, strict=True))]
    assert overlap(op)["even"] == (inside.min() == inside.max())


def test_words_of_the_overlap():
    def line(op):
        return next(row[len("receptive field  ") :] for row in report(op).splitlines() if row.startswith("overlap"))

    checked = "1 to 4 stamps a cell, uneven: kernel 3 is not a multiple of stride 2 (checkerboard)"
    assert line(ConvTranspose(5, 3, stride=2, padding=1)) == checked
    assert line(ConvTranspose(5, 4, stride=2)) == "1 to 4 stamps a cell, even but for the borders"
    assert line(ConvTranspose(5, 2, stride=2)) == "1 stamp a cell, even"
    assert line(ConvTranspose(5, 1, stride=2)).startswith("0 to 1 stamps a cell, uneven: kernel 1 ")
    assert line(ConvTranspose((5,), 3, stride=2)).endswith("of stride 2 (stripes)")
    assert line(ConvTranspose(5, (3, 4), stride=2)).endswith("of stride 2 (stripes)")
    shared = line(ConvTranspose(5, 4, stride=2, dilation=2))
    assert "uneven: stride 2 and dilation 2 share the factor 2" in shared
    assert line(ConvTranspose(1, 3, stride=2)).startswith("1 stamp a cell, on a larger input uneven: ")
    assert line(MaxPool(6, 2)) == "1 window reads a cell, even"
    assert line(Conv(6, 3, stride=2, padding=1)).startswith("1 to 4 windows read a cell, uneven: kernel 3 is not")


def test_the_overlap_of_the_largest_layer_is_counted_without_walking_over_it():
    op = ConvTranspose(10**6, 10**6 + 1, stride=1000, dilation=999)
    # A cell in the middle is reached by every 1000th tap: by 1001 of them where the first of all is one.
    assert overlap(op) == {"minimum": 0, "maximum": 1001**2, "even": False}
    assert overlap(ConvTranspose(3 * 10**8, 6, stride=2, padding=4)) == {"minimum": 9, "maximum": 9, "even": True}


@settings(max_examples=300, deadline=None)
@given(operations())
def test_the_receptive_field_is_what_an_output_can_reach(op):
    # Room around, so that the borders cut nothing off.
    wide = [sum(n) for n in zip(receptive_field(op), (20,) * len(op.stride), strict=True)]
    keywords = {"padding": 0, "dilation": op.dilation, "stride": op.stride}
    traced = trace(type(op)(tuple(wide), op.kernel_size, **keywords))
    spans = np.zeros(len(wide), int)
    for reads in traced.reads:
        cells = np.unravel_index(reads[reads >= 0], wide)
        if len(cells[0]):
            spans = np.maximum(spans, [axis.max() - axis.min() + 1 for axis in cells])
    assert tuple(spans) == receptive_field(op)


@settings(max_examples=300, deadline=None)
@given(ANY)
def test_facts_are_json_and_the_report_says_the_same(op):
    told = facts(op)
    assert json.loads(json.dumps(told)) == told
    assert told["output_size"] == list(op.output_size)
    assert all(line.endswith(f"= {n}") for line, n in zip(formula(op), op.output_size, strict=False))
    text = report(op)
    assert text.count("\n") >= 6
    assert told["alt_text"] in text
    if told["matrix"]:
        rows, columns = told["matrix"]["shape"]
        # The matrix view draws C, which is that of the convolution.
        transposed = ", the Cᵀ of its convolution's C" if told.get("direct") else ""
        assert f"{rows} × {columns}{transposed}, {told['matrix']['nonzeros']} of its {rows * columns} entries" in text
    for order, steps in told["steps"].items():
        if steps is not None:
            traced = trace(op, order=order)
            assert len(traced) == steps
            assert f"{steps} step" in alt_text(op, order)
            assert step_text(traced, steps - 1).startswith(f"step {steps} of {steps}: ")


def test_nothing_is_built_to_count_a_matrix():
    told = matrix(Conv(10**6, 3, padding=1))
    assert told["shape"] == [10**12, 10**12]
    assert told["nonzeros"] == (3 * 10**6 - 2) ** 2
    assert told["sparsity"] == pytest.approx(1)
    assert matrix(Conv(2**31 - 1, 2**31 - 1))["nonzeros"] == (2**31 - 1) ** 2


def test_words_of_each_operation():
    assert "its greatest value goes to a 2×2 output in 4 steps" in alt_text(MaxPool(5, 2))
    assert "1 cell of padding around it, runs 1 cell past the end, and" in alt_text(MaxPool(6, 3, 2, 1, ceil_mode=True))
    assert "stamps its share onto an 8×8 output" in alt_text(AveragePool(10, 3, 1), "scatter")
    assert "2 cells of padding (circular) around it" in alt_text(Conv(5, 3, padding=2, padding_mode="circular"))
    padded_text = alt_text(Conv(5, 3, padding=1, padding_mode="reflect"), "scatter")
    assert "each cell of a 5×5 input with 1 cell of padding (reflect) around it stamps the kernel" in padded_text
    assert "in 49 steps" in padded_text
    assert "channels 3" in alt_text(MaxPool(5, 2, channels=3))
    assert [a((n, 2)).split()[0] for n in (7, 8, 11, 18, 80, 110, 118, 1100, 11000)] == [
        "a", "an", "an", "an", "an", "a", "a", "a", "an",
    ]  # fmt: skip


def test_the_alt_text_says_what_is_seen():
    def told(*arguments, **keywords):
        return animate(*arguments, **keywords).alt_text.split("): ")[-1]

    conv, turned = Conv(4, 3), ConvTranspose(2, 3)
    slides = "the window slides over a 4×4 input, and fills a 2×2 output in 4 steps"
    assert told(conv) == f"{slides}."
    numbers = "the numbers in the cells and the sum of each step written out"
    assert told(conv, view="grid") == f"{slides}, with {numbers}."
    assert "with symbols in the cells and the sum" in told(conv, view="grid", labels="symbols")
    assert told(MaxPool(4, 2), view="grid").endswith("and the greatest value of each step written out.")
    lit = "each with the {} of the 4×16 matrix C lit that {}."
    by_row, by_column = lit.format("row", "gives one cell of y"), lit.format("column", "one cell of x is multiplied by")
    assert told(conv, view="matrix") == f"a 4×4 input x becomes a 2×2 output y = C x in 4 steps, {by_row}"
    assert told(conv, view="matrix", order="scatter").endswith(f"y = C x in 16 steps, {by_column}")
    assert told(turned, view="matrix").endswith(f"y = Cᵀ x in 16 steps, {by_row.replace('row', 'column')}")
    assert told(turned, view="matrix", order="scatter").endswith(f"in 4 steps, {by_column.replace('column', 'row')}")


def test_pictures_side_by_side_are_told_in_one_sentence():
    for keywords in ({"view": "stack,grid"}, {"order": "both"}, {"with_transposed": True}, {"view": "grid,matrix"}):
        text = animate(Conv(5, 3, 2, 1), **keywords).alt_text
        assert text.startswith("Animation of a convolution (kernel 3×3, stride 2, padding 1)")
        assert text.count("Animation") == text.count(".") == text.count("2 pictures side by side: ") == 1, text
    both = animate(Conv(5, 3, 2, 1), order="both", with_transposed=True).alt_text
    assert " and a transposed convolution (kernel 3×3, stride 2, padding 1), 4 pictures side by side: " in both
    assert both.count("; ") == 3


def test_jump_and_leftover():
    assert facts(ConvTranspose(4, 3, stride=(2, 4)))["jump"] == [0.5, 0.25]
    assert facts(Conv(8, 3, stride=3))["leftover"] == [2, 2]
    assert facts(AveragePool(6, 3, 2, 1, ceil_mode=True))["leftover"] == [-1, -1]
    assert facts(MaxPool(6, 3))["transposed"] is None
    assert "2 rows or columns at the end of the input are not read" in report(Conv(8, 3, stride=3))
    assert "the last windows run 1 cell past the end" in report(MaxPool(6, 3, 2, 1, ceil_mode=True))
    assert prod(facts(MaxPool(6, 3))["output_size"]) == facts(MaxPool(6, 3))["steps"]["gather"]


@settings(max_examples=300, deadline=None)
@given(ANY, st.integers(0, 50))
def test_a_smaller_one_is_of_the_same_kind(op, more):
    large = replace(op, input_size=tuple(i + more for i in op.input_size))
    small = smaller(large)
    assert smaller(small) == small
    kept = {"kernel_size", "stride", "padding", "dilation", "output_padding", "padding_mode", "ceil_mode"}
    for name in kept:
        assert getattr(small, name, None) == getattr(large, name, None)
    assert (small.in_channels, small.out_channels, small.groups) == (1, 1, 1)
    for i, most, steps, all_steps in zip(
        small.input_size, large.input_size, small.gather.steps, large.gather.steps, strict=True
    ):
        assert i <= most
        assert steps >= min(all_steps, 3)
    if isinstance(op, ConvTranspose):
        crop = [sum(pair) for pair in op.padding]
        assert all(i <= 3 + c for i, c in zip(small.input_size, crop, strict=True))
    else:
        assert small.leftover == large.leftover
        room = [2 * sum(pair) for pair in op.padding]  # copied padding needs as much input
        assert all(n <= 3 + r for n, r in zip(small.output_size, room, strict=True))


def test_what_is_too_large_is_drawn_smaller(capsys):
    def told(words):
        assert main(["describe", *words.split()]) == 0
        rows = [row.split(maxsplit=1) for row in capsys.readouterr().out.splitlines()]
        assert main(["describe", *words.split(), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        lines = {name: text for name, text in rows[1:] if name in ("command", "smaller")}
        none = {"command": "none: too large to be drawn"}
        assert lines == ({name: found[name] for name in ("command", "smaller") if found[name]} or none)
        return [found["command"], found["smaller"]]

    full, small = told("conv-transpose -i 16 -k 4 -s 2 -p 1 --in-channels 64 --out-channels 32")
    assert full.startswith("convviz render conv-transpose -i 16 -k 4 -s 2 -p 1 --in-channels 64")
    assert small == "convviz render conv-transpose -i 3 -k 4 -s 2 -p 1 -o conv-transpose.gif"
    assert told("conv -i 224 -k 7 -s 2 -p 3 --in-channels 3 --out-channels 64") == [
        None, "convviz render conv -i 6 -k 7 -s 2 -p 3 -o conv.gif",
    ]  # fmt: skip
    assert told("conv -i 5 -k 3") == ["convviz render conv -i 5 -k 3 -o conv.gif", None]
    assert told("max-pool -i 200, -k 2")[1] == "convviz render max-pool -i 6, -k 2 -o max-pool.gif"
    assert told("conv -i 9000 -k 4000 --in-channels 3") == [None, None]
