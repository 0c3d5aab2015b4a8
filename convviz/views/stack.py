"""The isometric picture: the plane that is read below, the plane that is written above, the window between them.

Its measures are those of the figures in Dumoulin & Visin's guide, so that theme "reference" is that picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz.errors import ConvvizError
from convviz.scene import Frames, Layer, Line, Points, Polygon, Shape, fixed
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views import _caption
from convviz.views._planes import CROSS, DATA, DROPPED, INSERTED, PADDING, UNVISITED, Sheet, lift, sheets

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
"""How far the plane above is moved to the left."""


@dataclass(frozen=True)
class Plane:
    """Places the cells of a sheet on the picture: (column x, row y) -> (x - 0.7 y, 0.5 x + 0.65 y), y upwards."""

    sheet: Sheet
    cell: float
    right: float = 0.0
    up: float = 0.0

    def points(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Points:
        """Points at (row, column), row 0 at the back: an array of their shape and 2, x to the right, y downwards."""
        x, y = np.asarray(columns, float), self.sheet.kinds.shape[0] - np.asarray(rows, float)
        across = (x - 0.7 * y) * self.cell + self.right
        upwards = (0.5 * x + 0.65 * y) * self.cell + self.up
        placed: Points = np.stack([across, -upwards], axis=-1)
        return placed

    def cells(self, at: NDArray[np.int64], height: float = 1, width: float = 1, inset: float = 0) -> Points:
        """The (m, 4, 2) outlines of the cells, or of blocks of cells, whose first is at each (row, column) of at."""
        rows, columns = np.asarray(at, float).reshape(-1, 2, 1).swapaxes(0, 1)
        low, high = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
        return self.points(
            rows + inset + low * (height - 2 * inset),
            columns + inset + high * (width - 2 * inset),
        )

    def grid(self, row: float, column: float, height: int, width: int) -> Points:
        """The (m, 2, 2) grid lines of a block of cells, the outer ones included."""
        down, across = np.arange(height + 1.0), np.arange(width + 1.0)
        upright = self.points(
            np.broadcast_to([row + height, row], (width + 1, 2)), (column + across)[:, np.newaxis] + [0.0, 0.0]
        )
        level = self.points(
            (row + down)[:, np.newaxis] + [0.0, 0.0], np.broadcast_to([column, column + width], (height + 1, 2))
        )
        return np.concatenate([upright, level])

    def corners(self) -> Points:
        """The (4, 2) outline of the whole plane."""
        height, width = self.sheet.kinds.shape
        return self.cells(np.zeros((1, 2), np.int64), height, width).reshape(4, 2)


def layout(trace: Trace) -> tuple[Plane, Plane, float, float]:
    """The plane below, the plane above, and the picture's width and height."""
    below, above = sheets(trace)
    for sheet in (below, above):
        if max(sheet.kinds.shape) > MOST_CELLS:
            shown = ",".join(map(str, trace.op.input_size))
            raise ConvvizError(
                f"input_size is {shown}: a plane of the picture would be {sheet.kinds.shape[0]} x "
                f"{sheet.kinds.shape[1]} cells; at most {MOST_CELLS} along an axis can be drawn"
            )
    cell = CELL
    for _ in range(2):
        planes, size = _place(below, above, cell)
        # What does not shrink (margins) is small, so one step of the secant finds the cell.
        longest = max(size)
        if longest <= LONGEST_SIDE:
            break
        cell *= (LONGEST_SIDE - 2 * MARGIN) / (longest - 2 * MARGIN)
    planes, size = _place(below, above, cell)
    return *planes, *size


def _place(below: Sheet, above: Sheet, cell: float) -> tuple[tuple[Plane, Plane], tuple[float, float]]:
    # The planes are parallel, so this leaves one cell between them; a strip of one row gets a little more.
    up = (max(below.kinds.shape[0], 2) + 1) * cell
    low, high = Plane(below, cell), Plane(above, cell, -SHIFT_LEFT, up)
    both = np.concatenate([low.corners(), high.corners()])
    (left, top), (right, bottom) = both.min(axis=0) - MARGIN, both.max(axis=0) + MARGIN
    planes = Plane(below, cell, -left, top), Plane(above, cell, -SHIFT_LEFT - left, up + top)
    return planes, (float(right - left), float(bottom - top))


def frames(trace: Trace, theme: Theme, caption: bool = False) -> Frames:
    """The stack picture of ``trace``, one frame a step."""
    below, above, width, height = layout(trace)
    scale = min(1.0, 1.6 * below.cell / CELL)
    pen = _Pen(theme, THICK * scale, THIN * scale, (DASH[0] * scale, DASH[1] * scale))
    moving = _Moving(trace, below, above, pen)
    layers = [fixed(pen.sheet(below, theme.data)), Layer("moving", moving.below)]
    layers += [fixed(pen.sheet(above, theme.target)), Layer("moving", moving.above)]
    picture = Frames(width, height, len(trace), theme.background, tuple(layers))
    kinds = [(kind, plane.sheet) for plane in (below, above) for kind in np.unique(plane.sheet.kinds)]
    return _caption.worded(picture, trace, theme, kinds if caption else None)


@dataclass(frozen=True)
class _Pen:
    theme: Theme
    thick: float
    thin: float
    dash: tuple[float, float]

    def sheet(self, plane: Plane, color: str) -> list[Shape]:
        """A plane at rest."""
        theme, kinds, line = self.theme, plane.sheet.kinds, self.theme.line
        height, width = kinds.shape
        if plane.sheet.plain and plane.sheet.written:
            return [
                Polygon(plane.corners()[np.newaxis], color, stroke=theme.edge, width=self.thin, role=DATA),
                Line(plane.grid(0, 0, height, width), line, self.thick),
            ]
        shapes: list[Shape] = []
        for kind, fill in ((PADDING, theme.padding), (INSERTED, theme.inserted), (DROPPED, theme.dropped)):
            at = np.argwhere(kinds == kind)
            if fill and len(at):
                shapes.append(Polygon(plane.cells(at), fill, role=kind))
                shapes += self._mark(plane, kind, at)
        (top, left), (rows, columns) = plane.sheet.origin, plane.sheet.size
        shapes.append(Line(plane.grid(top, left, rows, columns), line, self.thick, self.dash))
        outside = np.argwhere((kinds == DROPPED) & ~plane.sheet.on_canvas)
        if len(outside):
            shapes.append(Polygon(plane.cells(outside), stroke=line, width=self.thin, dash=self.dash))
        for kind, fill in ((UNVISITED, theme.unvisited or color), (DATA, color)):
            at = np.argwhere(kinds == kind)
            if len(at):
                shapes.append(Polygon(plane.cells(at), fill, stroke=line, width=self.thick, role=kind))
                shapes += self._mark(plane, kind, at)
        return shapes

    def _mark(self, plane: Plane, kind: str, at: NDArray[np.int64]) -> list[Shape]:
        """What tells a kind of cell without its colour: a ring for a zero, a cross for what takes no part."""
        theme = self.theme
        if kind == INSERTED and theme.inserted:
            return [Polygon(plane.cells(at, inset=0.32), stroke=theme.line, width=self.thin, role="mark")]
        if (kind == DROPPED and theme.dropped) or (kind == UNVISITED and theme.unvisited):
            places = at[:, np.newaxis, np.newaxis, :] + CROSS
            return [
                Line(plane.points(places[..., 0], places[..., 1]).reshape(-1, 2, 2), theme.line, self.thin, role="mark")
            ]
        return []

    def window(self, plane: Plane, corner: NDArray[np.int64], taps: NDArray[np.int64], spread: bool) -> list[Shape]:
        """The window over cells ``taps`` of a plane; with a dilation (``spread``) they lie apart."""
        theme = self.theme
        height, width = taps[-1] + 1
        if spread:
            outlines = plane.cells(corner + taps)
            grid: Shape = Polygon(outlines, stroke=theme.line, width=self.thick)
        else:
            outlines = plane.cells(corner[np.newaxis], height, width)
            grid = Line(plane.grid(corner[0], corner[1], height, width), theme.line, self.thick)
        # The reference has a thin outline too; the grid covers it.
        fill = Polygon(outlines, theme.window, theme.window_opacity, role="window")
        return [fill, grid]

    def cell(self, plane: Plane, at: NDArray[np.int64]) -> list[Shape]:
        """The current cell of the other plane."""
        theme, outline = self.theme, plane.cells(at[np.newaxis])
        window, opacity = theme.window, theme.window_opacity
        return [Polygon(outline, window, opacity, stroke=theme.line, width=self.thick, role="current")]


class _Moving:
    """The shapes of one step: the window on its plane, the cell on the other, the four lines between them."""

    def __init__(self, trace: Trace, below: Plane, above: Plane, pen: _Pen) -> None:
        self.below_plane, self.above_plane, self.pen = below, above, pen
        self.gather = trace.order == "gather"
        self.steps, self.stride = lift(trace.steps), np.array(lift(trace.layout.stride))
        kernel, dilation = lift(trace.op.kernel_size), np.array(lift(trace.op.dilation))
        self.taps = np.argwhere(np.ones(kernel)) * dilation
        self.spread = bool((self.taps[-1] + 1 > kernel).any())
        self.window_origin = np.array((below if self.gather else above).sheet.origin)

    def _places(self, t: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        at = np.array(np.unravel_index(t, self.steps))
        return at, self.window_origin + at * self.stride

    def below(self, t: int) -> Sequence[Shape]:
        at, corner = self._places(t)
        pen, below, above = self.pen, self.below_plane, self.above_plane
        height, width = self.taps[-1] + 1
        if self.gather:
            shapes = pen.window(below, corner, self.taps, self.spread)
            low, high = below.cells(corner[np.newaxis], height, width), above.cells(at[np.newaxis])
        else:
            shapes = pen.cell(below, at)
            low, high = below.cells(at[np.newaxis]), above.cells(corner[np.newaxis], height, width)
        shapes.append(Line(np.stack([low[0], high[0]], axis=1), pen.theme.edge, pen.thin, role="lines"))
        return shapes

    def above(self, t: int) -> Sequence[Shape]:
        at, corner = self._places(t)
        if self.gather:
            return self.pen.cell(self.above_plane, at)
        return self.pen.window(self.above_plane, corner, self.taps, self.spread)
