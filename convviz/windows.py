"""Stride tricks: a canvas of cell indices, and the sliding windows over it. No other module has any."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convviz.errors import ConvvizError

PADDING = -1
INSERTED = -2
BEYOND = -3

_NUMPY_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}

# A link table is for pictures and teaching; this many cells is far beyond both, and refused or traced within a second.
MOST_CELLS = 1 << 20


def canvas(
    size: Sequence[int],
    padding: Sequence[tuple[int, int]],
    spacing: Sequence[int],
    mode: str = "zeros",
    beyond: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """The plane that a window slides over, as flat indices of the cells that lie on it.

    Parameters
    ----------
    size
        Cells along each axis of the plane before padding.
    padding
        (begin, end) cells added along each axis. A negative number crops that many cells instead.
    spacing
        Distance between two neighbouring cells along each axis: 1 puts them side by side, ``s`` inserts
        ``s - 1`` cells in between.
    mode
        Other than "zeros" (for a plane whose cells lie side by side): "reflect", "replicate" or "circular" padding
        holds the index of the cell that it copies.
    beyond
        How many cells of the end's padding along each axis lie past what counts as padding.

    Returns
    -------
    array
        Flat row-major index of each cell, `PADDING` (-1) where the canvas is padding, `INSERTED` (-2) between two
        cells that were pulled apart and `BEYOND` (-3) past the padding.

    Examples
    --------
    >>> canvas((2, 2), ((1, 0), (0, 0)), (1, 2))
    array([[-1, -1, -1],
           [ 0, -2,  1],
           [ 2, -2,  3]])
    >>> canvas((3,), ((2, 1),), (1,), "reflect")
    array([2, 1, 0, 1, 2, 1])
    """
    inner = [(n - 1) * s + 1 for n, s in zip(size, spacing, strict=True)]
    shape = [max(n + begin + end, 0) for n, (begin, end) in zip(inner, padding, strict=True)]
    if prod(shape) > MOST_CELLS:
        shown = ",".join(map(str, shape))
        raise ConvvizError(f"input_size with its padding makes {shown} cells: at most {MOST_CELLS} can be traced")
    if mode != "zeros":
        copied: NDArray[np.int64] = np.pad(
            np.arange(prod(size)).reshape(size),
            padding,
            mode=_NUMPY_MODES[mode],  # type: ignore[call-overload]
        )
        return copied
    full = np.full(shape, PADDING, dtype=np.int64)
    # Along each axis: where the plane's own cells (spaced out) lie on the canvas, after any cropping.
    whole = tuple(slice(max(begin, 0), max(begin + n, 0)) for n, (begin, _) in zip(inner, padding, strict=True))
    full[whole] = INSERTED
    on_canvas, on_plane = [], []
    for n, step, (begin, _), length in zip(size, spacing, padding, shape, strict=True):
        places = np.arange(n) * step + begin
        kept = (places >= 0) & (places < length)
        on_canvas.append(places[kept])
        on_plane.append(np.flatnonzero(kept))
    flat = np.ravel_multi_index(np.ix_(*on_plane), tuple(size))
    full[np.ix_(*on_canvas)] = flat
    for axis, cells in enumerate(beyond or ()):
        full[(slice(None),) * axis + (slice(shape[axis] - cells, None),)] = BEYOND
    return full


def windows(plane: NDArray[Any], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> NDArray[Any]:
    """Every place of a sliding window over the last axes of ``plane``, as a read-only view: nothing is copied.

    Parameters
    ----------
    plane
        Array of which the last ``len(kernel)`` axes are slid over; axes before them (channels) are carried along.
    kernel, stride, dilation
        Window cells, distance between two places of the window, and distance between two of its cells, an axis.

    Returns
    -------
    view
        Shape (axes carried along, places of the window, cells of the window).

    Examples
    --------
    >>> windows(np.arange(6), kernel=(2,), stride=(1,), dilation=(3,))
    array([[0, 3],
           [1, 4],
           [2, 5]])
    """
    axes = len(kernel)
    lead, slid = plane.shape[: plane.ndim - axes], plane.shape[plane.ndim - axes :]
    steps = plane.strides[plane.ndim - axes :]
    places = [max((n - d * (k - 1) - 1) // s + 1, 0) for n, k, s, d in zip(slid, kernel, stride, dilation, strict=True)]
    return as_strided(
        plane,
        shape=(*lead, *places, *kernel),
        strides=(
            *plane.strides[: plane.ndim - axes],
            *(b * s for b, s in zip(steps, stride, strict=True)),
            *(b * d for b, d in zip(steps, dilation, strict=True)),
        ),
        writeable=False,
    )
