"""The picture itself: what stands in each cell, against the trace; and its measures, against the reference's."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import steps_of

from convviz import THEMES, Conv, ConvTranspose, MaxPool, Operation, animate, trace
from convviz.cases import GUIDE
from convviz.render import Raster
from convviz.scene import DOTS_PER_POINT, Polygon, Text, blend, rgb, text_width
from convviz.views import stack

STACKED = {name: case.op for name, case in GUIDE.items()}

# Width, height and steps of the pictures of the guide.
REFERENCE = {
    "no_padding_no_strides": (244, 259, 4),
    "arbitrary_padding_no_strides": (495, 542, 36),
    "no_padding_strides": (294, 288, 4),
    "padding_strides": (395, 381, 9),
    "no_padding_no_strides_transposed": (344, 386, 16),
    "arbitrary_padding_no_strides_transposed": (445, 479, 25),
    "no_padding_strides_transposed": (395, 449, 25),
    "padding_strides_transposed": (395, 449, 25),
}

OTHERS = {
    "unit kernel": Conv(5, 1),
    "wide": Conv((2, 7), (2, 3), padding=1),
    "strip": Conv((6,), (3,), padding=1),
    "long stride": Conv(9, 3, stride=4),
    "one pair": Conv(6, 3, stride=2, padding=((0, 1), (1, 0))),
    "dilated and strided": Conv((7, 8), (2, 3), stride=(1, 2), dilation=(3, 2), padding=1),
    "cropped": ConvTranspose(5, 2, padding=2),
    "output padding": ConvTranspose(3, 3, stride=2, padding=1, output_padding=1),
    "transposed strip": ConvTranspose((4,), (2,), stride=3),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_sizes_and_steps_are_the_references(name):
    picture = animate(name, theme="reference")
    assert (*picture.frames.pixel_size, len(picture)) == REFERENCE[name]


def expected(traced, theme, t):
    """Colour of each cell of the plane below and of the plane above, from the trace alone."""
    op, gather = traced.op, traced.order == "gather"
    lift = (lambda array: array.reshape(1, -1)) if len(op.input_size) == 1 else (lambda array: array)
    plain = lift(np.full(traced.steps, theme.target if gather else theme.data, dtype="<U7"))
    current = np.zeros(traced.steps, bool)
    current[np.unravel_index(t, traced.steps)] = True

    canvas = traced.canvas
    place = np.arange(canvas.size).reshape(canvas.shape)
    strides = [(p, s, d, k) for p, s, d, k in zip(
        np.unravel_index(t, traced.steps), traced.layout.stride, op.dilation, op.kernel_size, strict=True)]  # fmt: skip
    window = np.zeros(canvas.shape, bool)
    window[np.ix_(*[[p * s + n * d for n in range(k)] for p, s, d, k in strides])] = True
    covered = np.zeros(canvas.size, bool)
    for at in np.ndindex(*traced.steps):
        for tap in np.ndindex(*op.kernel_size):
            cell = tuple(a * s + n * d for a, s, n, d in zip(at, traced.layout.stride, tap, op.dilation, strict=True))
            covered[place[cell]] = True
    covered = covered.reshape(canvas.shape)

    own, blank = (theme.data if gather else theme.target), theme.background
    colors = np.full(canvas.shape, own, dtype="<U7")
    colors[canvas == -1] = (theme.padding if gather else theme.dropped) or blank
    colors[canvas == -2] = (theme.inserted if gather else theme.dropped) or blank
    colors[~covered & (canvas < 0)] = theme.dropped or blank
    colors[~covered & (canvas >= 0)] = theme.unvisited or own
    windowed, other = (lift(colors), lift(window)), (plain, lift(current))
    return (windowed, other) if gather else (other, windowed)


def near_a_line(points, lines, distance):
    """Whether each point lies within ``distance`` of one of the line segments."""
    near = np.zeros(len(points), bool)
    for start, end in lines:
        along = end - start
        at = np.clip((points - start) @ along / max(along @ along, 1e-9), 0, 1)
        near |= np.hypot(*(points - start - at[:, np.newaxis] * along).T) < distance
    return near


@pytest.mark.parametrize("theme_name", THEMES)
@pytest.mark.parametrize("order", ["gather", "scatter"])
@pytest.mark.parametrize("name", [*STACKED, *OTHERS])
def test_the_middle_of_each_cell_has_the_colour_of_its_kind_and_state(name, order, theme_name):
    traced = trace({**STACKED, **OTHERS}[name], order=order)
    theme = THEMES[theme_name]
    picture = animate(traced, theme=theme_name)
    looked, passed_over = 0, 0
    planes = [plane for level in stack.layout(traced).levels for plane in level]
    for t, shown in enumerate(steps_of(picture.frames)):
        lines = [
            line * DOTS_PER_POINT
            for layer in picture.frames.layers
            for shape in layer.shapes(t)
            if shape.role == "lines"
            for line in shape.points
        ]
        for plane, (colors, lit) in zip(planes, expected(traced, theme, t), strict=True):
            first, (rows, columns) = np.array(plane.sheet.origin), colors.shape
            row, column = np.mgrid[:rows, :columns].reshape(2, -1) + 0.5 + first[:, np.newaxis]
            points = plane.points(np.stack([row, column], axis=1)) * DOTS_PER_POINT
            # Four lines run from plane to plane, over some cells' middles.
            clear = ~near_a_line(points, lines, 2.5)
            passed_over += (~clear).sum()
            looked += clear.sum()
            for (x, y), color, inside in zip(
                points[clear], colors.reshape(-1)[clear], lit.reshape(-1)[clear], strict=True
            ):
                want = blend(theme.window, color, theme.window_opacity) if inside else color
                got = shown[int(y), int(x), :3].astype(int)
                # Blending rounds in steps of 1/255; a colour that is not blended is exact.
                assert abs(got - rgb(want)).max() <= (2 if inside else 0), (t, plane.sheet.written, x, y, want, got)
    assert looked > 10 * passed_over


PICTURES = {
    "stack": {"caption": True, "theme": "dark"},
    "clear": {"transparent": True, "order": "scatter"},
    "grid": {"view": "grid"},
    "matrix": {"view": "matrix", "order": "scatter"},
    "beside": {"view": "grid,stack"},
    "both": {"view": "grid", "order": "both"},
}


@pytest.mark.parametrize("how", PICTURES)
def test_steps_that_are_drawn_one_by_one_are_those_that_are_drawn_in_a_row(how):
    picture = animate(ConvTranspose(2, 3, stride=2), **PICTURES[how])
    for t, shown in enumerate(steps_of(picture.frames)):
        np.testing.assert_array_equal(np.asarray(picture.image(t)), shown)


@pytest.mark.parametrize("how", PICTURES)
def test_a_step_looks_the_same_whatever_was_drawn_before_it(how):
    picture = animate(ConvTranspose(2, 3, stride=2), **PICTURES[how])
    alone = [np.asarray(picture.image(t)) for t in range(len(picture))]
    order = [len(picture) - 1, 0, *np.random.default_rng(0).integers(len(picture), size=20).tolist()]
    built = np.zeros_like(alone[0])
    for (shown, boxes), t in zip(Raster(picture.frames).changes(order), order, strict=True):
        for left, top, right, bottom in boxes:
            built[top:bottom, left:right] = shown[top:bottom, left:right]
        np.testing.assert_array_equal(built, alone[t])


@pytest.mark.parametrize("caption", [False, True])
@pytest.mark.parametrize("name", [*STACKED, *OTHERS])
def test_nothing_is_clipped(name, caption):
    picture = animate({**STACKED, **OTHERS}[name], caption=caption)
    border = np.array(rgb(THEMES["light"].background))
    for t in {0, len(picture) // 2, len(picture) - 1}:
        pixels = np.asarray(picture.image(t))[..., :3]
        for edge in (pixels[:3], pixels[-3:], pixels[:, :3], pixels[:, -3:]):
            assert (edge == border).all()


def legend(op: Operation, theme: str = "light", **how: str) -> tuple[list[str], list[Polygon]]:
    """The words of the legend, and the squares beside them."""
    shapes = animate(op, theme=theme, caption=True, **how).frames.frame(0).shapes
    parts = [shape for shape in shapes if shape.role == "legend"]
    words = [part.text for part in parts if isinstance(part, Text)]
    return words, [part for part in parts if isinstance(part, Polygon)]


@pytest.mark.parametrize("view", ["stack", "grid"])
def test_the_legend_names_every_kind_of_cell(view: str) -> None:
    words, squares = legend(Conv(5, 3, padding=1), "reference", view=view)
    assert words == ["input", "output", "padding"]
    assert [(square.fill is None, square.dash is None) for square in squares] == [(0, 1), (0, 1), (1, 0)]
    assert legend(Conv(4, 3, stride=2, padding=1), "reference", view=view)[0] == words
    words, squares = legend(ConvTranspose(3, 3, stride=2, padding=1), "reference", view=view)
    assert (words[-1], squares[-1].fill) == ("padding, inserted zero", None)


@pytest.mark.parametrize("view", ["stack", "grid"])
def test_the_legend_tells_the_greatest_from_the_output(view: str) -> None:
    words, squares = legend(MaxPool(4, 2), view=view)
    fills = dict(zip(words, [square.fill for square in squares], strict=True))
    assert fills["greatest"] == fills["input"] != fills["output"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_legend_of_several_pictures_shows_the_colours_of_all(theme: str) -> None:
    op = MaxPool(4, 2, stride=1, padding=1)
    words, squares = legend(op, theme, view="stack,grid")
    alone = [legend(op, theme, view=view)[1] for view in ("stack", "grid")]
    assert words == ["input", "padding", "greatest", "output"]
    fills = [square.fill for square in squares]
    (strong, padding, _, target), (pale, _, _, pale_target) = ([square.fill for square in each] for each in alone)
    assert fills == [strong, pale, padding, strong, pale, target, pale_target]
    assert legend(op, "reference", view="stack,grid")[0] == ["input", "greatest", "output", "padding"]
    assert len(legend(op, "reference", view="stack,grid")[1]) == 4  # where they are alike


@pytest.mark.parametrize(
    ("op", "says"),
    [
        (Conv(4, 3, stride=2, padding=1), "padding, not read"),
        (MaxPool(4, 3, stride=2, padding=1), "padding, not read"),
        (ConvTranspose(4, 2, padding=2), "cropped"),
    ],
)
def test_the_legend_says_why_cells_take_no_part(op: Operation, says: str) -> None:
    assert [word for word in legend(op)[0] if "not read" in word or "cropped" in word] == [says]


@pytest.mark.parametrize("name", ["light", "dark", "reference"])
def test_captions_keep_to_their_strip_and_to_themselves(name):
    for op in {**STACKED, **OTHERS, "long": Conv((13, 40), (3, 12), (2, 3), ((0, 1), (11, 10)), (2, 3))}.values():
        frames = animate(op, theme=name, caption=True).frames
        texts = [shape for shape in frames.frame(len(frames) - 1).shapes if shape.role in {"caption", "step", "legend"}]
        extents = [shape.extent for shape in texts if hasattr(shape, "extent")]
        assert len(extents) >= 4
        for n, (left, top, right, bottom) in enumerate(extents):
            assert left >= 0
            assert top >= 0
            assert right <= frames.width
            assert bottom <= frames.height
            for other in extents[:n]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                assert apart, (op, extents)


def test_text_is_as_wide_as_its_glyphs():
    import os

    import matplotlib
    from matplotlib.ft2font import FT2Font, LoadFlags

    from convviz.scene import _WIDTHS

    font = FT2Font(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    font.set_size(100, 72)
    for character in _WIDTHS:
        advance = font.load_char(ord(character), flags=LoadFlags.NO_SCALE).horiAdvance
        assert text_width(character, 2048) == advance, character


def luminance(color):
    parts = [c / 255 for c in rgb(color)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """Contrast ratio of WCAG 2."""
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_text_and_lines_can_be_read(theme):
    assert contrast(theme.text, theme.background) >= 4.5
    # Lines and outlines carry meaning: 3:1 against what they lie on.
    for under in (theme.background, theme.padding, theme.inserted, theme.dropped):
        if under:
            assert contrast(theme.line, under) >= 3


@pytest.mark.parametrize("size", [3, 12, 40, 128])
def test_a_picture_stays_at_a_sensible_size(size):
    picture = animate(Conv(size, 3, stride=max(size // 3, 1)))
    assert max(picture.frames.pixel_size) <= 805


def test_a_width_is_kept_and_the_shape_with_it():
    natural, wide = animate("padding_strides"), animate("padding_strides", width=790)
    assert wide.frames.pixel_size == (790, round(790 * natural.frames.height / natural.frames.width))
    assert wide.image(2).size == wide.frames.pixel_size
