"""Random operations and their plain-loop definitions, for the tests that state laws."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import strategies as st

from convviz import Conv, ConvTranspose, ConvvizError


@st.composite
def operations(draw: Any, kinds: tuple[str, ...] = ("conv", "conv-transpose"), channels: bool = False) -> Any:
    """An operation with every parameter free, over one or two axes; those that cannot be are drawn again."""
    ndim = draw(st.sampled_from([1, 2, 2]))

    def sizes(least: int, most: int) -> Any:
        return draw(
            st.one_of(
                st.integers(least, most).map(lambda n: (n,) * ndim), st.tuples(*[st.integers(least, most)] * ndim)
            )
        )

    kind = draw(st.sampled_from(kinds))
    stride, dilation = sizes(1, 4), sizes(1, 3)
    pair = st.tuples(st.integers(0, 4), st.integers(0, 4))
    padding = draw(
        st.one_of(
            st.integers(0, 4),
            st.tuples(*[pair] * ndim),
            st.sampled_from(["valid", "same", "same_lower", "full"]),
        )
    )
    keywords: dict[str, Any] = {}
    if channels:
        groups = draw(st.integers(1, 3))
        keywords = {
            "groups": groups,
            "in_channels": groups * draw(st.integers(1, 2)),
            "out_channels": groups * draw(st.integers(1, 2)),
        }
    if kind == "conv-transpose":
        keywords["output_padding"] = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
    make = Conv if kind == "conv" else ConvTranspose
    try:
        return make(sizes(1, 6), sizes(1, 4), stride, padding, dilation, **keywords)
    except ConvvizError:
        # Only sizes that leave no output are refused here, so a case that is always possible takes their place.
        return make((6,) * ndim, (2,) * ndim, stride, 0, (1,) * ndim)


def links(op: Any) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """(input cell, tap, output cell) of every link, from the definition of the operation, cell by cell."""
    found = []
    for axes in itertools.product(*(_axis_links(op, axis) for axis in range(len(op.input_size)))):
        cells, taps, targets = zip(*axes, strict=True)
        found.append((cells, taps, targets))
    return found


def _axis_links(op: Any, axis: int) -> list[tuple[int, int, int]]:
    i, k, s, d = op.input_size[axis], op.kernel_size[axis], op.stride[axis], op.dilation[axis]
    begin, out = op.padding[axis][0], op.output_size[axis]
    if isinstance(op, Conv):
        # y[o] = sum over t of w[t] * x[o*s + t*d - p]
        triples = [(o * s + t * d - begin, t, o) for o in range(out) for t in range(k)]
        return [(x, t, o) for x, t, o in triples if 0 <= x < i]
    # y[c*s + t*d - p] += w[t] * x[c]
    triples = [(c, t, c * s + t * d - begin) for c in range(i) for t in range(k)]
    return [(x, t, o) for x, t, o in triples if 0 <= o < out]


def by_loops(op: Any, x: Any, weight: Any) -> Any:
    """The output, added up link by link."""
    out = np.zeros(op.output_size, np.result_type(x, weight))
    for cell, tap, target in links(op):
        out[target] += x[cell] * weight[tap]
    return out
