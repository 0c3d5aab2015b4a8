"""Cells on a picture: a view says where they lie, and how they look at rest is the same in all views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from convviz.cells import BEYOND, DATA, DROPPED, INSERTED, PADDING, UNVISITED
from convviz.scene import Line, Points, Polygon, Shape
from convviz.theme import Theme
from convviz.views._planes import Sheet


class Surface(ABC):
    """A sheet of cells, placed on the picture. Cells are given as an (m, 2) array of rows and columns."""

    sheet: Sheet
    square: ClassVar[tuple[float, float]]
    """The mark of an inserted zero, in a cell of side 1: where a square begins along both axes, and its side."""
    cross: ClassVar[NDArray[np.float64]]
    """(m, 2, 2) the mark of what takes no part, in a cell of side 1: lines."""
    rising: ClassVar[bool] = False
    """Whether upright lines, and so their dashes, begin at the bottom."""
    unused: ClassVar[tuple[str, str]] = (DROPPED, BEYOND)
    """What takes no part, in the order in which a file holds it; no cell overlaps another."""

    @abstractmethod
    def points(self, places: Any) -> Points:
        """Points at (row, column), an array of any shape whose last axis is that pair."""

    def outlines(self, at: NDArray[Any], height: float = 1, width: float = 1) -> Points:
        """(m, 4, 2) outlines of the cells, or of the blocks of cells whose first is at each of ``at``."""
        corners = np.array([(0, 0), (0, width), (height, width), (height, 0)])
        return self.points(np.asarray(at, float).reshape(-1, 1, 2) + corners)

    def grid(self, row: float, column: float, height: int, width: int) -> Points:
        """The (m, 2, 2) grid lines of a block of cells, the outer ones included."""
        first, last = (row + height, row) if self.rising else (row, row + height)
        upright = [((first, column + n), (last, column + n)) for n in range(width + 1)]
        level = [((row + n, column), (row + n, column + width)) for n in range(height + 1)]
        return self.points(np.array(upright + level))


def fills(theme: Theme, color: str) -> dict[str, str | None]:
    """Kind of a cell at rest -> its fill, where data cells are of ``color``; None is the background."""
    return {
        DATA: color,
        UNVISITED: theme.unvisited or color,
        PADDING: theme.padding,
        INSERTED: theme.inserted,
        DROPPED: theme.dropped,
        BEYOND: theme.dropped,
    }


@dataclass(frozen=True)
class Pen:
    """Draws surfaces in a theme's colours, with lines of these widths and dashes."""

    theme: Theme
    thick: float
    thin: float
    dash: tuple[float, float]

    def rest(self, surface: Surface, colors: dict[str, str | None], gridded: bool = True) -> list[Shape]:
        """The cells without a window over them, in the colour of their kind.

        ``gridded`` draws the dashed grid of the canvas under the plane's own cells.
        """
        sheet, line, shapes = surface.sheet, self.theme.line, list[Shape]()
        for kind in (PADDING, INSERTED, *surface.unused):
            at, fill = np.argwhere(sheet.kinds == kind), colors[kind]
            if fill and len(at):
                shapes.append(Polygon(surface.outlines(at), fill, role=kind))
                shapes += self._mark(surface, kind, at)
        if gridded:
            shapes.append(Line(surface.grid(*sheet.origin, *sheet.size), line, self.thick, self.dash))
        outside = np.argwhere((sheet.kinds == DROPPED) & ~sheet.on_canvas)
        if len(outside):
            shapes.append(Polygon(surface.outlines(outside), stroke=line, width=self.thin, dash=self.dash))
        for kind in (UNVISITED, DATA):
            at = np.argwhere(sheet.kinds == kind)
            if len(at):
                shapes.append(Polygon(surface.outlines(at), colors[kind], stroke=line, width=self.thick, role=kind))
                shapes += self._mark(surface, kind, at)
        return shapes

    def _mark(self, surface: Surface, kind: str, at: NDArray[np.int64]) -> list[Shape]:
        """What tells a kind of cell without its colour: a square for a zero, a cross for what takes no part."""
        line = self.theme.line
        if kind == INSERTED:
            begin, side = surface.square
            return [Polygon(surface.outlines(at + begin, side, side), stroke=line, width=self.thin, role="mark")]
        if kind in surface.unused or (kind == UNVISITED and self.theme.unvisited):
            ends = surface.points(at[:, np.newaxis, np.newaxis, :] + surface.cross)
            return [Line(ends.reshape(-1, 2, 2), line, self.thin, role="mark")]
        return []
