"""Channels and groups: the numbers against other programs' definitions, the picture against the trace."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal

from convviz import AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, animate, trace
from convviz.scene import Text
from convviz.views import stack

OPS = {
    "three to two": Conv(5, 3, padding=1, in_channels=3, out_channels=2),
    "strip": Conv((7,), 3, stride=2, padding=1, in_channels=2, out_channels=3),
    "many": Conv(4, 3, in_channels=64, out_channels=7),
    "groups": Conv((4, 6), (3, 2), dilation=(1, 2), in_channels=4, out_channels=6, groups=2),
    "depthwise": Conv(4, 3, padding=1, in_channels=3, out_channels=3, groups=3),
    "depthwise, many": Conv(5, 3, in_channels=16, out_channels=32, groups=16),
    "transposed": ConvTranspose(3, 3, stride=2, padding=1, in_channels=2, out_channels=3),
    "transposed groups": ConvTranspose((3, 2), 2, stride=2, in_channels=4, out_channels=2, groups=2),
    "maxima": MaxPool(5, 3, 2, 1, channels=2),
    "averages": AveragePool(6, 3, 2, 1, ceil_mode=True, channels=7),
    "one": Conv(4, 3),
}
RUNS = [(name, order) for name in OPS for order in ("gather", "scatter") if (name, order) != ("maxima", "scatter")]


def test_scipy_agrees_over_all_channels_at_once():
    rng = np.random.default_rng(5)
    x, weight, bias = rng.normal(size=(4, 7, 9)), rng.normal(size=(3, 4, 2, 3)), rng.normal(size=3)
    op = Conv((7, 9), (2, 3), in_channels=4, out_channels=3)
    expected = [scipy.signal.correlate(x, kernel, mode="valid")[0] for kernel in weight] + bias[:, None, None]
    for order in ("gather", "scatter"):
        np.testing.assert_allclose(trace(op, x, weight, bias, order).output, expected, atol=1e-12)


def test_a_depthwise_convolution_is_one_convolution_a_channel():
    rng = np.random.default_rng(6)
    x, weight = rng.integers(-9, 10, (3, 5, 6)), rng.integers(-9, 10, (6, 1, 3, 2))
    output = trace(Conv((5, 6), (3, 2), in_channels=3, out_channels=6, groups=3), x, weight).output
    for m in range(6):
        np.testing.assert_array_equal(output[m], scipy.signal.correlate2d(x[m // 2], weight[m, 0], mode="valid"))


def test_a_transposed_convolution_over_channels_is_a_sum_of_full_convolutions():
    rng = np.random.default_rng(7)
    x, weight = rng.integers(-9, 10, (4, 3, 5)), rng.integers(-9, 10, (4, 3, 2, 3))
    op = ConvTranspose((3, 5), (2, 3), stride=(2, 1), in_channels=4, out_channels=6, groups=2)
    apart = np.zeros((4, 5, 5), int)
    apart[:, ::2] = x  # zeros inserted by hand
    for m in range(6):
        group, place = divmod(m, 3)
        channels = range(2 * group, 2 * group + 2)
        expected = sum(scipy.signal.convolve2d(apart[c], weight[c, place]) for c in channels)
        np.testing.assert_array_equal(trace(op, x, weight).output[m], expected)


@pytest.mark.parametrize(("name", "order"), RUNS)
def test_a_step_sums_over_the_channels_of_its_group(name, order):
    op = OPS[name]
    traced = trace(op, order=order)
    total = np.zeros((op.out_channels, traced.output.size // op.out_channels))
    for step in traced:
        products = np.reshape(step.products, (op.out_channels, -1))
        if name == "maxima":
            total[:, step.index] = products[[0, 1], step.winner]
        else:
            kept = step.writes >= 0
            np.add.at(total, (slice(None), step.writes[kept]), products[:, kept])
    np.testing.assert_allclose(total.ravel(), traced.output.ravel(), atol=1e-9)


def shapes(frames, t, role):
    return [shape for shape in frames.frame(t).shapes if shape.role == role]


@pytest.mark.parametrize(("name", "order"), RUNS)
def test_the_window_stands_on_every_plane_and_the_cell_lights_on_every_other(name, order):
    traced = trace(OPS[name], order=order)
    frames = animate(traced).frames
    placed = stack.layout(traced)
    columns, levels = len(placed.groups), len(placed.levels)
    windowed = placed.read if order == "gather" else levels - placed.read
    for t in range(len(traced)):
        windows, cells, lines = (shapes(frames, t, role) for role in ("window", "current", "lines"))
        assert len(windows) == columns * windowed
        assert len(cells) == columns * (levels - windowed)
        assert len(lines) == columns * (levels - 1)
        # On each plane at the same place: what moves is the same but for where the plane lies.
        at, plane = traced[t], placed.levels[0 if order == "gather" else -1][0]
        for group in (windows, cells):
            first = group[0].points - group[0].points.reshape(-1, 2)[0]
            for shape in group:
                np.testing.assert_allclose(shape.points - shape.points.reshape(-1, 2)[0], first, atol=1e-9)
        corner = np.array((0, *at.corner)[-2:]) + plane.sheet.origin
        assert any(np.allclose(window.points.reshape(-1, 2)[0], plane.points(corner)) for window in windows)


@pytest.mark.parametrize("name", OPS)
def test_the_planes_of_a_column_rise_and_columns_stand_apart(name):
    op = OPS[name]
    placed = stack.layout(trace(op))
    for column in zip(*placed.levels, strict=True):
        assert [plane.sheet.written for plane in column] == [n >= placed.read for n in range(len(column))]
        rises = np.diff([plane.up for plane in column])
        assert (rises > 0).all()
        # Where channels are left out, and between what is read and what is written, nothing is covered.
        for n, (lower, upper) in enumerate(pairwise(column)):
            rows = lower.sheet.kinds.shape[0]
            assert (upper.up - lower.up >= rows * lower.cell) or not (placed.elided[n] or n == placed.read - 1)
    extents = []
    for column in zip(*placed.levels, strict=True):
        corners = np.concatenate([plane.corners() for plane in column])
        assert corners.min() >= 0
        assert (corners <= (placed.width, placed.height)).all()
        extents.append((corners[:, 0].min(), corners[:, 0].max()))
    assert all(before[1] < after[0] for before, after in pairwise(extents))
    size = max(placed.width, placed.height)
    assert size <= stack.LONGEST_SIDE * 1.05


@pytest.mark.parametrize("name", OPS)
def test_what_is_left_out_is_counted(name):
    op = OPS[name]
    traced = trace(op)
    placed = stack.layout(traced)
    left_out = {
        "groups": op.groups - len(placed.groups),
        "read": op.in_channels // op.groups - placed.read,
        "written": op.out_channels // op.groups - (len(placed.levels) - placed.read),
    }
    said = [words for _, _, words in placed.notes]
    expected = [f"{left_out['groups']} more groups"] if left_out["groups"] else []
    expected += [f"{left_out[side]} more" for side in ("read", "written") if left_out[side]] * len(placed.groups)
    assert sorted(said) == sorted(expected)
    assert all(len(level) == len(placed.groups) <= stack.MOST_PILED for level in placed.levels)
    for note in shapes(animate(traced).frames, 0, "note"):
        assert isinstance(note, Text)
        left, top, right, bottom = note.extent
        assert left > 0
        assert top > 0
        assert right < placed.width
        assert bottom < placed.height
        for plane in (plane for level in placed.levels for plane in level):
            # No corner of the text lies on a plane.
            for point in ((left, top), (left, bottom), (right, top), (right, bottom)):
                assert not inside(plane.corners(), point), (note.text, point)


def inside(corners, point):
    """Whether a point lies in a convex quadrilateral."""
    sides = np.roll(corners, -1, axis=0) - corners
    to = np.array(point) - corners
    turns = sides[:, 0] * to[:, 1] - sides[:, 1] * to[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())


@pytest.mark.parametrize("op", [MaxPool(5, 3, 2, 1, channels=3), MaxPool((9,), 2, 3, 1, dilation=3), MaxPool(8, 2)])
def test_the_winner_of_max_pooling_is_marked_where_it_is(op):
    traced = trace(op)
    frames, placed = animate(traced).frames, stack.layout(traced)
    for t in range(len(traced)):
        marks = shapes(frames, t, "winner")
        assert len(marks) == op.channels
        for channel, (mark, plane) in enumerate(zip(marks, placed.levels[0], strict=True)):
            place = np.ravel(traced[t].winner)[channel]
            row, column = np.argwhere(plane.sheet.indices == traced[t].reads[place])[0]
            np.testing.assert_allclose(mark.points.reshape(-1, 2)[0], plane.points((row, column)))
            greatest = traced.output.reshape(op.channels, -1)[channel, t]
            assert traced.x.reshape(op.channels, -1)[channel, traced[t].reads[place]] == greatest


def test_cells_that_do_not_count_are_drawn_as_such():
    for theme in ("light", "dark"):
        counted = AveragePool(6, 3, 2, 1, ceil_mode=True)
        (past,) = shapes(animate(counted, theme=theme).frames, 0, "beyond")
        assert len(past.points) == 17  # one row and one column past the 8 x 8 of the padded input
        alone = AveragePool(6, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        (past,) = shapes(animate(alone, theme=theme).frames, 0, "beyond")
        assert len(past.points) == 9 * 9 - 6 * 6


def test_too_many_cells_for_their_channels_are_refused():
    with pytest.raises(ConvvizError, match="input_size is 100: with its channels"):
        animate(Conv(100, 3, in_channels=6, out_channels=6))
