"""The flat picture with its numbers: what the window reads, what it computes, what comes out.

Its measures are those of the numerical figures in Dumoulin & Visin's guide: the source left, the target right, a cell
between them, both on one middle line; values in the middle of their cells, the kernel's in the lower right corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from convviz.errors import ConvvizError
from convviz.ops import show
from convviz.scene import Frames, Layer, Polygon, Shape, Text, blend, fixed, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views import _caption
from convviz.views._flat import Board, Cells, Label, check_labels, fitting, muted, readable, tinted
from convviz.views._planes import DATA, DROPPED, WINNER, Sheet, lift, sheets
from convviz.views._sums import Figures, Sum

LABELLED = True
"""Whether this view takes ``labels``."""
CELL = 26.0
LEAST_CELL = 12.0
"""Below it numbers cannot be read."""
USUAL_WIDTH, LONGEST = 400.0, 820.0
"""Cells shrink until a picture is no longer than the first; it grows to the second when they are at their least."""
MARGIN = 12.0
HEADING, HEADING_SPACE = 8.0, 17.0
NOTE, NOTE_SPACE = 7.0, 13.0
SUM_SPACE = 9.0
TURNED = "turned by 180°"

VALUE, CORNER = 0.36, 0.22
"""Font sizes, as parts of a cell."""


@dataclass(frozen=True)
class Plan:
    """How boards are arranged: in a row or a column, in cells of what size, and with what beside them."""

    cell: float
    upright: bool = False
    kernel: bool = True
    headed: bool = True
    labelled: bool = True
    corners: bool = True


class Boards:
    """The source, the kernel and the target of a trace, with their top left corner at (left, top)."""

    def __init__(self, trace: Trace, figures: Figures, theme: Theme, plan: Plan) -> None:
        self.trace, self.figures, self.plan = trace, figures, plan
        self.deep, self.theme = theme.target, tinted(theme)
        self.gather = trace.order == "gather"
        read, written = sheets(trace)
        panes = [(read, self.theme.data), (written, self.theme.target)]
        kernel = lift(trace.op.kernel_size)
        if plan.kernel:
            taps = np.asarray(trace.taps).reshape(kernel)
            panes.insert(1, (Sheet(np.full(kernel, DATA), taps, (0, 0), kernel, False), self.theme.background))
        boards, self.width, self.height = self._arranged(panes)
        self.source, self.target = boards[0], boards[-1]
        self.kernel = boards[1] if plan.kernel else None
        self.windowed = self.source if self.gather else self.target
        self.steps, self.stride = lift(trace.steps), np.array(lift(trace.layout.stride))
        self.taps = np.argwhere(np.ones(kernel)) * np.array(lift(trace.op.dilation))
        self.spread = bool((self.taps[-1] + 1 > kernel).any())
        self.origin = np.array(self.windowed.sheet.origin)
        room, symbols = 0.86 * plan.cell, figures.symbols
        large, small = (part * plan.cell * (0.87 if symbols else 1.0) for part in (VALUE, CORNER))
        self.source_size = fitting(figures.sources(), room, large)
        self.target_size = fitting(figures.targets(), room, large)
        self.kernel_size = fitting(figures.weights(), room, large)
        self.corner_size = fitting(figures.corners(), room, small)
        self.most_stamps = 1 if self.gather else max(int(figures.stamps.max()), 1)

    def _arranged(self, panes: Sequence[tuple[Sheet, str]]) -> tuple[list[Board], float, float]:
        """The boards a cell apart, in a row on one middle line or in a column."""
        cell, head = self.plan.cell, HEADING_SPACE if self.plan.headed else 0.0
        sizes = [(sheet.kinds.shape[1] * cell, sheet.kinds.shape[0] * cell) for sheet, _ in panes]
        widest, highest = (max(sides) for sides in zip(*sizes, strict=True))
        boards, x, y = [], 0.0, 0.0
        for (sheet, color), (width, height) in zip(panes, sizes, strict=True):
            if self.plan.upright:
                boards.append(Board(sheet, color, self.theme, cell, (widest - width) / 2, y + head))
                y += head + height + (cell / 2 if head else cell)
            else:
                boards.append(Board(sheet, color, self.theme, cell, x, head + (highest - height) / 2))
                x += width + cell
        last = boards[-1]
        if self.plan.upright:
            return boards, widest, last.top + last.height
        return boards, last.left + last.width, head + highest

    def moved(self, right: float, down: float) -> None:
        """Put the boards there."""
        for name in ("source", "kernel", "target", "windowed"):
            board = getattr(self, name)
            if board is not None:
                setattr(self, name, board.moved(right, down))

    # What stays

    def fixed(self) -> list[Shape]:
        theme, source, target, figures = self.theme, self.source, self.target, self.figures
        shapes = source.rest()
        if self.plan.labelled:
            for (row, column), index in np.ndenumerate(source.sheet.indices):
                ink = readable(source.fill(str(source.sheet.kinds[row, column])) or theme.background, theme)
                shapes += source.text(figures.source(int(index)), row, column, self.source_size, ink, role="source")
        if self.kernel:
            shapes += self.kernel.rest()
            for (row, column), tap in np.ndenumerate(self.kernel.sheet.indices):
                ink = readable(theme.background, theme)
                shapes += self.kernel.text(figures.weight(int(tap)), row, column, self.kernel_size, ink, role="weight")
        shapes += target.rest(empty=not theme.bare)
        if not self.gather and self.plan.labelled and not figures.symbols:
            start = figures.target(0, figures.bias)
            for row, column in np.argwhere(target.sheet.indices >= 0).tolist():
                kind = target.sheet.kinds[row, column]
                if kind != DROPPED:
                    ink = muted(theme) if kind == DATA and not theme.bare else readable(target.fill(kind) or "", theme)
                    shapes += target.text(start, row, column, self.target_size, ink, role="start")
        return shapes + (self._headings() if self.plan.headed else [])

    def _headings(self) -> list[Shape]:
        rows = [(self.source, "input", "x"), (self.kernel, "kernel", "w"), (self.target, "output", "y")]
        shapes: list[Shape] = []
        for board, word, letter in rows:
            if board is None:
                continue
            text = f"{word} {letter}"
            if text_width(text, HEADING) > board.width + 0.8 * board.cell:
                text = letter
            x, y = board.left + board.width / 2, board.top - HEADING_SPACE / 2
            shapes.append(Text(x, y, text, HEADING, muted(self.theme), "middle", role="heading"))
            if board is self.kernel and self.notes_turn:
                below = board.top + board.height + NOTE_SPACE / 2 + 1
                shapes.append(Text(x, below, TURNED, NOTE, muted(self.theme), "middle", role="note"))
        return shapes

    @property
    def notes_turn(self) -> bool:
        """Whether there is room under the kernel's board to say that it is turned."""
        board = self.kernel
        if board is None or self.plan.upright or not self.plan.headed or not self.trace.layout.turned:
            return False
        room = (self.height + HEADING_SPACE) / 2 - HEADING_SPACE - board.height / 2
        return text_width(TURNED, NOTE) < board.width + 1.6 * board.cell and room > NOTE_SPACE

    # What a step leaves

    def growing(self, t: int) -> list[Shape]:
        if self.gather:
            at = np.array([np.unravel_index(t, self.steps)])
            return self._filled(self.target, at, [self.figures.target(t)], [self.target.color])
        at, labels, fills = self._stamped(t)
        kept = [n for n, label in enumerate(labels) if label]
        return self._filled(self.target, at[kept], [labels[n] for n in kept], [fills[n] for n in kept])

    def _stamped(self, t: int) -> tuple[Cells, list[Label | None], list[str]]:
        """The cells under the stamp, their labels (None for a cell that is not kept) and their fills."""
        figures, target = self.figures, self.target
        labels: list[Label | None] = []
        fills = []
        writes = self.trace[t].writes.tolist()
        at = self._window(t)
        for place, write, count, total in zip(at, writes, figures.stamps[t], figures.totals[t], strict=True):
            labels.append(figures.target(write, total) if write >= 0 else None)
            kind = target.sheet.kinds[tuple(place)]
            fills.append(self._depth(int(count)) if write >= 0 else target.fill(kind) or self.theme.background)
        return at, labels, fills

    def _depth(self, count: int) -> str:
        """The fill of a cell after ``count`` stamps: the more, the deeper, so that overlaps are seen."""
        share = 0.8 * (count - 1) / max(self.most_stamps - 1, 1)
        return blend(self.deep, self.target.color, share)

    def _window(self, t: int) -> Cells:
        at = np.array(np.unravel_index(t, self.steps))
        cells: Cells = self.origin + at * self.stride + self.taps
        return cells

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
            if corners and self.plan.corners:
                shapes += board.text(corners[n], row, column, self.corner_size, ink, corner=True, role="corner")
        return shapes

    # What a step shows

    @property
    def moving(self) -> tuple[Callable[[int], list[Shape]], Callable[[int], list[Shape]]]:
        """What moves on the source and on the target."""
        if self.gather:
            return self._window_reads, self._current_target
        return self._current_source, self._stamp

    def _window_reads(self, t: int) -> list[Shape]:
        figures, source, step, at = self.figures, self.source, self.trace[t], self._window(t)
        fills = [source.lit(source.fill(source.sheet.kinds[tuple(cell)])) for cell in at]
        labels = [figures.source(read) for read in step.reads.tolist()]
        corners = [figures.weight(tap) for tap in step.taps.tolist()] if figures.weighted else None
        if step.winner is not None:
            fills[step.winner] = self.target.color
        shapes = self._filled(source, at, labels, fills, "window", corners)
        shapes += self._outlined(source, at)
        if step.winner is not None:
            shapes += self._outlined(source, at[step.winner : step.winner + 1])
        return shapes

    def _place(self, t: int) -> Cells:
        return np.array([np.unravel_index(t, self.steps)])

    def _current_target(self, t: int) -> list[Shape]:
        target, place = self.target, self._place(t)
        shapes = self._filled(target, place, [self.figures.target(t)], [target.lit(target.color)], "current")
        return shapes + self._outlined(target, place)

    def _current_source(self, t: int) -> list[Shape]:
        source, place = self.source, self._place(t)
        label = self.figures.source(int(self.trace.cells.reshape(-1)[t]))
        fill = source.lit(source.fill(source.sheet.kinds[tuple(place[0])]))
        return [*self._filled(source, place, [label], [fill], "current"), *self._outlined(source, place)]

    def _stamp(self, t: int) -> list[Shape]:
        figures, target, step = self.figures, self.target, self.trace[t]
        at, totals, fills = self._stamped(t)
        if figures.symbols and figures.weighted:
            corners = [figures.weight(tap) for tap in step.taps.tolist()]
        else:
            corners = [figures.product(value) for value in step.products]
        shapes = self._filled(target, at, totals, [target.lit(fill) for fill in fills], "window", corners)
        return shapes + self._outlined(target, at)

    def _outlined(self, board: Board, at: Cells) -> list[Shape]:
        """A strong line around the cells: around each where they lie apart."""
        if len(at) > 1 and not self.spread:
            height, width = at[-1] - at[0] + 1
            outline = board.outlines(at[:1], height, width)
        else:
            outline = board.outlines(at)
        return [Polygon(outline, stroke=self.theme.edge, width=2 * board.thick, role="outline")]


def plan(trace: Trace, theme: Theme) -> Plan:
    """The largest cells that fit, and whether there is room for the kernel's board."""
    shapes = [sheet.kinds.shape for sheet in sheets(trace)]
    kernel = lift(trace.op.kernel_size)
    # A strip reads best over the strip that it becomes.
    upright = not theme.bare and max(columns / rows for rows, columns in shapes) >= 3
    for with_kernel in ([True] if trace.weight is not None and not theme.bare else []) + [False]:
        boards = [shapes[0], kernel, shapes[1]] if with_kernel else shapes
        rows, columns = zip(*boards, strict=True)
        across, down = sum(columns) + len(boards) - 1, max(rows)
        if upright:
            across, down = max(columns), sum(rows) + len(boards) - 1
        cell = min(CELL, max(USUAL_WIDTH / max(across, down), LEAST_CELL))
        if cell * max(across, down) <= LONGEST:
            return Plan(cell, upright, with_kernel, headed=not theme.bare)
    raise ConvvizError(
        f"input_size is {show(trace.op.input_size)}: the picture would be {max(across, down)} cells long, and numbers "
        f'can be read in {int(LONGEST / LEAST_CELL)}; resize the input, or use the view "stack"'
    )


def check_channels(trace: Trace) -> None:
    if trace.channels:
        raise ConvvizError(f'in_channels is {trace.op.in_channels}: only the view "stack" shows channels')


def frames(trace: Trace, theme: Theme, caption: bool = False, labels: str = "values") -> Frames:
    """The numbers of ``trace``, one frame a step; ``labels`` "symbols" writes x, w and y with subscripts."""
    check_labels(labels)
    check_channels(trace)
    arrangement = plan(trace, theme)
    figures = Figures(trace, labels == "symbols")
    boards = Boards(trace, figures, theme, arrangement)
    inner = max(boards.width, Sum.least_width(figures))
    boards.moved(MARGIN + (inner - boards.width) / 2, MARGIN)
    width, bottom = inner + 2 * MARGIN, MARGIN + boards.height + SUM_SPACE
    total = Sum(figures, theme, MARGIN, bottom, inner)
    bottom += total.height
    still = total.fixed()
    if trace.layout.turned and figures.weighted and len(boards.taps) > 1 and not boards.notes_turn:
        still.append(
            Text(width / 2, bottom + NOTE_SPACE / 2, f"kernel {TURNED}", NOTE, muted(theme), "middle", role="note")
        )
        bottom += NOTE_SPACE
    moving = (Layer("moving", part) for part in (*boards.moving, total.shapes))
    layers = (fixed([*boards.fixed(), *still]), Layer("growing", boards.growing), *moving)
    picture = Frames(width, bottom + MARGIN - 3, len(trace), theme.background, layers)
    legend = [(str(kind), sheet) for sheet in sheets(trace) for kind in np.unique(sheet.kinds)]
    if figures.greatest:
        legend.append((WINNER, boards.source.sheet))
    return _caption.worded(picture, trace, tinted(theme), legend if caption else None)
