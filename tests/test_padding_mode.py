"""Padding that copies the input, against an input that was padded beforehand."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import check_texts

from convviz import THEMES, Conv, ConvvizError, trace
from convviz.cells import PADDING
from convviz.spec import parse_operation, show_parameters
from convviz.views import grid, stack
from convviz.views._planes import sheets

NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@st.composite
def padded(draw, channels=False):
    """A convolution with a padding_mode, and as much padding as the mode takes."""
    ndim = draw(st.sampled_from([1, 2]))
    mode = draw(st.sampled_from(["reflect", "replicate", "circular"]))
    size = draw(st.tuples(*[st.integers(1, 6)] * ndim))
    most = [{"reflect": i - 1, "circular": i, "replicate": 7}[mode] for i in size]
    padding = tuple(draw(st.tuples(st.integers(0, p), st.integers(0, p))) for p in most)
    room = [i + sum(pair) for i, pair in zip(size, padding, strict=True)]
    dilation = draw(st.tuples(*[st.integers(1, 3)] * ndim))
    kernel = tuple(draw(st.integers(1, min(4, (n - 1) // d + 1))) for n, d in zip(room, dilation, strict=True))
    groups = draw(st.sampled_from([1, 2])) if channels else 1
    return Conv(
        size, kernel, draw(st.tuples(*[st.integers(1, 3)] * ndim)), padding, dilation, padding_mode=mode,
        groups=groups, in_channels=2 * groups if channels else 1, out_channels=groups * 3 if channels else 1,
    )  # fmt: skip


def copied(op, plane):
    return np.pad(plane, op.padding, mode=NUMPY[op.padding_mode])


@settings(max_examples=300, deadline=None)
@given(padded(), st.integers(0, 2**32 - 1))
def test_copied_padding_is_an_input_that_was_padded_before(op, seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.integers(-9, 10, op.input_size), rng.integers(-9, 10, op.kernel_size)
    before = copied(op, x)
    expected = trace(Conv(before.shape, op.kernel_size, op.stride, 0, op.dilation), before, weight).output
    for order in ("gather", "scatter"):
        traced = trace(op, x, weight, order=order)
        np.testing.assert_array_equal(traced.output, expected)
        np.testing.assert_array_equal(traced.matrix() @ x.ravel(), expected.ravel())
        total = np.zeros(expected.size, int)
        for step in traced:
            kept = (step.reads >= 0) & (step.writes >= 0)
            np.testing.assert_array_equal(step.values[kept], x.ravel()[step.reads[kept]])
            np.add.at(total, step.writes[kept], step.products[kept])
        np.testing.assert_array_equal(total, expected.ravel())


@settings(max_examples=100, deadline=None)
@given(padded(channels=True))
def test_channels_share_the_copied_cells(op):
    gather, scatter = trace(op), trace(op, order="scatter")
    before = np.stack([copied(op, plane) for plane in gather.x])
    plain = Conv(before.shape[1:], op.kernel_size, op.stride, 0, op.dilation,
                 in_channels=op.in_channels, out_channels=op.out_channels, groups=op.groups)  # fmt: skip
    expected = trace(plain, before, gather.weight).output
    np.testing.assert_array_equal(gather.output, expected)
    np.testing.assert_array_equal(scatter.output, expected)


@settings(max_examples=200, deadline=None)
@given(padded())
def test_every_cell_of_padding_knows_the_cell_that_it_copies(op):
    cells = np.arange(prod(op.input_size)).reshape(op.input_size)
    gather, scatter = trace(op), trace(op, order="scatter")
    np.testing.assert_array_equal(gather.canvas, copied(op, cells))
    np.testing.assert_array_equal(scatter.cells, gather.canvas)
    assert len(scatter) == prod(op.padded_size)
    for step in scatter:
        assert step.value == gather.x.ravel()[gather.canvas[step.position]]
    # The views still show it as padding: the kinds are those of zeros, but for what no window covers.
    inside = tuple(slice(begin, begin + i) for (begin, _), i in zip(op.padding, op.input_size, strict=True))
    border = np.ones(gather.canvas.shape, bool)
    border[inside] = False
    below = sheets(scatter)[0]
    np.testing.assert_array_equal(below.kinds.reshape(border.shape) == PADDING, border)
    np.testing.assert_array_equal(below.indices.reshape(border.shape), gather.canvas)
    below = sheets(gather)[0]
    assert not (below.kinds.reshape(border.shape) == PADDING)[inside].any()
    np.testing.assert_array_equal(below.indices.reshape(border.shape), gather.canvas)


@given(padded())
def test_text_and_back_is_the_same_operation(op):
    assert parse_operation(op.name, show_parameters(op)) == op


def test_a_worked_example():
    row = {mode: trace(Conv((3,), 1, padding=((2, 2),), padding_mode=mode), [1, 2, 3], [1]).output for mode in NUMPY}
    assert row["zeros"].tolist() == [0, 0, 1, 2, 3, 0, 0]
    assert row["reflect"].tolist() == [3, 2, 1, 2, 3, 2, 1]
    assert row["replicate"].tolist() == [1, 1, 1, 2, 3, 3, 3]
    assert row["circular"].tolist() == [2, 3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Conv(5, 3, padding=1, padding_mode="mirror"), 'padding_mode is "mirror": give zeros, reflect'),
        (lambda: Conv(3, 3, padding=3, padding_mode="reflect"), 'padding is 3: padding_mode "reflect" takes at most 2'),
        (lambda: Conv(3, 3, padding=4, padding_mode="circular"), '"circular" takes at most 3 for an input of 3'),
        (lambda: Conv(5, 3, padding=1, padding_mode="reflect").transposed(), 'padding_mode is "reflect": there is'),
    ],
)
def test_what_cannot_be_is_refused(make, said):
    with pytest.raises(ConvvizError, match=said):
        make()


PICTURED = [
    Conv(4, 3, padding=1, padding_mode="reflect"),
    Conv((3, 5), (3, 2), padding=((1, 2), (0, 1)), padding_mode="replicate"),
    Conv(4, 3, stride=2, padding=2, padding_mode="circular"),
]


@pytest.mark.parametrize("order", ["gather", "scatter"])
@pytest.mark.parametrize("op", PICTURED, ids=str)
def test_the_numbers_in_padding_say_where_they_came_from(op, order):
    traced = trace(op, order=order)
    frames = grid.frames(traced, THEMES["light"])
    canvas = trace(op).canvas
    inside = tuple(slice(begin, begin + n) for (begin, _), n in zip(op.padding, op.input_size, strict=True))
    border = np.ones(canvas.shape, bool)
    border[inside] = False
    read = sheets(traced)[0]
    wanted = {
        (row, column): "[{},{}]".format(*np.unravel_index(canvas[row, column], op.input_size))
        for row, column in np.argwhere(border & (read.kinds == PADDING)).tolist()
    }
    for t in (0, len(frames) - 1):
        texts = [text for text, _ in check_texts(frames.frame(t)) if text.role == "origin"]
        # From left to right and downwards, as the cells are.
        texts.sort(key=lambda text: (round(text.box[1], 3), round(text.box[0], 3)))
        assert [text.text for text in texts] == [wanted[place] for place in sorted(wanted)]


def test_where_there_is_no_room_for_places_the_grid_frames_the_cells_that_are_copied():
    traced = trace(Conv(9, 3, padding=4, padding_mode="reflect"))
    frames = grid.frames(traced, THEMES["light"], narrow=True)
    assert not [text for text in frames.frame(0).shapes if text.role == "origin"]
    (frame,) = [shape for shape in frames.frame(0).shapes if shape.role == "copied"]
    # The first window stands on padding alone: it copies rows and columns 2 to 4.
    assert len(frame.points) == 9
    middle = frames.frame(len(frames) // 2)
    assert not [shape for shape in middle.shapes if shape.role == "copied"]


@pytest.mark.parametrize("order", ["gather", "scatter"])
@pytest.mark.parametrize("op", PICTURED, ids=str)
def test_the_stack_frames_the_cells_that_the_padding_of_a_step_copies(op, order):
    traced = trace(op, order=order)
    frames = stack.frames(traced, THEMES["light"])
    plane = stack.layout(traced).levels[0][0]
    canvas, begin = trace(op).canvas, np.array([pair[0] for pair in op.padding])
    several = 0
    for t, step in enumerate(traced):
        cells = [step.position]
        if order == "gather":
            taps = np.argwhere(np.ones(op.kernel_size)) * op.dilation
            cells = np.array(step.position) * op.stride + taps
        inside = [((cell >= begin) & (cell < begin + op.input_size)).all() for cell in np.array(cells)]
        copies = {int(canvas[tuple(cell)]) for cell, own in zip(cells, inside, strict=True) if not own}
        wanted = {tuple(begin + np.unravel_index(index, op.input_size)) for index in copies}
        frame = [s for layer in frames.layers if layer.kind == "moving" for s in layer.shapes(t) if s.role == "copied"]
        middles = np.concatenate([np.zeros((0, 2)), *(shape.points.mean(axis=1) for shape in frame)])
        expected = [plane.points(np.array(place) + 0.5) for place in sorted(wanted)]
        np.testing.assert_allclose(middles, np.reshape(expected, (-1, 2)), atol=1e-9)
        several += len(wanted)
    assert several
    assert "padding, copied" in {label for label, *_ in frames.legend}
