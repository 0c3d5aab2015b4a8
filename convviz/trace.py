"""The recorded steps of an operation: its link table, its numbers, its matrix.

A link says that a source cell reaches a target cell through a tap of the kernel. The table holds one row a step: in
gather order a step is one output cell and the cells that its window reads; in scatter order a step is one input cell
and the cells that its stamp writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convviz.errors import ConvvizError, shown
from convviz.ops import AveragePool, ConvTranspose, Layout, MaxPool, Operation, show
from convviz.windows import BEYOND, MOST_CELLS, PADDING, canvas, windows

ORDERS = ("gather", "scatter")
MOST_NUMBERS = 1 << 26
"""Links, and entries of a matrix: half a gigabyte of them."""

Array = NDArray[Any]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Step:
    """One step. K is the number of kernel taps; with channels, the arrays have the axes named in brackets first."""

    index: int
    """Which step, from 0."""
    position: tuple[int, ...]
    """The cell that the step is about: an output cell in gather order, an input cell in scatter order (of the padded
    input where the padding holds copies)."""
    corner: tuple[int, ...]
    """First cell of the window, in cells of the canvas."""
    reads: Indices
    """(K,) flat index of the source cell behind each tap; -1 padding or cropped, -2 an inserted zero, -3 past the
    padding."""
    writes: Indices
    """(K,) flat index of the target cell behind each tap; -1 outside or cropped, -2 between two strides."""
    taps: Indices
    """(K,) flat index of the kernel's weight at each place of the window."""
    values: Array
    """([in_channels,] K) what is read; where there is no cell 0, for max pooling minus infinity."""
    weights: Array | None
    """([out_channels, in_channels / groups,] K) the weights in window order. Average pooling: ([channels, 1,] K) one
    over the divisor. Max pooling: None."""
    products: Array
    """([out_channels,] K) value times weight, summed over the input channels. Max pooling: the values."""
    value: Any
    """([out_channels]) gather: the output cell's value, bias included. ([in_channels]) scatter: the input's."""
    winner: Any = None
    """([channels]) max pooling: the place in the window, 0 to K - 1, of its (first) greatest value."""
    divisor: Any = None
    """Average pooling: how many cells of the window count; in scatter order (K,) for the target behind each tap."""


class Trace:
    """The steps of ``op`` on ``x``. Made by `trace`, which documents the parameters.

    Indexing gives a `Step`; ``len()`` is the number of steps, T. K is the number of kernel taps.
    """

    _nothing: float = 0
    """What is read where there is no cell."""

    def __init__(
        self, op: Operation, numbers: tuple[Array, Array | None] | None, bias: Array | None, order: str
    ) -> None:
        self.op = op
        self.order = order
        self._given = numbers
        self.bias = bias
        layout: Layout = op.gather if order == "gather" else op.scatter
        self.layout = layout
        """How the plane under the window (gather: the input, scatter: the output) is laid out."""
        links = prod(layout.steps) * prod(op.kernel_size) * op.in_channels * op.out_channels // op.groups
        if links > MOST_NUMBERS:
            raise ConvvizError(
                f"kernel_size is {show(op.kernel_size)}: over an input of {show(op.input_size)} that makes {links} "
                f"products; at most {MOST_NUMBERS} can be traced"
            )
        self.steps: tuple[int, ...] = layout.steps
        """Steps along each axis; their product is ``len(self)``."""
        self.canvas: Indices = canvas(layout.plane, layout.padding, layout.spacing, layout.padding_mode, layout.beyond)
        """Flat index of each cell of the plane under the window; -1, -2 and -3 as in `Step`."""
        if self.canvas.size * max(op.in_channels, op.out_channels) > MOST_NUMBERS:
            raise ConvvizError(
                f"in_channels is {op.in_channels}, out_channels {op.out_channels}: with {self.canvas.size} padded "
                "cells each they are too many to trace"
            )
        # A convolution over the output can have more places than the input has cells (output_padding >= stride).
        places = windows(self.canvas, op.kernel_size, layout.stride, op.dilation)
        self.windows: Indices = places[tuple(slice(n) for n in self.steps)]
        """(*steps, *kernel_size) view of the canvas: what the window covers at each step."""

    def __len__(self) -> int:
        return prod(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return (self[t] for t in range(len(self)))

    def __repr__(self) -> str:
        return f"<Trace of {self.op!r}, order {self.order!r}, {len(self)} steps>"

    @cached_property
    def cells(self) -> Indices:
        """(*steps) flat index of the cell that each step is about."""
        if self.order == "scatter" and self.op.padding_mode != "zeros":
            return canvas(self.op.input_size, self.op.padding, (1,) * len(self.steps), self.op.padding_mode)
        return np.arange(len(self)).reshape(self.steps)

    @cached_property
    def _arrays(self) -> tuple[Array, Array | None]:
        """Input and kernel. Those of the guide are drawn when they are needed: most pictures show no number."""
        return self._given or _guides_numbers(self.op)

    @property
    def x(self) -> Array:
        """The input."""
        return self._arrays[0]

    @property
    def weight(self) -> Array | None:
        """The kernel; None for pooling."""
        return self._arrays[1]

    @property
    def taps(self) -> Indices:
        """(K,) flat index of the kernel's weight at each place of the window."""
        taps = np.arange(prod(self.op.kernel_size))
        return taps[::-1] if self.layout.turned else taps

    @property
    def reads(self) -> Indices:
        """(T, K) flat index of the source cell of each link; negative where there is none, as in `Step`."""
        return self._table() if self.order == "gather" else self._own()

    @property
    def writes(self) -> Indices:
        """(T, K) flat index of the target cell of each link; -1 outside or cropped, -2 between two strides."""
        return self._table() if self.order == "scatter" else self._own()

    def _table(self) -> Indices:
        return self.windows.reshape(len(self), -1)

    def _own(self) -> Indices:
        return np.broadcast_to(self.cells.reshape(-1, 1), (len(self), prod(self.op.kernel_size)))

    @cached_property
    def output(self) -> Array:
        """The result. Shape ``output_size``, with (out_channels,) before it where the operation has channels."""
        total = self._gathered() if self.order == "gather" else self._scattered()
        if self.divisors is not None:
            total = total / self.divisors
        if self.bias is not None:
            total = total + self.bias.reshape(-1, 1)
        return self._shaped(total, self.op.output_size)

    @cached_property
    def rounding(self) -> Array:
        """How far each number of the output can be from its true value: a rounding for each of its terms, of their sum.

        Shape of the output. Sums of integers are exact.
        """
        if self.output.dtype.kind != "f":
            return np.zeros(self.output.shape)
        weight, bias = (None if array is None else np.abs(array) for array in (self.weight, self.bias))
        terms = prod(self.op.kernel_size) * self.op.in_channels // self.op.groups + 1
        sizes: Array = Trace(self.op, (np.abs(self.x), weight), bias, self.order).output
        return terms * np.finfo(float).eps * sizes

    @cached_property
    def divisors(self) -> Indices | None:
        """Average pooling: (output cells,) how many cells of each window count. None for other operations."""
        op = self.op
        if not isinstance(op, AveragePool):
            return None
        layout = op.gather
        laid = canvas(layout.plane, layout.padding, layout.spacing, beyond=layout.beyond)
        counted = laid != BEYOND if op.count_include_pad else laid >= 0
        seen = windows(counted, op.kernel_size, op.stride, op.dilation)
        counts: Indices = seen.sum(axis=tuple(range(-len(op.kernel_size), 0))).reshape(-1)
        return counts

    @property
    def winners(self) -> Indices | None:
        """Max pooling: (channels, T) the place in the window of its first greatest value. None for other operations."""
        return None

    def __getitem__(self, t: int) -> Step:
        if not -len(self) <= t < len(self):
            raise IndexError(f"step {t} of {len(self)}")
        t %= len(self)
        op, gather = self.op, self.order == "gather"
        position = tuple(int(p) for p in np.unravel_index(t, self.steps))
        corner = tuple(p * s for p, s in zip(position, self.layout.stride, strict=True))
        covered = self.windows[position].reshape(-1)
        own = np.full_like(covered, self.cells[position])
        reads, writes = (covered, own) if gather else (own, covered)
        value = (self.output.reshape(op.out_channels, -1) if gather else self._x)[:, own[0]]
        values = self._read(reads)
        weights, products, marks = self._links(t, values, writes)
        if not self.channels:
            values, products, value = values[0], products[0], value[0]
            weights = None if weights is None else weights[0, 0]
        return Step(t, position, corner, reads, writes, self.taps, values, weights, products, value, **marks)

    def _links(self, t: int, values: Array, writes: Indices) -> tuple[Array | None, Array, dict[str, Any]]:
        """Weights and products of one step's links, and what else its `Step` says."""
        op, marks = self.op, {}
        weights = self._weights[..., self.taps]
        if self.divisors is not None:
            by_target = np.where(writes >= 0, self.divisors[np.maximum(writes, 0)], 1)
            marks["divisor"] = by_target if self.order == "scatter" else self.divisors[t]
            weights = weights / marks["divisor"]
        grouped = values.reshape(op.groups, -1, values.shape[-1])
        products = np.einsum("gmck,gck->gmk", weights, grouped).reshape(-1, values.shape[-1])
        return weights.reshape(-1, *weights.shape[2:]), products, marks

    def matrix(self) -> Array:
        """The dense C of ``y = C x``: one row an output cell, one column an input cell (bias aside).

        With channels, rows and columns run over (channel, cell). Raises `ConvvizError` where it would have more
        than 64 million entries, or for max pooling, which has none.
        """
        op = self.op
        cells_out, cells_in = prod(op.output_size), prod(op.input_size)
        rows, columns = cells_out * op.out_channels, cells_in * op.in_channels
        if rows * columns > MOST_NUMBERS:
            raise ConvvizError(
                f"input_size is {show(op.input_size)}: its matrix has {rows} x {columns} entries, too many"
            )
        c = np.zeros((op.groups, op.out_channels // op.groups, cells_out, op.groups, op.in_channels // op.groups,
                      cells_in), dtype=self._weights.dtype)  # fmt: skip
        reads, writes, taps = self.reads, self.writes, self.taps
        t, k = np.nonzero((reads >= 0) & (writes >= 0))
        for g in range(op.groups):
            entries = np.moveaxis(self._weights[g][..., taps[k]], -1, 0)
            # Added, not assigned: padding that copies a cell links it to the same target once more.
            at: Any = (slice(None), writes[t, k], slice(None), reads[t, k])
            np.add.at(c[g, :, :, g], at, entries)
        if self.divisors is not None:
            c = c / self.divisors[:, np.newaxis, np.newaxis, np.newaxis]
        return c.reshape(rows, columns)

    @property
    def channels(self) -> bool:
        """Whether the arrays have channel axes: there is more than one channel on either side."""
        return self.op.in_channels > 1 or self.op.out_channels > 1

    @property
    def _x(self) -> Array:
        return self.x.reshape(self.op.in_channels, -1)

    def _read(self, cells: Indices) -> Array:
        """(in_channels, ...) the values of the cells, and `_nothing` where there is none."""
        values = self._x[..., np.maximum(cells, 0)]
        here = cells >= 0
        return values if here.all() else np.where(here, values, self._nothing)

    @property
    def _weights(self) -> Array:
        """(groups, out_channels / groups, in_channels / groups, K): one form for all linear operations."""
        op = self.op
        if self.weight is None:  # an average is a sum, divided at the end
            return np.ones((op.groups, 1, 1, prod(op.kernel_size)), np.int64)
        if isinstance(op, ConvTranspose):
            stored = self.weight.reshape(op.groups, op.in_channels // op.groups, op.out_channels // op.groups, -1)
            return stored.swapaxes(1, 2)
        return self.weight.reshape(op.groups, op.out_channels // op.groups, op.in_channels // op.groups, -1)

    def _shaped(self, flat: Array, size: tuple[int, ...]) -> Array:
        return flat.reshape(-1, *size) if self.channels else flat.reshape(size)

    def _gathered(self) -> Array:
        """Slide the window over the value canvas: sum tap by tap over the view."""
        op = self.op
        values = self._read(self.canvas)
        seen = windows(values, op.kernel_size, self.layout.stride, op.dilation)
        seen = seen[(slice(None), *(slice(n) for n in self.steps))]
        seen = seen.reshape(op.groups, -1, *seen.shape[1:])
        total: Any = 0
        for place, tap in zip(np.ndindex(*op.kernel_size), self.taps, strict=True):
            total = total + np.einsum("gmc,gc...->gm...", self._weights[..., tap], seen[(..., *place)])
        return np.asarray(total).reshape(op.out_channels, -1)

    def _scattered(self) -> Array:
        """Stamp tap by tap: through one tap no two steps reach the same output cell."""
        op = self.op
        x = self._x[:, self.cells.reshape(-1)].reshape(op.groups, -1, len(self))
        dtype = np.result_type(self.x, self._weights)
        total = np.zeros((op.out_channels, prod(op.output_size)), dtype)
        for place, tap in zip(np.ndindex(*op.kernel_size), self.taps, strict=True):
            target = self.windows[(..., *place)].reshape(-1)
            hit = target >= 0
            stamped = np.einsum("gmc,gct->gmt", self._weights[..., tap], x).reshape(op.out_channels, -1)
            total[:, target[hit]] += stamped[:, hit]
        return total


class _MaxTrace(Trace):
    """The same table, of which a step takes the greatest value instead of the sum."""

    _nothing = -np.inf

    @cached_property
    def rounding(self) -> Array:
        return np.zeros(self.output.shape)

    @property
    def winners(self) -> Indices:
        return self._greatest[0]

    @cached_property
    def output(self) -> Array:
        cells = self._greatest[1]
        values = np.take_along_axis(self._x, np.maximum(cells, 0), axis=1)
        if (cells < 0).any():  # a dilated window can miss the input
            values = np.where(cells >= 0, values, self._nothing)
        return self._shaped(values, self.op.output_size)

    @cached_property
    def _greatest(self) -> tuple[Indices, Indices]:
        """(channels, T) the winning places and the cells there, found tap by tap as a sum is."""
        places = np.zeros((self.op.in_channels, len(self)), np.int64)
        winning = np.full_like(places, PADDING)
        for n, place in enumerate(np.ndindex(*self.op.kernel_size)):
            cells = self.windows[(..., *place)].reshape(-1)
            best = np.take_along_axis(self._x, np.maximum(winning, 0), axis=1)
            better = (cells >= 0) & ((winning < 0) | (self._x[:, np.maximum(cells, 0)] > best))
            places[better] = n
            winning = np.where(better, cells, winning)
        return places, winning

    def _links(self, t: int, values: Array, writes: Indices) -> tuple[None, Array, dict[str, Any]]:
        winner = self.winners[:, t]
        return None, values, {"winner": winner if self.channels else winner[0]}

    def matrix(self) -> NoReturn:
        """Raises `ConvvizError`: a maximum has no matrix."""
        raise ConvvizError("operation is max-pool: a maximum is not linear, so no matrix computes it")


def trace(
    op: Operation,
    x: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    order: str = "gather",
) -> Trace:
    """Record the steps of ``op``.

    Parameters
    ----------
    op
        The operation.
    x
        Its input, shape ``op.input_size``; with channels (in_channels, *input_size).
    weight
        Its kernel, shape ``op.kernel_size``; with channels PyTorch's layout: (out_channels, in_channels / groups,
        *kernel_size) for a convolution, (in_channels, out_channels / groups, *kernel_size) for a transposed one.
        Without x and weight the values are those of the guide's numerical figures: ``RandomState(1234)``, first
        ``randint(0, 4)`` for the input, then ``randint(0, 3)`` for the kernel (until it is not all zeros). Pooling has
        no weight and no bias.
    bias
        A number, or one for each output channel.
    order
        "gather": one step per output cell, whose window reads. "scatter": one step per input cell, which stamps (per
        cell of the padded input where the padding holds copies); max pooling has no such order.

    Raises
    ------
    ConvvizError
        Where an array has the wrong shape or holds anything but finite real numbers.

    Examples
    --------
    >>> from convviz import Conv
    >>> steps = trace(Conv(3, 2), x=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], weight=[[1, 0], [0, 1]])
    >>> steps.output
    array([[ 6,  8],
           [12, 14]])
    >>> steps[0].reads, steps[0].products, int(steps[0].value)
    (array([0, 1, 3, 4]), array([1, 0, 0, 5]), 6)
    """
    if not isinstance(op, Operation):
        raise ConvvizError(f"op is {shown(op)}: give an operation, such as Conv(5, 3)")
    if not (isinstance(order, str) and order in ORDERS):
        raise ConvvizError(f'order is {shown(order)}: give "gather" or "scatter"')
    pooling = isinstance(op, MaxPool | AveragePool)
    for name, extra in (("weight", weight), ("bias", bias)):
        if pooling and extra is not None:
            raise ConvvizError(f"{name} is given: {op.name} has none, leave it out")
    x_shape, weight_shape = _shapes(op)
    for name, given, shape in (("input_size", x, x_shape), ("kernel_size", weight, weight_shape)):
        if given is None and prod(shape) > MOST_CELLS:
            raise ConvvizError(f"{name} is {show(getattr(op, name))}: at most {MOST_CELLS} cells can be traced")
    kind = _MaxTrace if isinstance(op, MaxPool) else Trace
    if x is None and weight is None and bias is None:
        return kind(op, None, None, order)
    guides = None if x is not None and (weight is not None or pooling) else _guides_numbers(op)
    x_array = guides[0] if x is None and guides else _numbers("x", x, x_shape)
    weight_array = guides[1] if weight is None and guides else None
    if weight is not None:
        weight_array = _numbers("weight", weight, weight_shape)
    bias_array = None if bias is None else _numbers("bias", bias, (op.out_channels,), spread=True)
    if not isinstance(op, MaxPool):  # which sums nothing
        _check_magnitude(op, x_array, weight_array, bias_array)
    return kind(op, (x_array, weight_array), bias_array, order)


def _shapes(op: Operation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the input and of the kernel."""
    outer = (op.in_channels, op.out_channels) if isinstance(op, ConvTranspose) else (op.out_channels, op.in_channels)
    if op.in_channels == op.out_channels == 1:
        return op.input_size, op.kernel_size
    return (op.in_channels, *op.input_size), (outer[0], outer[1] // op.groups, *op.kernel_size)


def _guides_numbers(op: Operation) -> tuple[Array, Array | None]:
    """Input and kernel (None for pooling) as the guide draws them for its numerical figures."""
    x_shape, weight_shape = _shapes(op)
    random = np.random.RandomState(1234)
    x = random.randint(0, 4, x_shape, dtype=np.int64)
    if isinstance(op, MaxPool | AveragePool):
        return x, None
    weight = np.zeros(weight_shape, np.int64)
    while not weight.any():  # small ones can be drawn so, and their pictures would show nothing
        weight = random.randint(0, 3, weight_shape, dtype=np.int64)
    return x, weight


def _numbers(name: str, given: ArrayLike | None, shape: tuple[int, ...], spread: bool = False) -> Array:
    """``given`` as int64 or float64 of ``shape``; an array that is one already is shared, not copied.

    With ``spread`` a single number stands for as many as are needed.
    """
    try:
        array = np.asarray(given)
    except ValueError:
        raise ConvvizError(f"{name} is ragged: give an array of shape {shape}") from None
    except Exception as error:  # whatever an object's own conversion raises
        raise ConvvizError(f"{name} is no array ({error}): give one of shape {shape}") from None
    if array.dtype.kind == "O" and array.size and all(isinstance(number, int) for number in array.flat):
        raise _too_large(name, max(array.flat, key=abs))  # NumPy has no longer ones
    if array.dtype.kind not in "biuf":
        raise ConvvizError(f"{name} holds {array.dtype}: give integers or floats")
    if spread and array.ndim == 0:
        array = np.broadcast_to(array, shape)
    if array.shape != shape:
        raise ConvvizError(f"{name} has shape {array.shape}: this operation needs {shape}")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise _too_large(name, array.max())
    with np.errstate(over="ignore"):  # a longer float may become infinite, which is told next
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64, copy=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ConvvizError(f"{name} holds nan or infinity: give finite numbers")
    return array


def _too_large(name: str, number: Any) -> ConvvizError:
    most = np.iinfo(np.int64).max
    return ConvvizError(f"{name} holds {shown(number)}: integers of at most {most} are exact; give floats")


def _check_magnitude(op: Operation, x: Array, weight: Array | None, bias: Array | None) -> None:
    """Raise where a sum of products might not fit: integers would wrap around, floats would become infinite."""
    arrays = [array for array in (x, weight, bias) if array is not None]
    whole = all(array.dtype.kind == "i" for array in arrays)
    with np.errstate(over="ignore"):
        largest = float(np.abs(x.astype(np.float64, copy=False)).max())
        cells = float(prod(op.kernel_size))
        factor = cells if weight is None else float(np.abs(weight.astype(np.float64, copy=False)).sum())
        added = 0.0 if bias is None else float(np.abs(bias.astype(np.float64, copy=False)).max())
    bound = largest * factor + added
    if bound >= (2.0**62 if whole else np.finfo(np.float64).max):
        what, instead = ("x", "") if weight is None else ("x and weight", " and their products")
        fit = "64-bit integers; give floats" if whole else "floats; give smaller ones"
        raise ConvvizError(f"{what} hold numbers up to {largest:g}: sums of them{instead} do not fit {fit}")
