"""The isometric picture: the plane that is read below, the plane that is written above, the window between them.

Its measures are those of the figures in Dumoulin & Visin's guide, so that theme "reference" is that picture. Channels
are piled up, and each group of channels, which is a convolution of its own, stands beside the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from convviz.cells import CROSS, DATA, WINNER
from convviz.errors import ConvvizError
from convviz.ops import show
from convviz.scene import DOTS_PER_POINT, Frames, Layer, Line, Points, Polygon, Shape, Text, fixed, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._planes import Cells, Sheet, Walk, sheets
from convviz.views._surface import Pen, Surface, fills
from convviz.views._words import worded

CELL = 72.27 / 2.54 / 2
"""Side of a cell: half a centimetre."""
LONGEST_SIDE = 385.0
"""Of a picture: cells shrink to keep to it."""
MOST_CELLS = 130
"""Along an axis of a plane: beyond it a cell would be less than three pixels."""

THICK, THIN = 0.8, 0.4
DASH = (3.0, 3.0)
MARGIN = 10.0 + THIN
SHIFT_LEFT = 2.5
"""How far the planes above are moved to the left."""
INSET = 0.15
"""Of the frame in a cell that is copied."""
PILED = 0.7
"""Rise from one channel to the next, as a part of the rise that leaves both uncovered."""
MOST_PILED = 6
"""Channels or groups that are all drawn; of more, the first three and the last."""
LEAST_CELL = 2 / DOTS_PER_POINT
NOTE = 6.5


@dataclass(frozen=True)
class Plane(Surface):
    """Places the cells of a sheet on the picture: (column x, row y) -> (x - 0.7 y, 0.5 x + 0.65 y), y upwards."""

    square = (0.32, 0.36)
    cross = CROSS
    rising = True

    sheet: Sheet
    cell: float
    right: float = 0.0
    up: float = 0.0

    def points(self, places: Any) -> Points:
        """Row 0 is at the back; x runs to the right, y downwards."""
        row, column = np.moveaxis(np.asarray(places, float), -1, 0)
        x, y = column, self.sheet.kinds.shape[0] - row
        across = (x - 0.7 * y) * self.cell + self.right
        upwards = (0.5 * x + 0.65 * y) * self.cell + self.up
        placed: Points = np.stack([across, -upwards], axis=-1)
        return placed

    @property
    def right_corner(self) -> Points:
        """The point furthest to the right."""
        corner: Points = self.corners()[2]
        return corner

    def corners(self) -> Points:
        """The (4, 2) outline of the whole plane."""
        height, width = self.sheet.kinds.shape
        return self.outlines(np.zeros((1, 2)), height, width).reshape(4, 2)


@dataclass(frozen=True)
class Stack:
    """Every plane of the picture, placed."""

    levels: tuple[tuple[Plane, ...], ...]
    """From the bottom to the top: first the channels that are read, then those that are written; at each level one
    plane for each group of channels, from left to right."""
    read: int
    """How many levels are read."""
    groups: tuple[int, ...]
    """Which groups are drawn."""
    elided: tuple[bool, ...]
    """Whether channels are left out above each level."""
    notes: tuple[tuple[float, float, str], ...]
    """x, y and words for what is left out."""
    width: float
    height: float


def layout(trace: Trace) -> Stack:
    """Where everything lies."""
    below, above = sheets(trace)
    for sheet in (below, above):
        if max(sheet.kinds.shape) > MOST_CELLS:
            raise ConvvizError(
                f"input_size is {show(trace.op.input_size)}: a plane of the picture would be {sheet.kinds.shape[0]} x "
                f"{sheet.kinds.shape[1]} cells; at most {MOST_CELLS} along an axis can be drawn"
            )
    cell = CELL
    for _ in range(2):
        placed = _place(trace, below, above, cell)
        # What does not shrink (margins) is small, so one step of the secant finds the cell.
        longest = max(placed.width, placed.height)
        if longest <= LONGEST_SIDE:
            break
        cell *= (LONGEST_SIDE - 2 * MARGIN) / (longest - 2 * MARGIN)
    if cell < LEAST_CELL:
        raise ConvvizError(
            f"input_size is {show(trace.op.input_size)}: with its channels, the picture would have cells "
            f"of less than 2 pixels; give fewer cells, channels or groups"
        )
    return _place(trace, below, above, cell)


def _place(trace: Trace, below: Sheet, above: Sheet, cell: float) -> Stack:
    op = trace.op
    groups, read, written = (_drawn(n) for n in (op.groups, op.in_channels // op.groups, op.out_channels // op.groups))
    # The planes are parallel, so a rise of their rows and one leaves one cell between them; a strip of one row gets a
    # little more. Channels lie closer, but for the gap where some are left out.
    low, high = ((max(sheet.kinds.shape[0], 2) + 1) * cell for sheet in (below, above))
    skipped = [*_skipped(read), 0, *_skipped(written)]
    rises = [low * (1 if n else PILED) for n in _skipped(read)] + [low]
    rises += [high * (1 if n else PILED) for n in _skipped(written)]
    column = [Plane(below, cell)]
    for n, rise in enumerate(rises, 1):
        sheet, right = (below, 0.0) if n < len(read) else (above, -SHIFT_LEFT)
        column.append(Plane(sheet, cell, right, column[-1].up + rise))
    notes = []
    for lower, upper, more in zip(column, column[1:], skipped, strict=False):
        if more:
            x, y = (lower.right_corner + upper.right_corner) / 2
            notes.append(Text(float(x) + NOTE, float(y), f"{more} more", NOTE, ""))
    both = np.concatenate([plane.corners() for plane in column] + [np.reshape(note.extent, (2, 2)) for note in notes])
    (left, top), (right, bottom) = both.min(axis=0) - MARGIN, both.max(axis=0) + MARGIN
    columns, words, start, gap = [], [], 0.0, 1.5 * cell - 2 * MARGIN
    for more in (*_skipped(groups), 0):
        columns.append([replace(plane, right=plane.right + start - left, up=plane.up + top) for plane in column])
        words += [(note.x + start - left, note.y - top, note.text) for note in notes]
        end = start + right - left
        start = end + gap
        if more:
            label = f"{more} more groups"
            words.append((start + MARGIN, (bottom - top) / 2, label))
            start += text_width(label, NOTE) + 1.5 * cell
    return Stack(
        tuple(zip(*columns, strict=True)), len(read), groups, tuple(map(bool, (*skipped, 0))), tuple(words),
        float(end), float(bottom - top),
    )  # fmt: skip


def _drawn(count: int) -> tuple[int, ...]:
    """Which of ``count`` channels or groups are drawn: all, or the first three and the last."""
    return tuple(range(count)) if count <= MOST_PILED else (0, 1, 2, count - 1)


def _skipped(drawn: tuple[int, ...]) -> list[int]:
    """How many are left out between each two that are drawn."""
    return [b - a - 1 for a, b in pairwise(drawn)]


def frames(trace: Trace, theme: Theme) -> Frames:
    """The stack picture of ``trace``, one frame a step."""
    stack = layout(trace)
    scale = min(1.0, 1.6 * stack.levels[0][0].cell / CELL)
    pen = _Pen(theme, THICK * scale, THIN * scale, (DASH[0] * scale, DASH[1] * scale))
    moving = _Moving(trace, stack, pen)
    layers = []
    for n, planes in enumerate(stack.levels):
        color = theme.data if n < stack.read else theme.target
        layers.append(fixed([shape for plane in planes for shape in pen.sheet(plane, color)]))
        layers.append(Layer("moving", partial(moving.level, n)))
    if stack.notes:
        layers.append(fixed([Text(x, y, words, NOTE, theme.text, role="note") for x, y, words in stack.notes]))
    picture = Frames(stack.width, stack.height, len(trace), theme.background, tuple(layers), supersampling=2)
    return worded(picture, trace, theme)


class _Pen(Pen):
    def sheet(self, plane: Plane, color: str) -> list[Shape]:
        """A plane at rest."""
        if not (plane.sheet.plain and plane.sheet.written):
            return self.rest(plane, fills(self.theme, color))
        return [
            Polygon(plane.corners()[np.newaxis], color, stroke=self.theme.edge, width=self.thin, role=DATA),
            Line(plane.grid(0, 0, *plane.sheet.kinds.shape), self.theme.line, self.thick),
        ]

    def window(self, plane: Plane, walk: Walk, t: int) -> list[Shape]:
        """The window over the cells of a plane at step ``t``; with a dilation they lie apart."""
        theme = self.theme
        if walk.spread:
            outlines = plane.outlines(walk.cells(t))
            grid: Shape = Polygon(outlines, stroke=theme.line, width=self.thick)
        else:
            (row, column), (height, width) = walk.corner(t), walk.taps[-1] + 1
            outlines = plane.outlines(walk.corner(t), height, width)
            grid = Line(plane.grid(row, column, height, width), theme.line, self.thick)
        # The reference has a thin outline too; the grid covers it.
        fill = Polygon(outlines, theme.window, theme.window_opacity, role="window")
        return [fill, grid]

    def cell(self, plane: Plane, at: Cells) -> list[Shape]:
        """The current cell of the other plane."""
        theme, outline = self.theme, plane.outlines(at)
        window, opacity = theme.window, theme.window_opacity
        return [Polygon(outline, window, opacity, stroke=theme.line, width=self.thick, role="current")]

    def copied(self, plane: Plane, at: Cells) -> list[Shape]:
        """A frame, dashed as padding is, in each cell that the padding among the cells ``at`` copies."""
        if not plane.sheet.copies(at).any():
            return []
        cells = plane.sheet.copied(at)
        frames = plane.outlines(cells + INSET, 1 - 2 * INSET, 1 - 2 * INSET)
        return [Polygon(frames, stroke=self.theme.edge, width=self.thick, dash=(1.6 * self.thick,) * 2, role="copied")]


class _Moving:
    """The shapes of one step: the window on its planes, the cell on the others, the four lines through them all."""

    def __init__(self, trace: Trace, stack: Stack, pen: _Pen) -> None:
        self.trace, self.stack, self.pen = trace, stack, pen
        self.gather = trace.order == "gather"
        self.walk = Walk(trace, stack.levels[0 if self.gather else -1][0].sheet)

    def level(self, n: int, t: int) -> Sequence[Shape]:
        """What moves on the planes of level ``n``, and the lines from there to the level above."""
        stack, pen = self.stack, self.pen
        shapes: list[Shape] = []
        for number, plane in enumerate(stack.levels[n]):
            if self._windowed(n):
                shapes += pen.window(plane, self.walk, t)
                if self.trace.winners is not None:
                    shapes += self._winner(plane, stack.groups[number], t)
                if n < stack.read:
                    shapes += pen.copied(plane, self.walk.cells(t))
            else:
                shapes += pen.cell(plane, self.walk.place(t))
                if n < stack.read:
                    shapes += pen.copied(plane, self.walk.place(t)[np.newaxis])
            if n + 1 < len(stack.levels):
                ends = [self._outline(m, stack.levels[m][number], t) for m in (n, n + 1)]
                dash = pen.dash if stack.elided[n] else None
                shapes.append(Line(np.stack(ends, axis=1), pen.theme.edge, pen.thin, dash, role="lines"))
        return shapes

    def _windowed(self, n: int) -> bool:
        return (n < self.stack.read) == self.gather

    def _outline(self, n: int, plane: Plane, t: int) -> Points:
        """The (4, 2) corners of what moves on a plane of level ``n``."""
        if not self._windowed(n):
            return plane.outlines(self.walk.place(t)).reshape(4, 2)
        height, width = self.walk.taps[-1] + 1
        return plane.outlines(self.walk.corner(t), height, width).reshape(4, 2)

    def _winner(self, plane: Plane, channel: int, t: int) -> list[Shape]:
        """The cell that max pooling takes, in the colour of the plane that it goes to."""
        assert self.trace.winners is not None
        at = self.walk.cells(t)[self.trace.winners[channel, t]]
        if plane.sheet.indices[tuple(at)] < 0:
            return []
        theme, pen = self.pen.theme, self.pen
        return [Polygon(plane.outlines(at), theme.target, stroke=theme.line, width=pen.thick, role=WINNER)]
