"""The words of a picture: its name, the text of each step, and what its caption would say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from convviz import describe
from convviz.cells import BEYOND, DATA, DROPPED, INSERTED, PADDING, UNVISITED, WINNER
from convviz.ops import ConvTranspose, MaxPool
from convviz.scene import Entry, Frames
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._planes import Sheet, sheets


def worded(frames: Frames, trace: Trace, theme: Theme) -> Frames:
    """``frames`` with the texts that every picture has, and what a caption strip under it would say."""
    return replace(
        frames,
        name=describe.title(trace.op),
        step_text=lambda t: describe.step_text(trace, t),
        about=(describe.title(trace.op), describe.parameters(trace.op)),
        legend=_entries(trace, theme),
    )


def _entries(trace: Trace, theme: Theme) -> tuple[Entry, ...]:
    """Label, colour and kind of each cell that occurs, in a fixed order."""
    read, written = sheets(trace)
    occurring = {(str(kind), sheet.written) for sheet in (read, written) for kind in np.unique(sheet.kinds)}
    if isinstance(trace.op, MaxPool):
        occurring.add((WINNER, False))
    rows = [
        (DATA, False, "input", theme.data),
        (PADDING, False, "padding" if trace.op.padding_mode == "zeros" else "padding, copied", theme.padding),
        (INSERTED, False, "inserted zero", theme.inserted),
        (BEYOND, False, "not counted", theme.dropped),
        (WINNER, False, "greatest", theme.target),
        (UNVISITED, False, "not read", theme.unvisited),
        (DROPPED, False, _dropped(read, trace), theme.dropped),
        (DATA, True, "output", theme.target),
        (UNVISITED, True, "not written", theme.unvisited),
        (DROPPED, True, "not kept", theme.dropped),
    ]
    # Cells that no window covers look like all others where a theme leaves them unfilled.
    return tuple(
        (label, color, kind)
        for kind, writes, label, color in rows
        if (kind, writes) in occurring and (color or kind != UNVISITED)
    )


def _dropped(sheet: Sheet, trace: Trace) -> str:
    """What to call the cells of the plane that is read which take no part."""
    cropped = (~sheet.on_canvas)[sheet.kinds == DROPPED]
    if cropped.any():
        return "cropped" if cropped.all() else "cropped or not read"
    return "zero, not read" if isinstance(trace.op, ConvTranspose) else "padding, not read"
