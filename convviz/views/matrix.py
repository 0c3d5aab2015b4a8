"""The operation as a matrix: y = C x, with the row or the column of C that a step uses lit.

C has a row for each output and a column for each input of a direct convolution (Dumoulin & Visin's guide, "Convolution
as a matrix operation"). A transposed convolution uses the C of its direct one by columns: y = Cᵀ x.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from convviz.errors import ConvvizError
from convviz.ops import ConvTranspose, MaxPool
from convviz.scene import Frames, Layer, Points, Polygon, Shape, Text, blend, fixed, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._flat import THICK, Label, fitting, muted, readable, tinted
from convviz.views._planes import sheets
from convviz.views._sums import Figures, Sum
from convviz.views._words import worded
from convviz.views.grid import Boards, Plan

LABELLED = True
"""Whether this view takes ``labels``."""
LEAST_CELL, LARGEST_CELL = 10.0, 13.0
LEAST_FONT = 5.0
"""Cells of C are made wider, and fewer of them are shown, rather than written smaller."""
MOST_ROWS = 25
MOST_COLUMNS = 25
USUAL, WIDEST = 250.0, 330.0
"""Of C: its cells grow until it is as wide as the first; it is wider only where labels are long."""
SMALL_CELL, SMALL_SIDE = 14.0, 126.0
"""Of the boards beside it; beyond that side their cells shrink."""
LEAST_LABELLED = 11.0
MARGIN, SPACE = 10.0, 12.0
HEADING, HEADING_SPACE = 8.0, 17.0
FORMULA, FORMULA_SPACE = 10.0, 18.0
SUM_SPACE = 9.0


@dataclass(frozen=True)
class Ruler:
    """Which of ``count`` rows or columns are shown: all, or the first and the last ones with dots between."""

    count: int
    most: int

    @cached_property
    def shown(self) -> list[int | None]:
        """
        >>> Ruler(9, 5).shown
        [0, 1, None, 7, 8]
        """
        if self.count <= self.most:
            return list(range(self.count))
        half = (self.most - 1) // 2
        return [*range(half), None, *range(self.count - half, self.count)]

    def place(self, index: int) -> int:
        """Where ``index`` is shown; where the dots are if it is not."""
        if self.count <= self.most or index < (self.most - 1) // 2:
            return index
        return max(len(self.shown) - (self.count - index), (self.most - 1) // 2)


@dataclass(frozen=True)
class Table:
    """Rows and columns of cells of one size."""

    rows: Ruler
    columns: Ruler
    left: float
    top: float
    across: float
    down: float

    @property
    def width(self) -> float:
        return len(self.columns.shown) * self.across

    def outlines(self, places: Sequence[tuple[int, int]], rows: int = 1, columns: int = 1) -> Points:
        """(m, 4, 2) outlines of cells, or of blocks of cells whose first is at each of ``places``."""
        corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)])
        at = np.array([(column, row) for row, column in places]).reshape(-1, 1, 2)
        points: Points = (at + corners) * (self.across, self.down) + (self.left, self.top)
        return points

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        left, top = self.left + column * self.across, self.top + row * self.down
        return left, top, left + self.across, top + self.down

    def text(self, label: Label, row: int, column: int, size: float, fill: str, role: str) -> list[Text]:
        left, top, right, bottom = box = self.box(row, column)
        return label.texts((left + right) / 2, (top + bottom) / 2, size, fill, "middle", box, role)


class Matrix:
    """C between y and x. Its rows are the outputs of the direct convolution, its columns the inputs."""

    def __init__(self, trace: Trace, figures: Figures, theme: Theme, left: float, top: float) -> None:
        self.trace, self.figures = trace, figures
        self.theme = tinted(theme)
        self.gather, self.turned = trace.order == "gather", isinstance(trace.op, ConvTranspose)
        outputs, inputs = prod(trace.op.output_size), prod(trace.op.input_size)
        rows, columns = (inputs, outputs) if self.turned else (outputs, inputs)
        entries = self._weights()
        widest = max(label.width(LEAST_FONT) for label in entries)
        across = max(widest / 0.88, LEAST_CELL)
        room = min(max(int(WIDEST / across), 5), MOST_COLUMNS)
        grow = min(
            LARGEST_CELL / LEAST_CELL, USUAL / (across * min(columns, room)), 1.5 * MOST_ROWS / max(rows, columns)
        )
        grow = max(grow, 1.0)
        across, down = across * grow, LEAST_CELL * grow
        font = fitting(entries, 0.88 * across, 0.5 * down)
        vectors = [*figures.sources(), *figures.targets()]
        wide = max(max(label.width(LEAST_FONT * grow) for label in vectors) / 0.88, 1.3 * LEAST_CELL * grow)
        self.font, self.vector_font = font, fitting(vectors, 0.88 * wide, 0.5 * down)
        one = Ruler(1, 1)
        ruler_y, ruler_x = Ruler(outputs, MOST_ROWS), Ruler(inputs, MOST_ROWS)
        ruler_c = Ruler(rows, MOST_ROWS)
        tallest = max(len(ruler.shown) for ruler in (ruler_y, ruler_x, ruler_c)) * down
        above = max(tallest / 2, len(ruler_c.shown) * down / 2 + FORMULA_SPACE)
        middle = top + HEADING_SPACE + above

        def table(ruler: Ruler, across_by: Ruler, at: float, wide: float) -> Table:
            return Table(ruler, across_by, at, middle - len(ruler.shown) * down / 2, wide, down)

        self.y = table(ruler_y, one, left, wide)
        self.c = table(ruler_c, Ruler(columns, room), self.y.left + self.y.width + 2 * SPACE, across)
        self.x = table(ruler_x, one, self.c.left + self.c.width + SPACE, wide)
        self.left, self.top, self.middle = left, top, middle
        self.width = self.x.left + self.x.width - left
        self.height = middle + tallest / 2 - top
        self.entries = self._entries()

    def _weights(self) -> list[Label]:
        figures = self.figures
        if figures.weighted:
            if self.trace.op.padding_mode == "zeros":
                return figures.weights()
            sums = {tuple(taps) for taps in self._links(np.ones(self.trace.reads.shape, bool)).values()}
            return [*figures.weights(), *(figures.weight_sum(taps) for taps in sums)]
        return [Label(f"1/{n}") for n in np.unique(self._divisors).tolist()]

    @property
    def _divisors(self) -> np.ndarray:
        assert self.trace.divisors is not None
        return self.trace.divisors

    def _entries(self) -> dict[tuple[int, int], Label]:
        """Row and column where it is shown -> the label of an entry that is not a zero by position."""
        figures = self.figures
        rows, columns = self._ends()
        kept = np.isin(rows, [n for n in self.c.rows.shown if n is not None])
        kept &= np.isin(columns, [n for n in self.c.columns.shown if n is not None])
        labels = {}
        for (row, column), through in self._links(kept).items():
            if not figures.weighted:
                label = Label(f"1/{self._divisors[row]}")
            elif len(through) == 1:
                label = figures.weight(through[0])
            else:  # padding that copies a cell links it to one output more than once
                label = figures.weight_sum(through)
            labels[self.c.rows.place(row), self.c.columns.place(column)] = label
        return labels

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(T, K) row and column of each link; negative where it is none."""
        reads, writes = np.asarray(self.trace.reads), np.asarray(self.trace.writes)
        return (reads, writes) if self.turned else (writes, reads)

    def _links(self, kept: np.ndarray) -> dict[tuple[int, int], list[int]]:
        """Row and column of each link that is ``kept`` -> the taps that make it."""
        rows, columns = self._ends()
        kept = kept & (rows >= 0) & (columns >= 0)
        taps = np.broadcast_to(self.trace.taps, rows.shape)
        found: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, column, tap in zip(rows[kept].tolist(), columns[kept].tolist(), taps[kept].tolist(), strict=True):
            found[row, column].append(tap)
        return found

    # What stays

    def fixed(self) -> list[Shape]:
        theme, shapes = self.theme, list[Shape]()
        for table, color in ((self.y, theme.background), (self.c, theme.background), (self.x, theme.data)):
            shapes += self._board(table, color)
        if self.entries:
            shapes.append(Polygon(self.c.outlines([*self.entries]), self._ground, stroke=theme.line, width=0.5 * THICK))
        for (row, column), label in self.entries.items():
            shapes += self.c.text(label, row, column, self.font, readable(self._ground, theme), "entry")
        outline = self.c.outlines([(0, 0)], len(self.c.rows.shown), len(self.c.columns.shown))
        shapes.append(Polygon(outline, stroke=theme.line, width=THICK))
        for row, index in enumerate(self.x.rows.shown):
            if index is not None:
                ink = readable(theme.data, theme)
                shapes += self.x.text(self.figures.source(index), row, 0, self.vector_font, ink, "x")
        if not self.gather and not self.figures.symbols:
            start = self.figures.target(0, self.figures.bias)
            for row, index in enumerate(self.y.rows.shown):
                if index is not None:
                    shapes += self.y.text(start, row, 0, self.vector_font, muted(theme), "y-start")
        return shapes + self._words()

    @property
    def _ground(self) -> str:
        """Fill of an entry."""
        return self.theme.padding or self.theme.background

    def _board(self, table: Table, color: str) -> list[Shape]:
        """Empty cells, with dots where some are left out."""
        theme = self.theme
        rows, columns = table.rows.shown, table.columns.shown
        places = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
        faint = blend(theme.line, theme.background, 0.3)
        line, width = (theme.line, THICK) if table is not self.c else (faint, 0.4 * THICK)
        shapes: list[Shape] = [Polygon(table.outlines(places), color, stroke=line, width=width)]
        return shapes + self._dots(table, [(r, c) for r, c in places if rows[r] is None or columns[c] is None], color)

    def _dots(self, table: Table, places: Sequence[tuple[int, int]], under: str) -> list[Shape]:
        """Three dots in each of the cells, along the direction in which cells are left out."""
        if not places:
            return []
        marks = []
        for row, column in places:
            left, top, right, bottom = table.box(row, column)
            down, across = table.rows.shown[row] is None, table.columns.shown[column] is None
            middle = np.array([(left + right) / 2, (top + bottom) / 2])
            marks += [middle + np.array([n * 3.0 * across, n * 3.0 * down]) for n in (-1, 0, 1)]
        angles = np.linspace(0, 2 * np.pi, 9)[:-1]
        disc = 0.6 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        ink = readable(under, self.theme)
        return [Polygon(np.array(marks)[:, np.newaxis] + disc, ink, role="dots")]

    def _words(self) -> list[Shape]:
        theme = self.theme
        formula = "y = Cᵀ x" if self.turned else "y = C x"
        if self.trace.bias is not None:
            formula += " + b"
        over = self.c.left + self.c.width / 2, self.c.top - HEADING_SPACE - FORMULA_SPACE / 2
        shapes: list[Shape] = [Text(*over, formula, FORMULA, theme.text, "middle", role="formula")]
        size = f"{self.c.rows.count}×{self.c.columns.count}"
        words = [f"C {size}", "C"]
        if self.turned or not self.by_row:
            words.insert(0, f"C {size}, used by {'rows' if self.by_row else 'columns'}")
        heading = next((w for w in words if text_width(w, HEADING) <= self.c.width + SPACE), words[-1])
        for table, text in ((self.y, "y"), (self.c, heading), (self.x, "x")):
            x = table.left + table.width / 2
            above = table.top - HEADING_SPACE / 2
            shapes.append(Text(x, above, text, HEADING, muted(theme), "middle", role="heading"))
        equals = (self.y.left + self.y.width + self.c.left) / 2
        shapes.append(Text(equals, self.middle, "=", FORMULA, theme.text, "middle", role="equals"))
        return shapes

    @property
    def by_row(self) -> bool:
        """Whether a step uses a row of C, not a column."""
        # Gather takes a row of the matrix that stands before x, scatter a column; that of Cᵀ is the other one of C.
        return self.gather != self.turned

    # What a step leaves and shows

    def growing(self, t: int) -> list[Shape]:
        fill, written = self.theme.target, self._written(t)
        if not written:
            return []
        places = [(row, 0) for row, _ in written]
        shapes: list[Shape] = [Polygon(self.y.outlines(places), fill, stroke=self.theme.line, width=THICK)]
        for row, label in written:
            shapes += self.y.text(label, row, 0, self.vector_font, readable(fill, self.theme), "y")
        return shapes

    def _written(self, t: int) -> list[tuple[int, Label]]:
        """Row where it is shown and new label of each cell of y that the step writes."""
        figures = self.figures
        step = self.trace[t]
        if self.gather:
            pairs = [(int(step.writes[0]), figures.target(int(step.writes[0])))]
        else:
            links = zip(step.writes.tolist(), figures.totals[t], strict=True)
            pairs = [(write, figures.target(write, total)) for write, total in links if write >= 0]
        shown = self.y.rows
        return [(shown.place(index), label) for index, label in pairs if shown.shown[shown.place(index)] is not None]

    def band(self, t: int) -> list[Shape]:
        """The row or the column of C that the step uses."""
        theme = self.theme
        by_row = self.by_row
        ruler = self.c.rows if by_row else self.c.columns
        at = ruler.place(self._own(t))
        shapes: list[Shape] = []
        count = len((self.c.columns if by_row else self.c.rows).shown)
        places = [(at, n) if by_row else (n, at) for n in range(count)]
        lit = [place for place in places if place in self.entries]
        blank = [place for place in places if place not in self.entries]
        ground, plain = (self._lit(color) for color in (self._ground, theme.background))
        for some, fill in ((blank, plain), (lit, ground)):
            if some:
                shapes.append(Polygon(self.c.outlines(some), fill, stroke=theme.line, width=0.5 * THICK, role="lit"))
        for row, column in lit:
            shapes += self.c.text(
                self.entries[row, column], row, column, self.font, readable(ground, theme), "entry-lit"
            )
        dotted = [(r, c) for r, c in places if self.c.rows.shown[r] is None or self.c.columns.shown[c] is None]
        shapes += self._dots(self.c, dotted, plain)
        band = self.c.outlines(places[:1], *((1, count) if by_row else (count, 1)))
        shapes.append(Polygon(band, stroke=theme.edge, width=2 * THICK, role="outline"))
        return shapes

    def _own(self, t: int) -> int:
        """The cell that the step is about."""
        return int(self.trace.cells.reshape(-1)[t])

    def read(self, t: int) -> list[Shape]:
        """The cells of x that take part."""
        cells = sorted({n for n in self.trace[t].reads.tolist() if n >= 0})
        labels = {self.x.rows.place(n): self.figures.source(n) for n in cells}
        return self._touched(self.x, labels, self.theme.data, "x-lit")

    def written(self, t: int) -> list[Shape]:
        """The cells of y that take part."""
        cells = sorted({n for n in self.trace[t].writes.tolist() if n >= 0})
        new = dict(self._written(t))
        labels = {self.y.rows.place(n): new.get(self.y.rows.place(n), Label("")) for n in cells}
        return self._touched(self.y, labels, self.theme.target, "y-lit")

    def _touched(self, table: Table, labels: dict[int, Label], color: str, role: str) -> list[Shape]:
        """Cells of a column that take part in the step; the dots where they are left out."""
        if not labels:
            return []
        fill = self._lit(color)
        places = [(row, 0) for row in labels]
        shapes: list[Shape] = [
            Polygon(table.outlines(places), fill, stroke=self.theme.edge, width=1.5 * THICK, role="touched")
        ]
        hidden = [place for place in places if table.rows.shown[place[0]] is None]
        shapes += self._dots(table, hidden, fill)
        for row, label in labels.items():
            if table.rows.shown[row] is not None:
                shapes += table.text(label, row, 0, self.vector_font, readable(fill, self.theme), role)
        return shapes

    def _lit(self, color: str) -> str:
        return blend(self.theme.window, color, self.theme.window_opacity)


def frames(trace: Trace, theme: Theme, labels: str = "values") -> Frames:
    """``trace`` as a product of a matrix and a vector, one frame a step; ``labels`` as in the view "grid"."""
    if trace.channels:
        raise ConvvizError(f'in_channels is {trace.op.in_channels}: the view "matrix" shows one channel; use "grid"')
    if isinstance(trace.op, MaxPool):
        raise ConvvizError('view is "matrix": a maximum is not linear, so no matrix computes it; use "grid" or "stack"')
    figures = Figures(trace, labels == "symbols")
    boards = _boards(trace, figures, theme)
    matrix = Matrix(trace, figures, theme, MARGIN + boards.width + 2 * SPACE, MARGIN)
    height = max(matrix.height, boards.height)
    matrix_down = (height - matrix.height) / 2
    if matrix_down:
        matrix = Matrix(trace, figures, theme, MARGIN + boards.width + 2 * SPACE, MARGIN + matrix_down)
    boards.moved(MARGIN, MARGIN + (height - boards.height) / 2)
    inner = boards.width + 2 * SPACE + matrix.width
    wide = max(inner, Sum.least_width(figures))
    total = Sum(figures, theme, MARGIN, MARGIN + height + SUM_SPACE, wide)
    still = [*matrix.fixed(), *total.fixed()]
    parts = (*boards.moving, matrix.band, matrix.read, matrix.written, total.shapes)
    growing = (Layer("growing", boards.growing), Layer("growing", matrix.growing))
    layers = (fixed([*boards.fixed(), *still]), *growing, *(Layer("moving", part) for part in parts))
    bottom = MARGIN + height + SUM_SPACE + total.height
    picture = Frames(wide + 2 * MARGIN, bottom + MARGIN - 3, len(trace), theme.background, layers)
    return worded(picture, trace, tinted(theme))


def _boards(trace: Trace, figures: Figures, theme: Theme) -> Boards:
    """The grid picture, small: the input over the output."""
    shapes = [sheet.kinds.shape for sheet in sheets(trace)]
    widest, high = max(columns for _, columns in shapes), sum(rows for rows, _ in shapes) + 1
    cell = min(SMALL_CELL, SMALL_SIDE / widest, 2 * SMALL_SIDE / high)
    plan = Plan(cell, "column", kernel=False, headed=False, labelled=cell >= LEAST_LABELLED, corners=False)
    return Boards(trace, figures, theme, plan)
