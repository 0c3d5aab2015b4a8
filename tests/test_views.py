"""The flat views: nothing is clipped, nothing overlaps, everything can be read, and the numbers are the trace's."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import pairwise

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from pictures import check_texts, seen

from convviz import CASES, THEMES, AveragePool, Conv, ConvTranspose, ConvvizError, MaxPool, Operation, animate, trace
from convviz.compose.caption import captioned
from convviz.describe import closing
from convviz.formats.svg import document
from convviz.scene import DOTS_PER_POINT, Frame, Frames, Polygon, Text, text_width
from convviz.views import grid, matrix, stack
from convviz.views._flat import LEAST_CONTRAST, contrast, formatter

OPERATIONS: dict[str, Operation] = {
    "plain": Conv(4, 3),
    "strided": Conv(5, 3, stride=2, padding=1),
    "leftover": Conv(6, 3, stride=2, padding=1),
    "rectangular": Conv((4, 7), (2, 3), stride=(1, 2), padding=((0, 1), (2, 0))),
    "dilated": Conv(7, 3, dilation=2),
    "one axis": Conv((7,), 3, padding=1),
    "one cell": Conv(1, 1),
    "pointwise": Conv(3, 1),
    "gaps": Conv(5, 1, stride=2),
    "wide kernel": Conv(8, 6, padding=2),
    "large": Conv(14, 3),
    "transposed": ConvTranspose(3, 3, stride=2, padding=1),
    "transposed, extended": ConvTranspose((2, 3), 3, stride=2, padding=1, output_padding=1),
    "transposed, cropped": ConvTranspose(4, 3, padding=2),
    "transposed, cropped through": ConvTranspose(5, 2, padding=2),
    "transposed, apart": ConvTranspose(2, 2, stride=3, dilation=2),
    "transposed, one axis": ConvTranspose((4,), 3, stride=2),
    "mirrored": Conv(4, 3, padding=2, padding_mode="reflect"),
    "channels": Conv(4, 3, padding=1, in_channels=3, out_channels=2),
    "groups": Conv((5,), 3, in_channels=4, out_channels=4, groups=2),
    "depthwise": ConvTranspose(2, 3, stride=2, in_channels=2, out_channels=2, groups=2),
    "maxima": MaxPool(4, 2, channels=2),
    "maximum": MaxPool(5, 3, stride=2, padding=1, ceil_mode=True),
    "average": AveragePool(6, 3, padding=1, ceil_mode=True, count_include_pad=False),
}
SEVERAL = ("channels", "groups", "depthwise", "maxima")
VIEWS = ("grid", "matrix")
CHOICES = [
    (view, name, order)
    for view in VIEWS
    for name, op in OPERATIONS.items()
    for order in ("gather", "scatter")
    if not isinstance(op, MaxPool) or (view, order) == ("grid", "gather")  # a maximum is no sum
    if op.in_channels == 1 or view == "grid"  # a matrix has one channel
]


def numbers(op: Operation, kind: str) -> dict[str, object]:
    random = np.random.RandomState(3)
    default = trace(op)
    x, weight = default.x.shape, () if default.weight is None else default.weight.shape
    if kind == "floats":
        given = {"x": random.normal(size=x) * 12, "weight": random.normal(size=weight), "bias": -0.25}
    else:
        given = {"x": random.randint(-255, 256, x), "weight": random.randint(-9, 10, weight), "bias": 3}
    return given if weight else {"x": given["x"]}


@pytest.mark.parametrize(("view", "name", "order"), CHOICES)
def test_no_text_is_clipped_overlaps_or_is_too_faint(view: str, name: str, order: str) -> None:
    op = OPERATIONS[name]
    module = import_module(f"convviz.views.{view}")
    looks = [("light", "values", ""), ("light", "values", "negative"), ("dark", "values", "floats")]
    looks += [("reference", "values", ""), ("reference", "symbols", ""), ("light", "symbols", "negative")]
    both = [(look, narrow) for look in looks for narrow in ([False, True] if hasattr(module, "NARROW") else [False])]
    for n, ((theme, labels, given), narrow) in enumerate(both):
        traced = trace(op, order=order, **(numbers(op, given) if given else {}))
        frames = module.frames(traced, THEMES[theme], labels=labels, **({"narrow": True} if narrow else {}))
        frames = captioned(frames, THEMES[theme]) if n == 1 else frames
        for t in sorted({len(traced) // 2, len(traced) - 1}):
            for text, under in check_texts(frames.frame(t)):
                assert contrast(text.fill, under) >= LEAST_CONTRAST, (text, under)


# The numbers that a frame shows are the trace's


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf").strip("() "))


def read(frame: Frame, *roles: str) -> list[Text]:
    return [text for text, _ in seen(frame) if text.role in roles]


def table(texts: list[Text], shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of ``texts`` in reading order: by the cells that they stand in."""
    assert all(text.box for text in texts)
    ordered = sorted(texts, key=lambda text: (round(text.box[1], 3), round(text.box[0], 3)))
    return np.array([number(text.text) for text in ordered]).reshape(shape)


GUIDE = {
    "numerical_no_padding_no_strides": [[12, 12, 17], [10, 17, 19], [9, 6, 14]],
    "numerical_padding_strides": [[6, 17, 3], [8, 17, 13], [6, 4, 4]],
    "numerical_max_pooling": [[3, 3, 3], [3, 3, 3], [3, 2, 3]],
    "numerical_average_pooling": [[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]],
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", GUIDE)
def test_the_numerical_cases_show_the_numbers_of_the_guide(name: str, theme: str) -> None:
    frames = animate(name, theme=theme).frames
    shown = table(read(frames.frame(len(frames) - 1), "target", "target-lit"), (3, 3))
    np.testing.assert_array_equal(shown, GUIDE[name])


@pytest.mark.parametrize("name", GUIDE)
def test_the_reference_layout_is_source_left_target_right_a_cell_apart_on_one_line(name: str) -> None:
    picture = animate(name, theme="reference")
    frame = picture.frames.frame(len(picture) - 1)
    source = np.array([text.box for text in read(frame, "source", "source-lit")])
    target = np.array([text.box for text in read(frame, "target", "target-lit")])
    cell = source[0, 2] - source[0, 0]
    assert target[:, 0].min() - source[:, 2].max() == pytest.approx(cell)
    middles = [(boxes[:, 1].min() + boxes[:, 3].max()) / 2 for boxes in (source, target)]
    assert middles[0] == pytest.approx(middles[1])
    for corner in read(frame, "corner"):  # the kernel's value stands right of and below the middle of its cell
        left, top, right, bottom = corner.box
        assert corner.x > (left + right) / 2
        assert corner.y > (top + bottom) / 2


@pytest.mark.parametrize("name", ["plain", "strided", "rectangular", "dilated", "transposed", "transposed, cropped"])
@pytest.mark.parametrize("given", ["", "negative"])
def test_the_sum_of_a_gather_step_adds_up_to_the_value_that_its_cell_shows(name: str, given: str) -> None:
    op = OPERATIONS[name]
    traced = trace(op, **(numbers(op, given) if given else {}))
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        frame, step = frames.frame(t), traced[t]
        terms = [text.text.split("·") for text in read(frame, "sum-term", "sum-faint")]
        products = sorted(number(source) * number(weight) for source, weight in terms)
        assert products == sorted(step.products.tolist())
        (end,) = read(frame, "sum-end")
        before, result = end.text.split("=")
        bias = number(before.strip("+ ").split("(bias)")[0]) if "bias" in before else 0
        assert sum(products) + bias == number(result) == step.value
        (current,) = read(frame, "target-lit")
        assert number(current.text) == step.value
        faint = len(read(frame, "sum-faint"))
        assert faint == (step.reads < 0).sum()
        start = "".join(text.text for text in read(frame, "sum-start"))
        assert start.replace(" ", "") == f"y[{','.join(map(str, step.position))}]="


@pytest.mark.parametrize("name", ["strided", "transposed", "transposed, extended", "mirrored", "average"])
def test_stamps_add_up_to_the_output_and_nothing_shown_on_the_way_is_off(name: str) -> None:
    traced = trace(OPERATIONS[name], order="scatter")
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        for term in read(frames.frame(t), "sum-term"):
            if "=" in term.text:
                left, right = term.text.split("=")
                old, times = left.split(" + ")
                source, sign, factor = re.split("([·/])", times)
                product = number(source) * number(factor) if sign == "·" else number(source) / number(factor)
                assert number(old) + product == number(right)
    shown = table(read(frames.frame(len(frames) - 1), "start", "target", "target-lit"), traced.output.shape)
    np.testing.assert_allclose(shown, traced.output, atol=0.051)


@pytest.mark.parametrize(
    ("op", "order", "weight"),
    [
        (ConvTranspose((2,), 2, padding=((1, 1),)), "scatter", [0.75, 0.25]),
        (Conv((2,), 2, in_channels=2), "gather", [[[0.25, 0.0], [0.5, 0.25]]]),
    ],
    ids=["running total", "what a channel adds"],
)
def test_what_is_rounded_on_the_way_does_not_stand_beside_an_equals_sign(op, order, weight) -> None:
    # Input, kernel and output are written out in full; 1/32 and 3/32, which lie between them, are not.
    traced = trace(op, np.full(trace(op).x.shape, 0.125), weight, order=order)
    np.testing.assert_array_equal(traced.output.ravel(), 0.125)
    frame = grid.frames(traced, THEMES["light"]).frame(0)
    said = [text.text for text in read(frame, "sum-term", "sum-end")]
    assert any("≈" in text for text in said)
    assert not any("=" in text for text in said)


@hypothesis.given(st.lists(st.floats(-1e300, 1e300, allow_subnormal=False), min_size=1))
def test_only_a_zero_is_written_as_zero(values: list[float]) -> None:
    write = formatter(values)
    for value in values:
        assert (number(write(value)) == 0) == (value == 0)
        assert number(write(value)) == pytest.approx(value, rel=0.5)


@hypothesis.given(st.lists(st.integers(-999, 999), min_size=1))
def test_a_short_decimal_is_written_out_whatever_stands_beside_it(thousandths: list[int]) -> None:
    values = [n / 1000 for n in thousandths]
    write = formatter([*values, 12.5, 1500.0, 1 / 3])
    assert [number(write(value)) for value in values] == values


@pytest.mark.parametrize(
    ("x", "weight", "bias", "shown"),
    [
        ([[0.04, 1500, 3], [2, 0.5, 7], [1, 1, 1]], [[0.25, 1000], [0.1, -1]], None, None),
        (None, [[0.1, 0.2], [0.3, 0.4]], 0.05, [1.25, 0.75, 0.55, 1.55]),
        (None, [[0.25, 12.5], [0.125, -1]], None, None),
    ],
    ids=["far apart", "rounding errors", "more digits than the largest"],
)
def test_the_digits_that_fit_are_written_and_the_sum_is_exact(x, weight, bias, shown) -> None:
    traced = trace(Conv(3, 2), x, weight, bias)
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        frame = frames.frame(t)
        check_texts(frame)
        terms = [text.text.split("·") for text in read(frame, "sum-term")]
        total = sum(number(source) * number(weight) for source, weight in terms) + (bias or 0)
        (end,) = read(frame, "sum-end")
        assert total == pytest.approx(traced[t].value, rel=1e-12)
        assert number(re.split("[=≈]", end.text)[1]) == pytest.approx(traced[t].value, rel=0.02)
    if shown:
        last = frames.frame(len(frames) - 1)
        assert table(read(last, "target", "target-lit"), (4,)).tolist() == shown


def test_an_average_that_is_written_in_full_is_equal_and_another_is_not() -> None:
    traced = trace(AveragePool(5, 3, stride=1))
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        (end,) = read(frames.frame(t), "sum-end")
        sign, shown = end.text.split("9 ")[1].split(" ")
        assert (sign == "=") == (number(shown) == traced[t].value)
    assert any(" = 1" in read(frames.frame(t), "sum-end")[0].text for t in range(len(traced)))


@pytest.mark.parametrize("op", [ConvTranspose(3, 3, stride=2, padding=1), ConvTranspose(4, 3, padding=2)])
def test_what_a_stamp_adds_is_written_in_the_rows_that_are_kept(op: Operation) -> None:
    traced = trace(op, order="scatter")
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        heights = [text.y for text in read(frames.frame(t), "sum-term")]
        kept = (traced[t].writes >= 0).reshape(3, 3).sum(axis=1)
        assert [heights.count(y) for y in sorted(set(heights))] == kept[kept > 0].tolist()


@pytest.mark.parametrize("given", ["", "negative"])
def test_the_commas_of_a_maximum_follow_their_terms_at_once(given: str) -> None:
    op = MaxPool((7, 5), (3, 2), stride=2, ceil_mode=True)
    traced = trace(op, **(numbers(op, given) if given else {}))
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        frame = frames.frame(t)
        ends = [(text.x + text_width(text.text, text.size), text.y) for text in read(frame, "sum-term", "sum-faint")]
        for comma in read(frame, "sum-join"):
            assert min(abs(comma.x - x) for x, y in ends if y == comma.y) < 1e-6


@pytest.mark.parametrize("given", ["", "negative", "floats"])
def test_the_gaps_in_a_line_of_a_maximum_are_alike(given: str) -> None:
    op = MaxPool(8, 2, padding=1)
    frames = grid.frames(trace(op, **(numbers(op, given) if given else {})), THEMES["light"])
    for t in range(len(frames)):
        terms = sorted(read(frames.frame(t), "sum-term", "sum-faint"), key=lambda text: text.extent)
        gaps = [right.extent[0] - left.extent[2] for left, right in pairwise(terms)]
        assert gaps == pytest.approx([text_width(",  ", terms[0].size)] * 3)


def test_a_maximum_is_written_out_where_there_is_room_for_its_own_terms() -> None:
    x = np.ones((3, 4, 4))
    x[2, 2:, 2:] = -12345.0  # so long that three of them fill the line
    frames = grid.frames(trace(MaxPool(4, 2, channels=3), x), THEMES["light"])
    assert [len(read(frames.frame(t), "sum-dots")) for t in range(4)] == [0, 0, 0, 1]
    assert len(read(frames.frame(0), "sum-term")) == 12


@pytest.mark.parametrize(("op", "some"), [(Conv(12, 5, stride=4, dilation=3, padding=3), False), (Conv(5, 3), True)])
def test_labels_in_corners_are_left_out_where_they_would_be_too_small(op: Operation, some: bool) -> None:
    frames = grid.frames(trace(op), THEMES["light"])
    corners = read(frames.frame(0), "corner")
    assert bool(corners) == some
    assert all(text.size * DOTS_PER_POINT > 7.99 for text in corners)


@pytest.mark.parametrize("order", ["gather", "scatter"])
@pytest.mark.parametrize("name", ["plain", "strided", "gaps", "transposed", "transposed, extended", "one axis"])
def test_the_matrix_holds_its_entries_and_lights_those_of_the_step(name: str, order: str) -> None:
    traced = trace(OPERATIONS[name], order=order)
    frames = matrix.frames(traced, THEMES["light"])
    dense = traced.matrix()
    gather = trace(OPERATIONS[name])
    linked = np.zeros(dense.shape, bool)
    linked[gather.writes[gather.reads >= 0], gather.reads[gather.reads >= 0]] = True
    if isinstance(traced.op, ConvTranspose):
        dense, linked = dense.T, linked.T
    for t in range(len(traced)):
        entries = read(frames.frame(t), "entry", "entry-lit")
        rows = {top: n for n, top in enumerate(sorted({text.box[1] for text in entries}))}
        assert len(entries) == linked.sum()
        ordered = sorted(entries, key=lambda text: (text.box[1], text.box[0]))
        assert [number(text.text) for text in ordered] == dense[linked].tolist()
        lit = [text for text in ordered if text.role == "entry-lit"]
        one = len({text.box[1] for text in lit}) if (order == "gather") != isinstance(traced.op, ConvTranspose) else 1
        assert one == 1
        assert len(lit) == (traced[t].reads >= 0)[traced[t].writes >= 0].sum()
        assert len(rows) == linked.any(axis=1).sum()
    last = frames.frame(len(frames) - 1)
    shown = sorted(read(last, "y-start", "y", "y-lit"), key=lambda text: text.y)
    assert [number(text.text) for text in shown] == traced.output.reshape(-1).tolist()


@pytest.mark.parametrize(
    ("op", "order", "says"),
    [
        (ConvTranspose(2, 3), "gather", "C 4×16, used by columns"),
        (ConvTranspose(2, 3), "scatter", "C 4×16, used by rows"),
        (Conv(4, 3), "gather", "C 4×16"),
        (Conv(4, 3), "scatter", "C 4×16, used by columns"),
    ],
)
def test_the_heading_says_which_way_the_matrix_is_used(op: Operation, order: str, says: str) -> None:
    frames = matrix.frames(trace(op, order=order), THEMES["light"])
    middle = frames.frame(len(frames) // 2)
    assert says in [shape.text for shape in middle.shapes if isinstance(shape, Text)]
    lit = [text.box for text in read(middle, "entry-lit") if text.box]
    assert len(lit) > 1
    assert len({box[1 - ("columns" in says)] for box in lit}) == 1


def test_a_matrix_too_large_to_read_is_elided_in_the_middle() -> None:
    frames = matrix.frames(trace(Conv(8, 3)), THEMES["light"], labels="symbols")
    shapes = frames.frame(0).shapes
    assert any(getattr(shape, "role", "") == "dots" for shape in shapes)
    rows = {text.box[1] for text, _ in seen(frames.frame(0)) if text.role == "entry"}
    assert len(rows) < 36


@pytest.mark.parametrize(("size", "most", "shown"), [(3, 5, [0, 1, 2]), (9, 5, [0, 1, None, 7, 8])])
def test_a_ruler_places_each_index_where_it_is_shown_or_on_the_dots(size: int, most: int, shown: list[object]) -> None:
    ruler = matrix.Ruler(size, most)
    assert ruler.shown == shown
    for index in range(size):
        assert shown[ruler.place(index)] == (index if index in shown else None)


# Composition


@pytest.mark.parametrize("name", ["strided", "transposed", "average", "mirrored"])
@pytest.mark.parametrize("view", ["stack", "grid", "matrix"])
def test_both_orders_end_on_the_same_numbers_and_say_so(name: str, view: str) -> None:
    op = OPERATIONS[name]
    picture = animate(op, view=view, order="both")
    steps = len(trace(op)), len(trace(op, order="scatter"))
    assert len(picture) == max(steps) + 1
    last = picture.frames.frame(len(picture) - 1)
    closing = [shape.text for shape in last.shapes if isinstance(shape, Text) and shape.role == "closing"]
    assert len(closing) == 1
    assert closing[0].startswith("gather and scatter give the same output")
    for t in range(len(picture) - 1):
        shapes = picture.frames.frame(t).shapes
        assert not any(isinstance(shape, Text) and shape.role == "closing" for shape in shapes)
    if view != "stack":
        check_texts(last)


@pytest.mark.parametrize("op", [Conv((6,), 5), Conv((6,), 5, in_channels=2), AveragePool((5,), 5)], ids=str)
def test_both_orders_agree_where_large_terms_cancel(op: Operation) -> None:
    x = 100 * np.random.default_rng(0).normal(size=trace(op).x.shape)
    x.flat[1], x.flat[2] = 1e17, -1e17  # what is left between them depends on the order of the terms
    gather, scatter = trace(op, x), trace(op, x, order="scatter")
    assert not np.allclose(gather.output, scatter.output)
    for backwards in [False, True][: 1 + isinstance(op, Conv)]:
        picture = animate(op, x=x, order="both", with_transposed=backwards)
        told = picture.frames.step_text(len(picture) - 1)
        assert told == "gather and scatter give the same output, but for rounding"
    other = trace(op, x + 1e6, order="scatter")
    assert closing([gather, other]) == "gather and scatter differ"


def test_the_order_with_fewer_steps_keeps_pace_with_the_other() -> None:
    op = OPERATIONS["strided"]
    alone = grid.frames(trace(op), THEMES["light"], narrow=True)
    both = animate(op, view="grid", order="both").frames
    assert (len(alone), len(both)) == (9, 26)
    stood = []
    for t in range(26):
        shown = [shape.text for shape in both.frame(t).shapes if isinstance(shape, Text)]
        stood.append(max(n for n in range(9) if set(told(alone, n)) <= set(shown)))
    assert stood == sorted(stood)
    assert [stood.count(n) for n in range(8)] == [3, 3, 3, 3, 2, 3, 3, 3]


def told(frames: Frames, t: int) -> list[str]:
    """The text of each step's sum."""
    return [s.text for s in frames.frame(t).shapes if isinstance(s, Text) and s.role in {"sum-start", "sum-end"}]


def test_views_laid_side_by_side_take_the_steps_together() -> None:
    picture = animate("padding_strides", view="stack,grid")
    traced = trace(CASES["padding_strides"].op)
    parts = [stack.frames(traced, THEMES["light"]), grid.frames(traced, THEMES["light"], narrow=True)]
    assert len(picture) == len(traced)
    assert picture.frames.width == pytest.approx(sum(part.width for part in parts))
    assert animate("padding_strides", view=("stack", "grid")).frames.width == picture.frames.width


@pytest.mark.parametrize("order", ["gather", "scatter"])
@pytest.mark.parametrize("name", ["plain", "strided", "transposed", "average"])
def test_two_pictures_beside_each_other_fit_a_page(name: str, order: str) -> None:
    op = OPERATIONS[name]
    wide, narrow = (grid.frames(trace(op, order=order), THEMES["light"], narrow=n) for n in (False, True))
    assert narrow.width * DOTS_PER_POINT <= 450 < wide.width * DOTS_PER_POINT
    sizes = {text.size for text in read(narrow.frame(0), "source", "source-lit", "target-lit")}
    assert min(sizes) * DOTS_PER_POINT >= 12


@pytest.mark.parametrize(
    "picture", [{"view": "stack,grid,matrix"}, {"view": "grid", "order": "both"}, {"with_transposed": True}]
)
def test_pictures_side_by_side_have_one_caption(picture: dict[str, object]) -> None:
    frames = animate("padding_strides", caption=True, **picture).frames
    alone = animate("padding_strides", **picture).frames
    for t in (0, len(frames) // 2, len(frames) - 1):
        shapes = [shape for shape in frames.frame(t).shapes if isinstance(shape, Text)]
        words = [shape for shape in shapes if shape.role in {"caption", "step", "legend"}]
        legend = [shape.text for shape in words if shape.role == "legend"]
        assert len(legend) == len(set(legend))
        assert {"input", "padding", "output"} <= set(legend)
        operations = 2 if "with_transposed" in picture else 1
        assert [shape.role for shape in words].count("caption") == 2 * operations
        # The closing line stands in the picture.
        said = [shape.text for shape in shapes if shape.role in {"step", "closing"}]
        assert " ".join(said) == frames.step_text(t)
        assert all(alone.height < shape.y < frames.height for shape in words)


@pytest.mark.parametrize(
    ("op", "deeper"), [(ConvTranspose(3, 3, stride=2), True), (ConvTranspose(3, 2, stride=2), False)]
)
def test_the_legend_explains_deeper_cells_where_stamps_overlap(op: Operation, deeper: bool) -> None:
    frames = grid.frames(trace(op, order="scatter"), THEMES["light"])
    told = {label: color for label, color, _ in frames.legend}
    filled = {shape.fill for shape in frames.frame(8).shapes if isinstance(shape, Polygon) and shape.role == "filled"}
    assert ("stamped more often" in told) == deeper == (len(filled) > 1)
    assert not deeper or {told["stamped more often"], told["output"]} < filled


def test_many_pictures_stand_in_two_rows_without_touching() -> None:
    picture = animate("padding_strides", view="grid", order="both", with_transposed=True)
    for t in (0, len(picture) - 1):
        check_texts(picture.frames.frame(t))
    boxes = [text for text in picture.frames.frame(0).shapes if isinstance(text, Text) and text.role == "panel"]
    assert len({text.y for text in boxes}) == 2
    assert len(boxes) == 4


def test_a_pair_takes_the_output_back_through_the_same_kernel() -> None:
    picture = animate(Conv(5, 3, stride=2, padding=1), view="grid", with_transposed=True)
    last = picture.frames.frame(len(picture) - 1)
    check_texts(last)
    direct = trace(Conv(5, 3, stride=2, padding=1))
    back = direct.matrix().T @ direct.output.reshape(-1)
    values = {text.text for text in read(last, "target", "target-lit")}
    assert values == {str(v) for v in [*direct.output.reshape(-1).tolist(), *back.tolist()]}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"view": "stack,gird"}, "view"),
        ({"order": "bath"}, "order"),
        ({"view": "grid", "labels": "symbol"}, "labels"),
        ({"labels": "symbols"}, "labels"),
        ({"what": MaxPool(4, 2), "view": "matrix"}, "view"),
        ({"what": MaxPool(4, 2), "with_transposed": True}, "operation"),
        ({"what": ConvTranspose(3, 3, dilation=2, output_padding=1), "with_transposed": True}, "output_padding"),
        ({"what": Conv(90, 3), "view": "grid"}, "input_size"),
        ({"what": trace(Conv(4, 3)), "x": np.ones((4, 4))}, "x"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(given: dict[str, object], names: str) -> None:
    with pytest.raises(ConvvizError, match=rf"^{names}\b") as raised:
        animate(**{"what": "padding_strides", **given})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("view", VIEWS)
def test_what_an_svg_defines_has_a_name_of_its_own(view: str) -> None:
    picture = animate(OPERATIONS["transposed"], view=view)
    names = re.findall(r'\bid="([^"]+)"', document(picture.frames))
    assert len(names) == len(set(names)) > 1


@pytest.mark.parametrize("given", ["", "negative"])
@pytest.mark.parametrize("name", ["channels", "groups"])
def test_what_the_channels_add_is_the_value_of_each_channel_of_the_output(name: str, given: str) -> None:
    op = OPERATIONS[name]
    traced = trace(op, **(numbers(op, given) if given else {}))
    frames = grid.frames(traced, THEMES["light"])
    for t in range(len(traced)):
        frame = frames.frame(t)
        ends = sorted(read(frame, "sum-end"), key=lambda text: text.y)
        terms = read(frame, "sum-term")
        shown = sorted(read(frame, "target-lit"), key=lambda text: text.y)
        assert len(ends) == len(shown) == op.out_channels
        for end, cell, value in zip(ends, shown, traced[t].value, strict=True):
            parts = [number(term.text) for term in terms if term.y == end.y]
            assert len(parts) == op.in_channels // op.groups
            bias = number(end.text.split("(bias)")[0].strip("+ ")) if "bias" in end.text else 0
            assert sum(parts) + bias == number(end.text.split("=")[1]) == number(cell.text) == value


@pytest.mark.parametrize(("name", "order"), [(n, o) for v, n, o in CHOICES if v == "grid" and n in SEVERAL])
def test_the_sums_of_channels_stand_in_the_same_columns(name: str, order: str) -> None:
    op = OPERATIONS[name]
    x = np.random.RandomState(3).normal(size=trace(op).x.shape) * (10.0 ** np.arange(op.in_channels)).reshape(
        -1, *[1] * len(op.input_size)
    )
    frames = grid.frames(trace(op, x, order=order), THEMES["light"])
    for t in range(len(frames)):
        starts = {text.y: text.extent[2] for text in read(frames.frame(t), "sum-start")}
        assert len(starts) == op.out_channels
        assert [*starts.values()] == pytest.approx([max(starts.values())] * len(starts))


def test_kernels_side_by_side_are_said_to_be_turned_without_touching() -> None:
    for channels, notes in ((2, 4), (6, 1)):  # below each kernel, or once for all
        op = ConvTranspose(3, 3, stride=2, in_channels=channels, out_channels=channels, groups=channels // 2)
        frame = grid.frames(trace(op), THEMES["light"]).frame(0)
        check_texts(frame)
        assert len(read(frame, "note")) == notes
    assert not read(grid.frames(trace(Conv(6, 1), order="scatter"), THEMES["light"]).frame(0), "note")


@pytest.mark.parametrize("view", VIEWS)
def test_an_output_that_reads_padding_alone_is_kept(view: str) -> None:
    op = Conv(3, 1, stride=2, padding=2)
    traced = trace(op, weight=[[7]], bias=5, order="scatter")
    assert traced.output.shape == (4, 4)
    last = import_module(f"convviz.views.{view}").frames(traced, THEMES["light"]).frame(len(traced) - 1)
    shown = read(last, "start", "target", "target-lit")
    np.testing.assert_array_equal(table(shown, (4, 4)), traced.output)


@pytest.mark.parametrize("order", ["gather", "scatter"])
def test_a_small_sum_is_no_rounding_error_of_a_large_one_elsewhere(order: str) -> None:
    op = Conv((8,), 2, stride=2)
    traced = trace(op, [1e20, 1, 2, 1, 0.1, 0.2, 0.3, -0.3], [1.0, 1.0], order=order)
    last = grid.frames(traced, THEMES["light"]).frame(len(traced) - 1)
    shown = [number(text.text) for text in read(last, "target", "target-lit")]
    assert shown == [1e20, 3, 0.3, 0]


def test_rounding_is_as_large_as_the_terms_that_are_rounded() -> None:
    assert not trace(Conv(5, 3)).rounding.any()
    assert not trace(MaxPool(5, 3), np.full((5, 5), 1e9)).rounding.any()
    random = np.random.default_rng(1)
    for op in (Conv(6, 3, in_channels=2), ConvTranspose(4, 3, stride=2), AveragePool(6, 3, padding=1)):
        x = random.normal(size=trace(op).x.shape) * 10.0 ** random.integers(-9, 9, trace(op).x.shape)
        gather, scatter = trace(op, x), trace(op, x, order="scatter")
        assert gather.rounding.shape == gather.output.shape
        assert (np.abs(gather.output - scatter.output) <= gather.rounding).all()
        assert (gather.rounding < 1e-12 * np.abs(x).max() * 100).all()


@pytest.mark.parametrize("labels", ["values", "symbols"])
def test_a_stamp_that_adds_nothing_says_so_within_the_picture(labels: str) -> None:
    for op in (AveragePool((4,), 1, stride=3), Conv((4,), 1, stride=3, in_channels=2, out_channels=2)):
        frames = grid.frames(trace(op, order="scatter"), THEMES["light"], labels)
        for t in range(len(frames)):
            check_texts(frames.frame(t))
            words = "".join(text.text for text in read(frames.frame(t), "sum-start"))
            assert ("nothing" in words) == (t % 3 != 0)


def test_the_symbols_of_a_stamp_are_summed_over_the_channels() -> None:
    op = Conv(3, 2, in_channels=2, out_channels=2)
    frames = grid.frames(trace(op, order="scatter"), THEMES["light"], labels="symbols")
    words = [text.text for text in read(frames.frame(1), "sum-term", "sum-term-subscript")]
    assert words[:8] == ["y", "0,0,0", "+=", "Σ", "w", "0,:,0,1", "x", ":,0,1"]


def test_one_long_number_does_not_make_all_of_them_small() -> None:
    op = Conv(5, 1, in_channels=2)
    plain = np.arange(50.0).reshape(2, 5, 5) / 10
    sizes = []
    for odd in (0.1, -0.0012):
        x = plain.copy()
        x[0, 0, 1] = odd
        sizes.append(
            {text.text: text.size for text in read(grid.frames(trace(op, x), THEMES["light"]).frame(24), "source")}
        )
    before, after = sizes
    assert after.pop("−0.0012") < before["0.2"]
    # The others are as large as they were, in both channels.
    assert set(before.values()) == set(after.values())
    assert len(set(after.values())) == 1


def test_stamps_of_channels_add_up_to_each_channel_of_the_output() -> None:
    traced = trace(OPERATIONS["depthwise"], order="scatter")
    frames = grid.frames(traced, THEMES["light"])
    texts = read(frames.frame(len(frames) - 1), "start", "target", "target-lit")
    np.testing.assert_array_equal(table(texts, traced.output.shape), traced.output)


def test_a_plus_stands_in_the_middle_between_terms_of_different_widths() -> None:
    traced = trace(Conv(4, 2), np.ones((4, 4), int), [[1, 0.5], [-2, 100]])
    frame = grid.frames(traced, THEMES["light"]).frame(0)
    terms = sorted(read(frame, "sum-term"), key=lambda text: text.x)
    ends = [term.x + text_width(term.text, term.size) for term in terms]
    gaps = [
        (plus.x - end, term.x - plus.x - text_width("+", plus.size))
        for plus, end, term in zip(sorted(read(frame, "sum-join"), key=lambda t: t.x), ends, terms[1:], strict=False)
    ]
    assert len(gaps) == 3
    assert np.ptp(gaps) < 0.01
