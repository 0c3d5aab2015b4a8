"""Flat pictures: boards of cells with numbers or symbols in them, and text that can be read on any of their fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor, log10
from typing import Any, Literal

import numpy as np

from convviz.cells import BEYOND, DATA, DROPPED
from convviz.scene import ANCHORS, Anchor, Points, Shape, Text, blend, rgb, text_width
from convviz.theme import Theme
from convviz.views._planes import Sheet
from convviz.views._surface import Pen, Surface, fills

SUBSCRIPT = 0.68
"""Size of a subscript, as a part of its letter's."""
LEAST_CONTRAST = 4.5
THICK, THIN = 0.8, 0.4
ROOM = 0.86
"""Greatest width of a label, as a part of its cell."""
DASH = (2.4, 2.0)


# Colours


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@lru_cache(1024)
def _luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb(color))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@lru_cache(1024)
def readable(fill: str, theme: Theme) -> str:
    """A colour for text on ``fill``: the theme's own where it can be read there, else black or white."""
    colors = (theme.text, theme.background, "#000000", "#ffffff")
    return next(color for color in colors if contrast(color, fill) >= LEAST_CONTRAST)


@lru_cache(64)
def muted(theme: Theme) -> str:
    """The faintest colour of the theme's text that can still be read on its background."""
    shades = (blend(theme.text, theme.background, part / 100) for part in range(50, 101, 2))
    return next((shade for shade in shades if contrast(shade, theme.background) >= LEAST_CONTRAST), theme.text)


@lru_cache(64)
def tinted(theme: Theme) -> Theme:
    """The theme with the colours of its planes toned down so that numbers stand out on them."""

    def tint(color: str) -> str:
        return blend(color, theme.background, theme.tint)

    return replace(
        theme,
        data=tint(theme.data),
        target=tint(theme.target),
        unvisited=theme.unvisited and blend(theme.unvisited, theme.background, (1 + theme.tint) / 2),
        window_opacity=theme.window_opacity * theme.tint,
    )


# Numbers and symbols


@dataclass(frozen=True)
class Label:
    """What stands in a cell or in a sum: a number, or a letter with its subscript."""

    text: str
    subscript: str = ""

    def width(self, size: float) -> float:
        return text_width(self.text, size) + text_width(self.subscript, SUBSCRIPT * size)

    def texts(
        self,
        x: float,
        y: float,
        size: float,
        fill: str,
        anchor: Anchor = "middle",
        box: tuple[float, float, float, float] | None = None,
        role: str = "",
    ) -> list[Text]:
        """The label as one or two texts; ``x`` and ``y`` as in `Text`."""
        if not self.subscript:
            return [Text(x, y, self.text, size, fill, anchor, box, role)]
        left = x - ANCHORS[anchor] * self.width(size)
        lower = left + text_width(self.text, size)
        return [
            Text(left, y, self.text, size, fill, "start", box, role),
            Text(lower, y + 0.3 * size, self.subscript, SUBSCRIPT * size, fill, "start", box, f"{role}-subscript"),
        ]


def symbol(letter: str, position: Sequence[int | str]) -> Label:
    """
    >>> symbol("x", (1, 2))
    Label(text='x', subscript='1,2')
    """
    return Label(letter, ",".join(map(str, position)))


LONGEST_DECIMAL, MOST_DIGITS = 6, 4
"""Characters, and digits after leading zeros, of a number that is written in full though others have fewer decimals."""
MOST_DECIMALS = 4
SIGNIFICANT = 12
"""Digits of a float that are told from rounding errors."""


def formatter(*arrays: Any) -> Callable[[Any], str]:
    """How the numbers of ``arrays`` are written: alike where that loses nothing, and no longer than can be read.

    Integers are written out; floats with one decimal, or with more where all are small or are exact with two. A number
    that this would round has digits of its own: all where they are few, else one that is not 0 (two from 1 on), so that
    only a zero is written as one. Very long and very small numbers have an exponent.

    >>> formatter([0.5, -2.3])(-2.3), formatter([1.25])(1.25), formatter([7, -3])(-3), formatter([0.031])(0.031)
    ('−2.3', '1.25', '−3', '0.031')
    >>> formatter([5 / 3, 1.0])(5 / 3), formatter([2e9])(2e9), formatter([-0.011, 3.3])(-0.011)
    ('1.7', '2.0e9', '−0.011')
    >>> write = formatter([1500.0, 2.8187, 0.25, 0.04321, 0.00004])
    >>> write(1500), write(2.8187), write(0.25), write(0.04321), write(0.00004), write(0)
    ('1500', '2.8', '0.25', '0.04', '4e−5', '0')
    """
    flat = [np.asarray(array).reshape(-1) for array in arrays]
    whole = all(array.dtype.kind in "biu" for array in flat)
    values = np.concatenate([array.astype(float) for array in flat])
    numbers = [_significant(value) for value in np.unique(np.abs(values[np.isfinite(values)])) if value]
    largest = max(numbers, default=0.0)
    power = floor(log10(largest)) if largest else 0
    decimals = 0 if whole else min(max(1 - power, 1 if power < 3 else 0), MOST_DECIMALS)
    if decimals:
        tried = range(1, max(decimals, 2) + 1)
        decimals = next((n for n in tried if all(round(number, n) == number for number in numbers)), decimals)

    def write(value: Any) -> str:
        number = _significant(float(value))
        if np.isinf(number):
            text = "∞" if number > 0 else "-∞"
        elif (power > 5 and abs(number) >= 1000) or (power < -3 and number):
            text = _exponent(number, 1)
        elif whole and np.asarray(value).dtype.kind in "biu":
            text = str(int(value))
        elif round(number, decimals) == number:
            text = f"{number:.{decimals}f}"
        else:
            text = np.format_float_positional(number)
            plain = text.lstrip("-")
            if len(plain) > LONGEST_DECIMAL or len(plain.replace(".", "").lstrip("0")) > MOST_DIGITS:
                text = _rounded(number, decimals)
        return text.replace("-", "−")

    return lru_cache(1024)(write)  # the same few numbers, again and again


def _significant(number: float) -> float:
    """Without the rounding errors of what it was computed from."""
    return float(f"{number:.{SIGNIFICANT}g}")


def _rounded(number: float, decimals: int) -> str:
    """With that many decimals, or as many as show one digit that is not 0, and two from 1 on."""
    own = max(decimals, (abs(number) >= 1) - floor(log10(abs(number))))
    return f"{number:.{own}f}" if own <= MOST_DECIMALS else _exponent(number, 0)


def _exponent(number: float, decimals: int) -> str:
    mantissa, power = f"{number:.{decimals}e}".split("e")
    return f"{mantissa}e{int(power)}"


# Boards


@dataclass(frozen=True)
class Board(Surface):
    """A sheet of cells drawn flat. Its marks stand in the corners that hold no number."""

    square = (0.08, 0.16)
    cross = np.array([[(abs(a - 0.06), abs(b - 0.06)), (abs(a - 0.2), abs(b - 0.2))] for a in (0, 1) for b in (0, 1)])
    unused = (BEYOND, DROPPED)

    sheet: Sheet
    color: str
    """Fill of its data cells."""
    theme: Theme
    cell: float
    """Side of a cell in points."""
    left: float = 0.0
    top: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.sheet.kinds.shape
        return rows, columns

    @property
    def width(self) -> float:
        return self.shape[1] * self.cell

    @property
    def height(self) -> float:
        return self.shape[0] * self.cell

    @property
    def thick(self) -> float:
        return THICK * min(1.0, self.cell / 16)

    @property
    def thin(self) -> float:
        return THIN * min(1.0, self.cell / 16)

    def points(self, places: Any) -> Points:
        placed: Points = np.asarray(places, float)[..., ::-1] * self.cell + (self.left, self.top)
        return placed

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a cell."""
        left, top = self.left + column * self.cell, self.top + row * self.cell
        return left, top, left + self.cell, top + self.cell

    def fill(self, kind: str) -> str | None:
        """Fill of a cell of that kind at rest; None is the background."""
        return fills(self.theme, self.color)[str(kind)]

    def lit(self, fill: str | None) -> str:
        """The colour of a cell of that fill under the window."""
        return blend(self.theme.window, fill or self.theme.background, self.theme.window_opacity)

    def moved(self, right: float, down: float) -> Board:
        return replace(self, left=self.left + right, top=self.top + down)

    def rest(self, empty: bool = False) -> list[Shape]:
        """The cells without a window over them; ``empty`` leaves the data cells to be filled by the steps."""
        colors = fills(self.theme, self.color)
        if empty:
            colors[DATA] = self.theme.background
        pen = Pen(self.theme, self.thick, self.thin, DASH)
        return pen.rest(self, colors, gridded=not self.sheet.plain)

    def text(
        self,
        label: Label,
        row: int,
        column: int,
        size: float,
        fill: str,
        corner: Literal["lower", "upper"] | None = None,
        role: str = "",
    ) -> list[Text]:
        """A label in the middle of a cell, smaller where it would not fit, or in a corner (upper left, lower right)."""
        left, top, right, bottom = box = self.box(row, column)
        if corner == "lower":
            low = bottom - 0.6 * size - 0.03 * self.cell
            return label.texts(right - 0.07 * self.cell, low, size, fill, "end", box, role)
        if corner == "upper":
            high = top + 0.42 * size + 0.09 * self.cell
            return label.texts(left + 0.07 * self.cell, high, size, fill, "start", box, role)
        size = fitting([label], ROOM * self.cell, size)
        return label.texts((left + right) / 2, (top + bottom) / 2, size, fill, "middle", box, role)


def fitting(labels: Sequence[Label], width: float, largest: float, wider: int = 0) -> float:
    """The font size, ``largest`` at most, at which all of ``labels``, but for ``wider`` of them, are at most ``width``
    wide.
    """
    widths = sorted((label.width(1.0) for label in labels), reverse=True)
    widest = max(widths[wider:], default=0.0)
    return min(largest, width / widest) if widest else largest
