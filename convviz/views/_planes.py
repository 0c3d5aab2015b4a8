"""What every view of a trace needs to know: the two planes of cells, the kind of each cell, and the window's walk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convviz import windows
from convviz.cells import BEYOND, DATA, DROPPED, INSERTED, PADDING, UNVISITED
from convviz.ops import AveragePool, Layout
from convviz.trace import Trace

Cells = NDArray[np.int64]
"""(m, 2) rows and columns, or (2,) those of one cell."""


@dataclass(frozen=True)
class Sheet:
    """One plane, as the picture shows it; a 1-D plane is a strip of one row."""

    kinds: NDArray[np.str_]
    """(rows, columns) the kind of each cell."""
    indices: NDArray[np.int64]
    """(rows, columns) the flat index of each cell of the plane itself, in padding of the cell that it copies; negative
    where there is no cell."""
    origin: tuple[int, int]
    """Row and column of the canvas's first cell: cells before it are cropped."""
    size: tuple[int, int]
    """Rows and columns of the canvas."""
    written: bool
    """Whether this is the plane that the operation writes."""

    @property
    def plain(self) -> bool:
        """Whether there is nothing but the plane itself, and all of it is visited."""
        return bool((self.kinds == DATA).all())

    def copies(self, at: Cells) -> NDArray[np.bool_]:
        """(m,) which of the cells (m, 2) are padding that copies a cell."""
        rows, columns = at.T
        copies: NDArray[np.bool_] = (self.kinds[rows, columns] == PADDING) & (self.indices[rows, columns] >= 0)
        return copies

    def copied(self, at: Cells) -> Cells:
        """The cells of the plane itself that the padding among the cells (m, 2) copies."""
        rows, columns = at[self.copies(at)].T
        return np.argwhere(np.isin(self.indices, self.indices[rows, columns]) & np.isin(self.kinds, (DATA, UNVISITED)))

    @property
    def on_canvas(self) -> NDArray[np.bool_]:
        """(rows, columns) whether a cell is on the canvas rather than cropped off it."""
        on = np.zeros(self.kinds.shape, bool)
        (top, left), (rows, columns) = self.origin, self.size
        on[top : top + rows, left : left + columns] = True
        return on


def lift(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Sizes of a 1-D operation as those of a strip of one row."""
    return (1, *sizes)[-2:]  # type: ignore[return-value]


class Walk:
    """Where the window stands at each step, in rows and columns of ``sheet``, which is the plane under it."""

    def __init__(self, trace: Trace, sheet: Sheet) -> None:
        kernel = lift(trace.op.kernel_size)
        self.steps, self.stride = lift(trace.steps), np.array(lift(trace.layout.stride))
        self.taps = np.argwhere(np.ones(kernel)) * np.array(lift(trace.op.dilation))
        """(K, 2) the cells of the window, from its corner."""
        self.spread = bool((self.taps[-1] + 1 > kernel).any())
        """Whether they lie apart."""
        self.origin = np.array(sheet.origin)

    def place(self, t: int) -> Cells:
        """(2,) the cell of the other plane that step ``t`` is about."""
        return np.array(np.unravel_index(t, self.steps))

    def corner(self, t: int) -> Cells:
        """(2,) the window's first cell."""
        corner: Cells = self.origin + self.place(t) * self.stride
        return corner

    def cells(self, t: int) -> Cells:
        """(K, 2) the cells under the window."""
        cells: Cells = self.corner(t) + self.taps
        return cells


def sheets(trace: Trace) -> tuple[Sheet, Sheet]:
    """The plane that is read and the plane that is written. The window walks over the one of the trace's order."""
    gather = trace.order == "gather"
    windowed = _windowed(trace, written=not gather)
    other = _stepped(trace, written=gather)
    return (windowed, other) if gather else (other, windowed)


def _stepped(trace: Trace, written: bool) -> Sheet:
    """The plane with a cell a step; where the padding holds copies, they step too."""
    indices = trace.cells.reshape(lift(trace.steps))
    kinds = np.full(indices.shape, DATA, dtype="<U9")
    if trace.op.padding_mode != "zeros" and not written:
        plain = windows.canvas(trace.op.input_size, trace.op.padding, (1,) * len(trace.steps))
        kinds[plain.reshape(kinds.shape) == windows.PADDING] = PADDING
    return Sheet(kinds, indices, (0, 0), indices.shape, written)


def _windowed(trace: Trace, written: bool) -> Sheet:
    op, layout = trace.op, trace.layout
    shown = tuple((max(begin, 0), max(end, 0)) for begin, end in layout.padding)
    plain = windows.canvas(layout.plane, shown, layout.spacing, beyond=layout.beyond)
    indices = plain
    if layout.padding_mode != "zeros":
        indices = windows.canvas(layout.plane, shown, layout.spacing, layout.padding_mode)
    kinds = np.full(indices.shape, DATA, dtype="<U9")
    kinds[plain == windows.PADDING] = DROPPED if written else PADDING
    kinds[plain == windows.INSERTED] = DROPPED if written else INSERTED
    kinds[plain == windows.BEYOND] = BEYOND
    if isinstance(op, AveragePool) and not op.count_include_pad and not written:
        kinds[plain == windows.PADDING] = BEYOND
    covered = np.ones(indices.shape, bool)
    for axis, touched in enumerate(_covered(op.kernel_size, op.dilation, layout, trace.steps, indices.shape)):
        covered &= np.expand_dims(touched, tuple(a for a in range(indices.ndim) if a != axis))
    kinds[~covered & (kinds != DATA)] = DROPPED
    kinds[~covered & (kinds == DATA)] = UNVISITED
    origin = tuple(max(-begin, 0) for begin, _ in layout.padding)
    for axis, (first, length) in enumerate(zip(origin, trace.canvas.shape, strict=True)):
        cropped = np.ones(indices.shape[axis], bool)
        cropped[first : first + length] = False
        strips = (slice(None),) * axis + (cropped,)
        # Cells of an output that no cell of the input reaches, since all that they read is padding, are kept.
        kinds[strips] = np.where(written & (indices[strips] >= 0), UNVISITED, DROPPED)
    shape, top_left = lift(kinds.shape), (0, *origin)[-2:]
    size = lift(trace.canvas.shape)
    return Sheet(kinds.reshape(shape), indices.reshape(shape), top_left, size, written)  # type: ignore[arg-type]


def _covered(
    kernel: tuple[int, ...], dilation: tuple[int, ...], layout: Layout, steps: tuple[int, ...], shape: tuple[int, ...]
) -> list[NDArray[np.bool_]]:
    """Along each axis, which cells some window covers: windows cover a cell where they do so along both axes."""
    masks = []
    for k, d, s, n, (begin, _), length in zip(
        kernel, dilation, layout.stride, steps, layout.padding, shape, strict=True
    ):
        touched = np.arange(n)[:, np.newaxis] * s + np.arange(k) * d + max(-begin, 0)
        mask = np.zeros(length, bool)
        mask[touched[touched < length]] = True
        masks.append(mask)
    return masks
