"""The flat views: nothing is clipped, nothing overlaps, everything can be read, and the numbers are the trace's."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from pictures import check_texts

from convviz import THEMES, AveragePool, Conv, ConvTranspose, MaxPool, Operation, trace
from convviz.views._flat import LEAST_CONTRAST, contrast

OPERATIONS: dict[str, Operation] = {
    "plain": Conv(4, 3),
    "strided": Conv(5, 3, stride=2, padding=1),
    "leftover": Conv(6, 3, stride=2, padding=1),
    "rectangular": Conv((4, 7), (2, 3), stride=(1, 2), padding=((0, 1), (2, 0))),
    "dilated": Conv(7, 3, dilation=2),
    "one axis": Conv((7,), 3, padding=1),
    "one cell": Conv(1, 1),
    "pointwise": Conv(3, 1),
    "gaps": Conv(5, 1, stride=2),
    "wide kernel": Conv(8, 6, padding=2),
    "large": Conv(14, 3),
    "transposed": ConvTranspose(3, 3, stride=2, padding=1),
    "transposed, extended": ConvTranspose((2, 3), 3, stride=2, padding=1, output_padding=1),
    "transposed, cropped": ConvTranspose(4, 3, padding=2),
    "transposed, cropped through": ConvTranspose(5, 2, padding=2),
    "transposed, apart": ConvTranspose(2, 2, stride=3, dilation=2),
    "transposed, one axis": ConvTranspose((4,), 3, stride=2),
    "mirrored": Conv(4, 3, padding=2, padding_mode="reflect"),
    "maximum": MaxPool(5, 3, stride=2, padding=1, ceil_mode=True),
    "average": AveragePool(6, 3, padding=1, ceil_mode=True, count_include_pad=False),
}
VIEWS = ("grid", "matrix")
CHOICES = [
    (view, name, order)
    for view in VIEWS
    for name, op in OPERATIONS.items()
    for order in ("gather", "scatter")
    if not isinstance(op, MaxPool) or (view, order) == ("grid", "gather")  # a maximum is no sum
]


def numbers(op: Operation, kind: str) -> dict[str, object]:
    random = np.random.RandomState(3)
    if kind == "floats":
        given = {
            "x": random.normal(size=op.input_size) * 12,
            "weight": random.normal(size=op.kernel_size),
            "bias": -0.25,
        }
    else:
        given = {
            "x": random.randint(-255, 256, op.input_size),
            "weight": random.randint(-9, 10, op.kernel_size),
            "bias": 3,
        }
    return given if isinstance(op, Conv | ConvTranspose) else {"x": given["x"]}


@pytest.mark.parametrize(("view", "name", "order"), CHOICES)
def test_no_text_is_clipped_overlaps_or_is_too_faint(view: str, name: str, order: str) -> None:
    op = OPERATIONS[name]
    module = import_module(f"convviz.views.{view}")
    looks = [("light", "values", ""), ("light", "values", "negative"), ("dark", "values", "floats")]
    looks += [("reference", "values", ""), ("reference", "symbols", ""), ("light", "symbols", "negative")]
    for n, (theme, labels, given) in enumerate(looks):
        traced = trace(op, order=order, **(numbers(op, given) if given else {}))
        frames = module.frames(traced, THEMES[theme], labels=labels, caption=n == 1)
        for t in sorted({0, len(traced) // 2, len(traced) - 1}):
            for text, under in check_texts(frames.frame(t)):
                assert contrast(text.fill, under) >= LEAST_CONTRAST, (text, under)
