"""The named cases: a row each. Names and parameters are those of the conv_arithmetic pictures of the guide."""

from __future__ import annotations

from dataclasses import dataclass

from convviz.ops import AveragePool, Conv, MaxPool, Operation


@dataclass(frozen=True)
class Case:
    """A named picture: an operation and, where it is not the default one, the view that shows it."""

    op: Operation
    view: str = "stack"
    order: str = "gather"


_DIRECT = {
    "no_padding_no_strides": Conv(4, 3),
    "arbitrary_padding_no_strides": Conv(5, 4, padding=2),
    "same_padding_no_strides": Conv(5, 3, padding=1),
    "full_padding_no_strides": Conv(5, 3, padding=2),
    "no_padding_strides": Conv(5, 3, stride=2),
    "padding_strides": Conv(5, 3, stride=2, padding=1),
    "padding_strides_odd": Conv(6, 3, stride=2, padding=1),
}

CASES: dict[str, Case] = {
    **{name: Case(op) for name, op in _DIRECT.items()},
    **{f"{name}_transposed": Case(op.transposed()) for name, op in _DIRECT.items()},
    "dilation": Case(Conv(7, 3, dilation=2)),
    "numerical_no_padding_no_strides": Case(Conv(5, 3), "grid"),
    "numerical_padding_strides": Case(Conv(5, 3, stride=2, padding=1), "grid"),
    "numerical_max_pooling": Case(MaxPool(5, 3, stride=1), "grid"),
    "numerical_average_pooling": Case(AveragePool(5, 3, stride=1), "grid"),
}
