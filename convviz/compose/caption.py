"""A picture over its caption: a strip that says what it is, which step it shows, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from convviz.cells import BEYOND, CROSS, DATA, DROPPED, INSERTED, PADDING, UNVISITED, WINNER
from convviz.scene import Entry, Frames, Layer, Line, Polygon, Shape, Text, fixed, moved, text_width
from convviz.theme import Theme

SIZE = 6.5
LEADING = 10.5
MARGIN = 10.0
LEAST_WIDTH = 170.0
SWATCH = 7.0


def captioned(frames: Frames, theme: Theme, said: str = "") -> Frames:
    """``frames`` over a strip that names the operation and the step and explains the colours.

    ``said`` is a step's text that the picture holds itself: the strip does not repeat it.
    """
    width = max(frames.width, LEAST_WIDTH)
    inner = width - 2 * MARGIN
    lines = [line for words in frames.about for line in _wrap(words, inner)]
    shapes: list[Shape] = []
    y = frames.height + LEADING / 2
    for line in lines:
        shapes.append(Text(MARGIN, y, line, SIZE, theme.text, role="caption"))
        y += LEADING
    step_y = y
    y += LEADING * max(len(_wrap(frames.step_text(t), inner)) for t in range(frames.count))
    legend_shapes, y = _legend(_joined(frames.legend), y + 0.2 * LEADING, inner, theme)

    def step(t: int) -> Sequence[Shape]:
        words = frames.step_text(t)
        lines = _wrap(words, inner) if words != said else []
        return [Text(MARGIN, step_y + LEADING * n, line, SIZE, theme.text, role="step") for n, line in enumerate(lines)]

    centred = tuple(_shifted(layer, (width - frames.width) / 2) for layer in frames.layers)
    layers = (fixed([*shapes, *legend_shapes]), *centred, Layer("moving", step))
    return replace(frames, width=width, height=y + MARGIN - LEADING / 2, layers=layers)


def _joined(legend: Sequence[Entry]) -> list[Entry]:
    """The legend with what the theme leaves unfilled, which looks alike, in one entry."""
    entries = [entry for entry in legend if entry[1]]
    alike = list(dict.fromkeys(label for label, color, _ in legend if not color))
    alike = [label for label in alike if not label.endswith(", not read")] or alike
    return [*entries, (", ".join(alike), None, PADDING)] if alike else entries


def _legend(entries: Sequence[Entry], y: float, inner: float, theme: Theme) -> tuple[list[Shape], float]:
    """A square for each colour of a sort of cell, and its label; entries of the same label follow each other."""
    shapes: list[Shape] = []
    grounds = [color for label, color, _ in entries if label == "input"] or [theme.data]
    x = MARGIN
    for label, group in groupby(entries, lambda entry: entry[0]):
        colors = [(color, kind) for _, color, kind in group]
        squares = len(colors) * (SWATCH + 1) - 1
        wide = squares + 3 + text_width(label, SIZE)
        if x > MARGIN and x + wide > MARGIN + inner:
            x, y = MARGIN, y + LEADING
        for n, (color, kind) in enumerate(colors):
            ground = grounds[n % len(grounds)]  # of the greatest: it is a cell of the input
            shapes += _swatch(x + n * (SWATCH + 1), y - SWATCH / 2, color, kind, ground, theme)
        shapes.append(Text(x + squares + 3, y, label, SIZE, theme.text, role="legend"))
        x += wide + 8
    return shapes, y + LEADING


def _swatch(x: float, y: float, color: str | None, kind: str, ground: str | None, theme: Theme) -> list[Shape]:
    """A cell of that colour and kind, with its top left corner at (x, y)."""
    box = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * SWATCH + (x, y)
    dash = None if kind in (DATA, UNVISITED, WINNER) else (1.6, 1.2)
    middle = box.mean(axis=0)
    fill = ground if kind == WINNER else color
    shapes: list[Shape] = [Polygon(box, fill, stroke=theme.line, width=0.6, dash=dash, role="legend")]
    if kind == INSERTED:
        shapes.append(Polygon((box - middle) * 0.36 + middle, stroke=theme.line, width=0.4))
    elif kind == WINNER:
        shapes.append(Polygon((box - middle) * 0.6 + middle, color, stroke=theme.line, width=0.6))
    elif kind in (BEYOND, DROPPED, UNVISITED):
        shapes.append(Line(CROSS * SWATCH + (x, y), theme.line, 0.4))
    return shapes


def _wrap(text: str, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, SIZE) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _shifted(layer: Layer, right: float) -> Layer:
    if not right:
        return layer
    return Layer(layer.kind, lambda t: [moved(shape, right, 0.0) for shape in layer.shapes(t)])
