"""The flat picture with its numbers: what the window reads, what it computes, what comes out.

Its measures are those of the numerical figures in Dumoulin & Visin's guide: the source left, the target right, a cell
between them, both on one middle line; values in the middle of their cells, the kernel's in the lower right corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from convviz.cells import DATA, DROPPED
from convviz.describe import position
from convviz.errors import ConvvizError
from convviz.ops import show
from convviz.scene import DOTS_PER_POINT, Frames, Layer, Polygon, Shape, Text, blend, fixed, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._flat import ROOM, Board, Label, fitting, muted, readable, tinted
from convviz.views._planes import Cells, Sheet, Walk, lift, sheets
from convviz.views._sums import MOST_LINES, Channels, Figures, Sum, group_of
from convviz.views._words import worded

LABELLED = True
"""Whether this view takes ``labels``."""
NARROW = True
"""Whether this view has a narrow form, for a picture beside others."""
CELL = 26.0
LEAST_CELL = 12.0
"""Below it numbers cannot be read."""
USUAL_WIDTH, LONGEST = 400.0, 820.0
"""Cells shrink until a picture is no longer than the first; it grows to the second when they are at their least."""
NARROW_CELL, NARROW_WIDTH = 17.5, 192.0
"""Of a picture beside others: at most so large, that all may have the same."""
MARGIN = 12.0
HEADING, HEADING_SPACE = 8.0, 17.0
NOTE, NOTE_SPACE = 7.0, 13.0
SUM_SPACE = 9.0
Pane = TypeVar("Pane")
TURNED = "turned by 180°"

VALUE, CORNER = 0.36, 0.22
"""Font sizes, as parts of a cell."""
ALONE = 0.46
"""Of a value in a cell whose corners stay empty."""
SELDOM = 20
"""One number in so many may be set smaller than the others of its board."""
LEAST_CORNER = 8 / DOTS_PER_POINT
"""Font size below which labels in corners could not be read: where there is no room they are left out."""
INSET = 0.08
"""Of the frame in a cell that is copied."""
MOST_CORNER = 0.245
"""Of a cell: larger, they would touch its value."""


@dataclass(frozen=True)
class Plan:
    """How boards are arranged, in cells of what size, and with what beside them."""

    cell: float
    shape: Literal["row", "column", "fold"] = "row"
    """All in one row, one under the other, or the target under the others."""
    kernel: bool = True
    headed: bool = True
    labelled: bool = True
    corners: bool = True


class Boards:
    """The source, the kernel and the target of a trace, with their top left corner at (left, top).

    With channels these are one row of the picture: channel ``row`` of the input, the kernels that read it, and channel
    ``row`` of the output, each where there is one.
    """

    def __init__(self, trace: Trace, figures: Figures, theme: Theme, plan: Plan, row: int = 0) -> None:
        self.trace, self.figures, self.plan, self.row = trace, figures, plan, row
        self.deep, self.theme = theme.target, tinted(theme)
        self.gather = trace.order == "gather"
        op = trace.op
        each = op.out_channels // op.groups
        self.shows_source, self.shows_target = row < op.in_channels, row < op.out_channels
        first = row // (op.in_channels // op.groups) * each
        readers = range(first, first + each) if self.shows_source else range(0)
        self.weights = [Figures(trace, figures.symbols, row, target) for target in readers]
        """The labels of the kernels that read this row's channel."""
        self.reads = self.weights[0] if self.weights else figures
        self.writes = (
            Figures(trace, figures.symbols, min(row, op.in_channels - 1), row) if self.shows_target else figures
        )
        read, written = sheets(trace)
        panes = [(read, self.theme.data), (written, self.theme.target)]
        kernel = lift(op.kernel_size)
        if plan.kernel:
            taps = np.asarray(trace.taps).reshape(kernel)
            still = Sheet(np.full(kernel, DATA), taps, (0, 0), kernel, False)
            panes[1:1] = [(still, self.theme.background)] * each
        boards, self.width, self.height = self._arranged(panes)
        self.source, self.target = boards[0], boards[-1]
        self.kernels = boards[1:-1][: len(self.weights)]
        self.walk = Walk(trace, read if self.gather else written)
        room, symbols = ROOM * plan.cell, figures.symbols
        unit = plan.cell * (0.87 if symbols else 1.0)
        large = (VALUE if plan.corners else ALONE) * unit
        small = CORNER * unit if symbols else max(CORNER * unit, min(LEAST_CORNER, MOST_CORNER * plan.cell))
        weights = [label for each in self.weights for label in each.weights()]
        self.source_size, self.target_size, self.kernel_size = (
            # A number that is much longer than the others is set smaller alone.
            fitting(labels, room, large, wider=len(labels) // SELDOM)
            for labels in (self.reads.sources(), self.writes.targets(), weights)
        )
        self.corner_size = fitting([*self.reads.corners(), *self.writes.corners()], room, small)
        last = tuple(n - 1 for n in op.input_size)
        self.origin_size = 0.0 if symbols else fitting([_place_of(last)], room, small)
        self.most_stamps = 1 if self.gather else max(int(figures.stamps.max()), 1)

    def _arranged(self, panes: Sequence[tuple[Sheet, str]]) -> tuple[list[Board], float, float]:
        """The boards in rows, a cell apart and on one middle line; the width and the height of them all."""
        cell, head = self.plan.cell, HEADING_SPACE if self.plan.headed else 0.0
        rows = in_rows(panes, self.plan.shape)
        widths = [cell * (sum(sheet.kinds.shape[1] for sheet, _ in row) + len(row) - 1) for row in rows]
        boards, y = [], 0.0
        for row, width in zip(rows, widths, strict=True):
            x, highest = (max(widths) - width) / 2, cell * max(sheet.kinds.shape[0] for sheet, _ in row)
            for sheet, color in row:
                board = Board(sheet, color, self.theme, cell, x, y + head)
                boards.append(board.moved(0.0, (highest - board.height) / 2))
                x += board.width + cell
            y += head + highest + (cell / 2 if head else cell)
        return boards, max(widths), y - (cell / 2 if head else cell)

    def moved(self, right: float, down: float) -> None:
        """Put the boards there."""
        self.source, self.target = self.source.moved(right, down), self.target.moved(right, down)
        self.kernels = [board.moved(right, down) for board in self.kernels]

    # What stays

    def fixed(self) -> list[Shape]:
        theme, source, target = self.theme, self.source, self.target
        shapes: list[Shape] = []
        if self.shows_source:
            shapes += source.rest()
        if self.shows_source and self.plan.labelled:
            for (row, column), index in np.ndenumerate(source.sheet.indices):
                ink = readable(source.fill(str(source.sheet.kinds[row, column])) or theme.background, theme)
                shapes += source.text(self.reads.source(int(index)), row, column, self.source_size, ink, role="source")
                shapes += self._origin(row, column, ink)
        ink = readable(theme.background, theme)
        for board, figures in zip(self.kernels, self.weights, strict=False):
            shapes += board.rest()
            for (row, column), tap in np.ndenumerate(board.sheet.indices):
                shapes += board.text(figures.weight(int(tap)), row, column, self.kernel_size, ink, role="weight")
        if self.shows_target:
            shapes += target.rest(empty=not theme.bare)
        if self.shows_target and not self.gather and self.plan.labelled and not self.figures.symbols:
            start = self.writes.target(0, self.writes.bias)
            for row, column in np.argwhere(target.sheet.indices >= 0).tolist():
                kind = target.sheet.kinds[row, column]
                if kind != DROPPED:
                    ink = muted(theme) if kind == DATA and not theme.bare else readable(target.fill(kind) or "", theme)
                    shapes += target.text(start, row, column, self.target_size, ink, role="start")
        return shapes + (self._headings() if self.plan.headed else [])

    def _headings(self) -> list[Shape]:
        channels = self.trace.channels
        rows = [(self.source, "input", f"x[{self.row}]" if channels else "x")] if self.shows_source else []
        for board, figures in zip(self.kernels, self.weights, strict=False):
            rows.append((board, "kernel", f"w[{figures.channel},{self.row}]" if channels else "w"))
        if self.shows_target:
            rows.append((self.target, "output", f"y[{self.row}]" if channels else "y"))
        shapes: list[Shape] = []
        for board, word, letter in rows:
            text = f"{word} {letter}"
            room = board.width + 0.8 * board.cell
            if text_width(text, HEADING) > room:
                text = letter
            size = min(HEADING, HEADING * room / text_width(text, HEADING))
            x, y = board.left + board.width / 2, board.top - HEADING_SPACE / 2
            shapes.append(Text(x, y, text, size, muted(self.theme), "middle", role="heading"))
            if word == "kernel" and self.notes_turn:
                below = board.top + board.height + NOTE_SPACE / 2 + 1
                shapes.append(Text(x, below, TURNED, NOTE, muted(self.theme), "middle", role="note"))
        return shapes

    @property
    def notes_turn(self) -> bool:
        """Whether there is room under the kernel's board to say that it is turned."""
        if not self.kernels or self.plan.shape == "column" or not self.plan.headed or not self.trace.layout.turned:
            return False
        board, beside = self.kernels[0], [self.source, *([self.target] if self.plan.shape == "row" else [])]
        room = (max(each.height for each in beside) - board.height) / 2
        wide = board.width + (1.6 if len(self.kernels) == 1 else 0.9) * board.cell
        single = len(self.trace.taps) == 1  # which turning does not change
        return not single and text_width(TURNED, NOTE) < wide and room > NOTE_SPACE

    # What a step leaves

    def growing(self, t: int) -> list[Shape]:
        if not self.shows_target:
            return []
        if self.gather:
            return self._filled(self.target, self._place(t), [self.writes.target(t)], [self.target.color])
        at, labels, fills = self._stamped(t)
        kept = [n for n, label in enumerate(labels) if label]
        return self._filled(self.target, at[kept], [labels[n] for n in kept], [fills[n] for n in kept])

    def _stamped(self, t: int) -> tuple[Cells, list[Label | None], list[str]]:
        """The cells under the stamp, their labels (None for a cell that is not kept) and their fills."""
        figures, target = self.writes, self.target
        labels: list[Label | None] = []
        fills = []
        writes = self.trace[t].writes.tolist()
        at = self.walk.cells(t)
        for place, write, count, total in zip(at, writes, figures.stamps[t], figures.totals[t], strict=True):
            labels.append(figures.target(write, total) if write >= 0 else None)
            kind = target.sheet.kinds[tuple(place)]
            fills.append(self.depth(int(count)) if write >= 0 else target.fill(kind) or self.theme.background)
        return at, labels, fills

    def depth(self, count: int) -> str:
        """The fill of a cell after ``count`` stamps: the more, the deeper, so that overlaps are seen."""
        share = 0.8 * (count - 1) / max(self.most_stamps - 1, 1)
        return blend(self.deep, self.target.color, share)

    def _filled(
        self,
        board: Board,
        at: Cells,
        labels: Sequence[Label | None],
        fills: Sequence[str],
        role: str = "filled",
        corners: Sequence[Label] | None = None,
    ) -> list[Shape]:
        """Cells with their fills, labels and, where they are given, labels in their corners."""
        shapes: list[Shape] = []
        for fill in dict.fromkeys(fills):
            some = at[[n for n, color in enumerate(fills) if color == fill]]
            shapes.append(Polygon(board.outlines(some), fill, stroke=self.theme.line, width=board.thick, role=role))
        if not self.plan.labelled:
            return shapes
        is_source = board is self.source
        size, word = (self.source_size, "source") if is_source else (self.target_size, "target")
        word = word if role == "filled" else f"{word}-lit"
        for n, ((row, column), label, fill) in enumerate(zip(at.tolist(), labels, fills, strict=True)):
            ink = readable(fill, self.theme)
            if label:
                shapes += board.text(label, row, column, size, ink, role=word)
            if corners and self.plan.corners and self.corner_size >= LEAST_CORNER:
                shapes += board.text(corners[n], row, column, self.corner_size, ink, "lower", role="corner")
            if is_source:
                shapes += self._origin(row, column, ink)
        return shapes

    @property
    def names_origins(self) -> bool:
        """Whether there is room in padding for the place of the cell that it copies."""
        return self.plan.labelled and self.plan.corners and self.origin_size >= LEAST_CORNER

    def _copied(self, at: Cells) -> list[Shape]:
        """Where padding has no room to name them, a dashed frame in each cell that the padding among ``at`` copies."""
        source, symbols = self.source, self.figures.symbols and self.plan.labelled
        if self.names_origins or symbols or not source.sheet.copies(at).any():
            return []
        frames = source.outlines(source.sheet.copied(at) + INSET, 1 - 2 * INSET, 1 - 2 * INSET)
        dash = (1.6 * source.thick,) * 2
        return [Polygon(frames, stroke=self.theme.edge, width=source.thick, dash=dash, role="copied")]

    def _origin(self, row: int, column: int, ink: str) -> list[Text]:
        """In padding that copies a cell, the place of that cell."""
        sheet = self.source.sheet
        if not self.names_origins or not sheet.copies(np.array([[row, column]])).any():
            return []
        label = _place_of(position(int(sheet.indices[row, column]), self.trace.op.input_size))
        return self.source.text(label, row, column, self.origin_size, ink, "upper", role="origin")

    # What a step shows

    @property
    def moving(self) -> tuple[Callable[[int], list[Shape]], ...]:
        """What moves on the source and on the target."""
        source, target = self._window_reads, self._current_target
        if not self.gather:
            source, target = self._current_source, self._stamp
        return (*([source] if self.shows_source else []), *([target] if self.shows_target else []))

    def _window_reads(self, t: int) -> list[Shape]:
        figures, source, step, at = self.reads, self.source, self.trace[t], self.walk.cells(t)
        fills = [source.lit(source.fill(source.sheet.kinds[tuple(cell)])) for cell in at]
        labels = [figures.source(read) for read in step.reads.tolist()]
        corners = None
        if figures.weighted and len(self.weights) == 1:
            corners = [figures.weight(tap) for tap in step.taps.tolist()]
        winner = figures.winner(t)
        if winner is not None:
            fills[winner] = self.target.color
        shapes = self._filled(source, at, labels, fills, "window", corners)
        shapes += self._outlined(source, at)
        if winner is not None:
            shapes += self._outlined(source, at[winner : winner + 1])
        return shapes + self._copied(at)

    def _place(self, t: int) -> Cells:
        return self.walk.place(t)[np.newaxis]

    def _current_target(self, t: int) -> list[Shape]:
        target, place = self.target, self._place(t)
        shapes = self._filled(target, place, [self.writes.target(t)], [target.lit(target.color)], "current")
        return shapes + self._outlined(target, place)

    def _current_source(self, t: int) -> list[Shape]:
        source, place = self.source, self._place(t)
        label = self.reads.source(int(self.trace.cells.reshape(-1)[t]))
        fill = source.lit(source.fill(source.sheet.kinds[tuple(place[0])]))
        shapes = self._filled(source, place, [label], [fill], "current")
        return [*shapes, *self._outlined(source, place), *self._copied(place)]

    def _stamp(self, t: int) -> list[Shape]:
        figures, target, step = self.writes, self.target, self.trace[t]
        at, totals, fills = self._stamped(t)
        corners = figures.added(t)
        if figures.symbols and figures.weighted:
            single = len(figures.reads_channels) == 1
            corners = [figures.weight(tap) if single else Label("Σ") for tap in step.taps.tolist()]
        shapes = self._filled(target, at, totals, [target.lit(fill) for fill in fills], "window", corners)
        return shapes + self._outlined(target, at)

    def _outlined(self, board: Board, at: Cells) -> list[Shape]:
        """A strong line around the cells: around each where they lie apart."""
        if len(at) > 1 and not self.walk.spread:
            height, width = at[-1] - at[0] + 1
            outline = board.outlines(at[:1], height, width)
        else:
            outline = board.outlines(at)
        return [Polygon(outline, stroke=self.theme.edge, width=2 * board.thick, role="outline")]


def _place_of(place: Sequence[int]) -> Label:
    return Label(f"[{','.join(map(str, place))}]")


def in_rows(panes: Sequence[Pane], shape: str) -> list[Sequence[Pane]]:
    """What stands together where panes are arranged in that shape."""
    if shape == "row":
        return [panes]
    return [[pane] for pane in panes] if shape == "column" else [panes[:-1], panes[-1:]]


def plan(trace: Trace, theme: Theme, narrow: bool = False) -> Plan:
    """The largest cells that fit, and whether there is room for the kernels' boards."""
    op = trace.op
    planes = [sheet.kinds.shape for sheet in sheets(trace)]
    kernel = lift(op.kernel_size)
    lines = max(op.in_channels, op.out_channels)
    shape: Literal["row", "column", "fold"] = "row"
    if lines == 1 and not theme.bare:
        # A strip reads best over the strip that it becomes.
        shape = "column" if max(columns / rows for rows, columns in planes) >= 3 else "fold" if narrow else "row"
    heads = 0.0 if theme.bare else HEADING_SPACE * lines
    for with_kernel in ([True] if trace.weight is not None and not theme.bare else []) + [False]:
        boards = [*planes[:1], *([kernel] * (op.out_channels // op.groups) if with_kernel else []), *planes[1:]]
        rows = in_rows(boards, shape)
        across = max(sum(columns for _, columns in row) + len(row) - 1 for row in rows)
        down = lines * (sum(max(n for n, _ in row) + 1 for row in rows)) - 1
        usual = min(USUAL_WIDTH / max(across, down), CELL)
        if narrow and shape != "row":
            usual = min(NARROW_WIDTH / across, NARROW_CELL)
        cell = max(usual, LEAST_CELL)
        if cell * across <= LONGEST and cell * down + heads <= LONGEST:
            return Plan(cell, shape, with_kernel, headed=not theme.bare)
    most = int(LONGEST / LEAST_CELL)
    if lines > 1:
        raise ConvvizError(
            f"in_channels is {op.in_channels}: the picture would be {across} x {down} cells, and numbers can be "
            f'read in {most}; use fewer channels or a smaller input, or the view "stack"'
        )
    raise ConvvizError(
        f"input_size is {show(op.input_size)}: the picture would be {max(across, down)} cells long, and numbers can be "
        f'read in {most}; resize the input, or use the view "stack"'
    )


def frames(trace: Trace, theme: Theme, labels: str = "values", narrow: bool = False) -> Frames:
    """The numbers of ``trace``, one frame a step; ``labels`` "symbols" writes x, w and y with subscripts.

    Channels are rows, and their sums show what each channel of the input adds. A ``narrow`` picture has its output
    under the input.
    """
    op, arrangement, symbols = trace.op, plan(trace, theme, narrow), labels == "symbols"
    figures = Figures(trace, symbols)
    lines = max(op.in_channels, op.out_channels)
    rows = [Boards(trace, figures, theme, arrangement, row) for row in range(lines)]
    for name in ("source_size", "target_size", "kernel_size", "corner_size"):  # alike in all channels
        size = min(getattr(row, name) for row in rows)
        for row in rows:
            setattr(row, name, size)
    width, height = rows[0].width, rows[0].height
    # A sum for each channel of the output, of which as many are written out as a kernel's rows would be.
    summed = Channels if op.in_channels > op.groups and figures.gather else Figures
    written = range(min(op.out_channels, MOST_LINES))
    sums = [summed(trace, symbols, group_of(op, target).start, target) for target in written]
    # They stand below each other in the same columns.
    before, term, after = (max(parts) for parts in zip(*(each.widths for each in sums), strict=True))
    columns = before, term, after
    least = [NARROW_WIDTH] if narrow and not theme.bare else []
    inner = max([width, *least, *(Sum.least_width(each, columns) for each in sums)])
    y = MARGIN
    for row in rows:
        row.moved(MARGIN + (inner - width) / 2, y)
        y += height + arrangement.cell
    bottom = y - arrangement.cell + SUM_SPACE
    still: list[Shape] = []
    totals = []
    for each in sums:
        alone = len(sums) == 1
        total = Sum(each, theme, MARGIN, bottom, inner, MOST_LINES if alone else 1, None if alone else columns)
        bottom += total.height
        still += total.fixed()
        totals.append(total.shapes)
    if trace.layout.turned and figures.weighted and len(trace.taps) > 1 and not rows[0].notes_turn:
        at = MARGIN + inner / 2, bottom + NOTE_SPACE / 2
        still.append(Text(*at, f"kernel {TURNED}", NOTE, muted(theme), "middle", role="note"))
        bottom += NOTE_SPACE
    for row in rows:
        still += row.fixed()
    growing = (Layer("growing", row.growing) for row in rows)
    moving = (Layer("moving", part) for part in (*(part for row in rows for part in row.moving), *totals))
    layers = (fixed(still), *growing, *moving)
    picture = Frames(inner + 2 * MARGIN, bottom + MARGIN - 3, len(trace), theme.background, layers)
    picture = worded(picture, trace, tinted(theme))
    if rows[0].most_stamps > 1:
        deepest = rows[0].depth(rows[0].most_stamps)
        picture = replace(picture, legend=(*picture.legend, ("stamped more often", deepest, DATA)))
    return picture
