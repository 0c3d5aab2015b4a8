"""Plain shapes in two dimensions: what a view hands over, and all that a format knows.

Lengths are in TeX points (72.27 an inch), x runs to the right and y downwards from the picture's top left corner.
Colours are "#rrggbb". Shapes are drawn in the order in which they are listed, the later ones over the earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DOTS_PER_POINT = 150 / 72.27
"""Pixels a point at a picture's natural size."""

HALF_CAPITAL = 0.3645
"""Half the height of a capital letter, as a part of the font's size."""

Points = NDArray[np.float64]

Anchor = Literal["start", "middle", "end"]
ANCHORS: dict[Anchor, float] = {"start": 0.0, "middle": 0.5, "end": 1.0}
"""How much of a text lies before its x."""


@dataclass(frozen=True, eq=False)
class Polygon:
    """One closed shape, (n, 2) points, or many of the same style, (m, n, 2)."""

    points: Points
    fill: str | None = None
    opacity: float = 1.0
    """Of the fill; the outline is opaque."""
    stroke: str | None = None
    width: float = 0.0
    dash: tuple[float, float] | None = None
    """Lengths on and off."""
    role: str = ""
    """What the shape stands for, such as "padding" or "window"."""


@dataclass(frozen=True, eq=False)
class Line:
    """One open line, (n, 2) points, or many of the same style, (m, n, 2)."""

    points: Points
    stroke: str
    width: float
    dash: tuple[float, float] | None = None
    role: str = ""


@dataclass(frozen=True, eq=False)
class Text:
    """One line of text in the sans-serif font that matplotlib carries (DejaVu Sans).

    ``x`` is its start, middle or end (``anchor``), ``y`` the middle of its capital letters and digits.
    """

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: Anchor = "start"
    box: tuple[float, float, float, float] | None = None
    """The rectangle (left, top, right, bottom) that it must stay in, where it has one of its own."""
    role: str = ""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of its line: the advance of its characters, and capitals to descenders."""
        width = text_width(self.text, self.size)
        left = self.x - ANCHORS[self.anchor] * width
        return left, self.y - 0.42 * self.size, left + width, self.y + 0.6 * self.size

    @property
    def baseline(self) -> float:
        """Height of the line that its letters stand on, measured as y is."""
        return self.y + HALF_CAPITAL * self.size


Shape = Polygon | Line | Text


@dataclass(frozen=True)
class Layer:
    """Shapes at one depth of the picture, over the layers before it.

    "fixed": ``shapes(0)`` is in every frame. "moving": frame t has ``shapes(t)`` alone. "growing": frame t has
    ``shapes(0)`` to ``shapes(t)``, so what a step adds stays.
    """

    kind: Literal["fixed", "moving", "growing"]
    shapes: Callable[[int], Sequence[Shape]]


@dataclass(frozen=True)
class Frame:
    """One still picture: its shapes in painter's order."""

    width: float
    height: float
    background: str | None
    shapes: tuple[Shape, ...]


Entry = tuple[str, str | None, str]
"""Of a legend: label, colour (None is unfilled) and kind of a sort of cell."""


@dataclass(frozen=True)
class Frames:
    """A moving picture: layers of shapes over ``count`` steps, and how it is to be played."""

    width: float
    height: float
    count: int
    background: str
    layers: tuple[Layer, ...]
    name: str = ""
    """What it is, in a few words."""
    title: str = ""
    """What the whole picture shows, in words: its alt text."""
    step_text: Callable[[int], str] = str
    """What a step shows, in words."""
    about: tuple[str, ...] = ()
    """Its title and its parameters, a line each, as a caption says them."""
    legend: tuple[Entry, ...] = ()
    transparent: bool = False
    """Whether the background is left out; its colour is then what soft edges are made for."""
    supersampling: int = 1
    """How many times larger pixels are drawn, each way, before they are averaged: 1 does for upright lines and text."""
    pixel_width: int | None = None
    """Width in pixels; None is `DOTS_PER_POINT` pixels a point."""
    duration: int = 1000
    """Milliseconds a step."""
    plays: int = 0
    """How often it is played; 0 is for ever."""
    dark: Callable[[], Frames] | None = None
    """The same shapes in the colours for a dark page, for formats that hold both."""
    watch: Callable[[int], None] | None = None
    """Called with each step that was drawn, for a progress bar."""

    def __len__(self) -> int:
        return self.count

    @property
    def pixel_size(self) -> tuple[int, int]:
        """Width and height in pixels, each rounded to the nearest."""
        if self.pixel_width is None:
            return round(self.width * DOTS_PER_POINT), round(self.height * DOTS_PER_POINT)
        return self.pixel_width, max(round(self.height * self.pixel_width / self.width), 1)

    @property
    def placement(self) -> tuple[float, float, float]:
        """Pixels a point, and where the picture's left and top edge lie, in pixels.

        The sides are whole pixels: what is left over or missing is shared by both ends.
        """
        width, height = self.pixel_size
        scale = DOTS_PER_POINT if self.pixel_width is None else width / self.width
        return scale, (width - self.width * scale) / 2, (height - self.height * scale) / 2

    def still(self, t: int) -> Frames:
        """Step ``t`` as a picture of its own, of one step."""
        dark = self.dark and (lambda: self.dark().still(t))  # type: ignore[misc]
        layers = (fixed(self.frame(t).shapes),)
        return replace(self, count=1, layers=layers, step_text=lambda _: self.step_text(t), dark=dark)

    def frame(self, t: int) -> Frame:
        """The picture at step ``t``."""
        shapes: list[Shape] = []
        for layer in self.layers:
            if layer.kind == "growing":
                for earlier in range(t + 1):
                    shapes += layer.shapes(earlier)
            else:
                shapes += layer.shapes(0 if layer.kind == "fixed" else t)
        return Frame(self.width, self.height, None if self.transparent else self.background, tuple(shapes))


def fixed(shapes: Sequence[Shape]) -> Layer:
    """A layer that is the same in every frame."""
    return Layer("fixed", lambda _: shapes)


def moved(shape: Shape, right: float, down: float) -> Shape:
    """``shape`` further to the right and down by as many points."""
    if isinstance(shape, Text):
        box = shape.box and (shape.box[0] + right, shape.box[1] + down, shape.box[2] + right, shape.box[3] + down)
        return replace(shape, x=shape.x + right, y=shape.y + down, box=box)
    return replace(shape, points=shape.points + np.array([right, down]))


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of "#rrggbb".

    >>> rgb("#268bd2")
    (38, 139, 210)
    """
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def blend(over: str, under: str, opacity: float) -> str:
    """The flat colour of ``over`` at ``opacity`` on ``under``.

    >>> blend("#073642", "#ffffff", 0.4)
    '#9cafb3'
    """
    mixed = (round(a * opacity + b * (1 - opacity)) for a, b in zip(rgb(over), rgb(under), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def text_width(text: str, size: float) -> float:
    """Width of ``text`` in points at a font size of ``size`` points."""
    return _advance(text) * size / 2048


@lru_cache(4096)
def _advance(text: str) -> int:
    return sum(_WIDTHS.get(character, _WIDEST) for character in text)


# Advance widths of DejaVu Sans, in 1/2048 of the font size: views lay text out without loading a font.
_ASCII = """
    651 821 942 1716 1303 1946 1597 563 799 799 1024 1716 651 739 651 690 1303 1303 1303 1303 1303 1303 1303 1303
    1303 1303 690 690 1716 1716 1716 1087 2048 1401 1405 1430 1577 1294 1178 1587 1540 604 604 1343 1141 1767 1532
    1612 1235 1612 1423 1300 1251 1499 1401 2025 1403 1251 1403 799 690 799 1716 1024 1024 1255 1300 1126 1300 1260
    721 1300 1298 569 569 1186 569 1995 1298 1253 1300 1300 842 1067 803 1298 1212 1675 1212 1212 1075 1303 690 1303
    1716
"""
_WIDTHS = {chr(32 + i): int(width) for i, width in enumerate(_ASCII.split())}
# fmt: off
_WIDTHS |= {
    "×": 1716, "·": 651, "−": 1716, "–": 1024, "→": 1716, "←": 1716, "⌊": 799, "⌋": 799, "…": 2048, "∞": 1706, "′":
    465, "ᵀ": 788, "₀": 821, "₁": 821, "₂": 821, "₃": 821, "₄": 821, "₅": 821, "₆": 821, "₇": 821, "₈": 821, "₉":
    821, "Σ": 1294, "≈": 1716, "°": 1024,
}
# fmt: on
_WIDEST = 2048


def bounds(shapes: Sequence[Any]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of everything that ``shapes`` paint, outlines included."""
    boxes = []
    for shape in shapes:
        if isinstance(shape, Text):
            boxes.append(shape.extent)
        elif shape.points.size:
            flat = shape.points.reshape(-1, 2)
            (left, top), (right, bottom) = flat.min(axis=0), flat.max(axis=0)
            # A mitred corner reaches further than half the line's width.
            grow = 2 * shape.width
            boxes.append((left - grow, top - grow, right + grow, bottom + grow))
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
