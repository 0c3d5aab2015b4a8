"""The named cases: a row each. The names of the first fifteen are those of the guide's own pictures."""

from __future__ import annotations

from dataclasses import dataclass

from convviz.ops import AveragePool, Conv, ConvTranspose, MaxPool, Operation


@dataclass(frozen=True)
class Case:
    """A named picture: an operation and how it is shown, with the words of `convviz.animate`."""

    op: Operation
    view: str = "stack"
    order: str = "gather"
    with_transposed: bool = False


_DIRECT = {
    "no_padding_no_strides": Conv(4, 3),
    "arbitrary_padding_no_strides": Conv(5, 4, padding=2),
    "same_padding_no_strides": Conv(5, 3, padding=1),
    "full_padding_no_strides": Conv(5, 3, padding=2),
    "no_padding_strides": Conv(5, 3, stride=2),
    "padding_strides": Conv(5, 3, stride=2, padding=1),
    "padding_strides_odd": Conv(6, 3, stride=2, padding=1),
}
_UP = ConvTranspose(3, 3, stride=2, padding=1)

# The fifteen animations of the guide.
GUIDE: dict[str, Case] = {
    **{name: Case(op) for name, op in _DIRECT.items()},
    **{f"{name}_transposed": Case(op.transposed()) for name, op in _DIRECT.items()},
    "dilation": Case(Conv(7, 3, dilation=2)),
}

CASES: dict[str, Case] = {
    **GUIDE,
    "numerical_no_padding_no_strides": Case(Conv(5, 3), "grid"),
    "numerical_padding_strides": Case(Conv(5, 3, stride=2, padding=1), "grid"),
    "numerical_max_pooling": Case(MaxPool(5, 3, stride=1), "grid"),
    "numerical_average_pooling": Case(AveragePool(5, 3, stride=1), "grid"),
    "numerical_padding_strides_transposed": Case(_UP, "grid"),
    "stamping": Case(_UP, "grid", "scatter"),
    "gather_and_scatter": Case(_UP, "grid", "both"),
    "checkerboard": Case(ConvTranspose(4, 3, stride=2), "grid", "scatter"),
    "no_checkerboard": Case(ConvTranspose(4, 4, stride=2, padding=1), "grid", "scatter"),
    "matrix": Case(Conv(4, 3), "matrix"),
    "matrix_transposed": Case(ConvTranspose(2, 3), "matrix", "scatter"),
    "direct_and_transposed": Case(Conv(5, 3, stride=2, padding=1), with_transposed=True),
    "stack_and_grid": Case(Conv(4, 3), "stack,grid"),
    "max_pooling": Case(MaxPool(6, 2)),
    "max_pooling_ceil_mode": Case(MaxPool(6, 3, stride=2, padding=1, ceil_mode=True)),
    "reflect_padding": Case(Conv(4, 3, padding=1, padding_mode="reflect"), "grid"),
    "circular_padding": Case(Conv(4, 3, padding=1, padding_mode="circular"), "grid"),
    "channels": Case(Conv(5, 3, padding=1, in_channels=3, out_channels=2)),
    "depthwise": Case(Conv(4, 3, in_channels=3, out_channels=3, groups=3)),
}
