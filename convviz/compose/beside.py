"""Pictures side by side: several views, both orders, or a convolution and its transposed one, step by step together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convviz.scene import DOTS_PER_POINT, Entry, Frames, Layer, Shape, Text, fixed, moved, text_width
from convviz.theme import Theme

HEADING, HEADING_SPACE, MARGIN = 9.0, 20.0, 8.0
CLOSING, CLOSING_SPACE = 9.0, 24.0
MOST_ABREAST = 3
WIDEST = 1280
"""Pixels of a picture whose width is not asked for: one that would be wider is drawn smaller."""


def beside(pictures: Sequence[Frames], headings: Sequence[str], theme: Theme, closing: str = "") -> Frames:
    """One picture of several, side by side or where that is too wide in rows, each under its heading ("" is none).

    All start and end together: the steps of a shorter one last longer. ``closing`` is a line that one more step adds,
    in which all hold.
    """
    count = max(picture.count for picture in pictures)
    above = HEADING_SPACE if any(headings) else 0.0
    below = CLOSING_SPACE if closing else 0.0
    panes = list(zip(pictures, headings, strict=True))
    widths = [max(p.width, text_width(words, HEADING) + 2 * MARGIN) for p, words in panes]
    columns = _columns(widths)
    rows = [panes[n : n + columns] for n in range(0, len(panes), columns)]
    wides = _wides(widths, columns)
    width = max([*map(sum, wides), text_width(closing, CLOSING) + 2 * MARGIN])
    words: list[Shape] = []
    panels: list[list[Layer]] = []
    down = 0.0
    for row, wide in zip(rows, wides, strict=True):
        right, height = (width - sum(wide)) / 2, max(picture.height for picture, _ in row)
        for (picture, heading), room in zip(row, wide, strict=True):
            if heading:
                at = right + room / 2, down + MARGIN + (above - MARGIN) / 2
                words.append(Text(*at, heading, HEADING, theme.text, "middle", role="panel"))
            shift = (right + (room - picture.width) / 2, down + above + (height - picture.height) / 2)
            panels.append([_paced(layer, picture.count, count, shift) for layer in picture.layers])
            right += room
        down += above + height
    layers = [fixed(words), *_stacked(panels)]
    if closing:
        line = Text(width / 2, down + below / 2 - 4, closing, CLOSING, theme.text, "middle", role="closing")
        layers.append(Layer("moving", lambda t: [line] if t == count else []))
    # Each sort of cell once, with all of its colours: flat pictures tone them down.
    legend: dict[str, dict[Entry, None]] = {}
    for picture in pictures:
        for entry in picture.legend:
            legend.setdefault(entry[0], {})[entry] = None
    pixels = round(width * DOTS_PER_POINT)

    def step_text(t: int) -> str:
        if t == count:
            return closing
        return "; ".join(dict.fromkeys(p.step_text(_pace(t, p.count, count)) for p in pictures))

    return replace(
        pictures[0],
        width=width,
        height=down + below,
        count=count + bool(closing),
        layers=tuple(layers),
        name=" and ".join(dict.fromkeys(picture.name for picture in pictures)),
        step_text=step_text,
        about=tuple(line for about in dict.fromkeys(picture.about for picture in pictures) for line in about),
        legend=tuple(entry for entries in legend.values() for entry in entries),
        supersampling=max(picture.supersampling for picture in pictures),
        pixel_width=WIDEST if pixels > WIDEST else None,
    )


def _columns(widths: Sequence[float]) -> int:
    """How many stand side by side: as many as need not be drawn smaller for it, and of many no more than two rows take.

    >>> _columns([200, 200]), _columns([400, 400]), _columns([100] * 4)
    (2, 1, 2)
    """
    most = len(widths) if len(widths) <= MOST_ABREAST else -(-len(widths) // 2)
    fitting = (n for n in range(most, 1, -1) if max(map(sum, _wides(widths, n))) * DOTS_PER_POINT <= WIDEST)
    return next(fitting, 1)


def _wides(widths: Sequence[float], columns: int) -> list[list[float]]:
    """The widths in rows; those of full rows are the same in all, so that they stand in columns."""
    rows = [[*widths[n : n + columns]] for n in range(0, len(widths), columns)]
    full = [row for row in rows if len(row) == columns]
    common = [max(column) for column in zip(*full, strict=True)]
    return [common if len(row) == columns else row for row in rows]


def _stacked(panels: Sequence[Sequence[Layer]]) -> list[Layer]:
    """All panels' layers: first what never moves, so that it is painted once. Panels do not overlap."""
    still, growing, rest = list[Layer](), list[Layer](), list[Layer]()
    for layers in panels:
        top = next((n for n, layer in enumerate(layers) if layer.kind != "fixed"), len(layers))
        still += layers[:top]
        grown = next((n for n, layer in enumerate(layers[top:], top) if layer.kind != "growing"), len(layers))
        growing += layers[top:grown]
        rest += layers[grown:]
    return still + growing + rest


def _pace(t: int, count: int, longest: int) -> int:
    """The step of a picture of ``count`` steps that is shown at step ``t`` of the longest.

    >>> [_pace(t, 3, 7) for t in range(8)]
    [0, 0, 0, 1, 1, 2, 2, 2]
    """
    return min(t * count // longest, count - 1)


def _paced(layer: Layer, count: int, longest: int, shift: tuple[float, float]) -> Layer:
    """A layer moved by ``shift``, at the pace of the longest picture."""

    def shapes(t: int) -> list[Shape]:
        step = _pace(t, count, longest)
        if layer.kind == "growing" and t and step == _pace(t - 1, count, longest):
            return []
        return [moved(shape, *shift) for shape in layer.shapes(step)]

    return Layer(layer.kind, shapes)
