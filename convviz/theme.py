"""The themes: a row each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of a picture, "#rrggbb". None leaves that kind of cell unfilled and unmarked, as the reference does."""

    background: str
    text: str
    """Captions and numbers: at least 4.5:1 against the background."""
    data: str
    """Cells of the plane that is read."""
    target: str
    """Cells of the plane that is written."""
    window: str
    """Laid over the current cells at `window_opacity`."""
    window_opacity: float
    line: str
    """Grids."""
    edge: str
    """The lines from the window to its cell, and the outlines of planes."""
    padding: str | None = None
    inserted: str | None = None
    """Zeros that a transposed convolution puts between the cells of its input."""
    dropped: str | None = None
    """Cells that are cropped, or that a stride steps over."""
    unvisited: str | None = None
    """Cells of either plane that no window covers."""
    dark: str | None = None
    """The theme that stands in for it on a dark page, in the formats that hold both."""
    tint: float = 1.0
    """How much of their colour the planes keep where numbers stand in their cells."""
    bare: bool = False
    """Whether flat pictures are boards and sums alone, without the kernel's board and headings, as in the guide."""


THEMES: dict[str, Theme] = {
    "light": Theme(
        background="#ffffff",
        text="#073642",
        data="#268bd2",
        target="#2aa198",
        window="#073642",
        window_opacity=0.4,
        line="#002b36",
        edge="#000000",
        padding="#e4e8ea",
        inserted="#fdeec4",
        dropped="#f7f3ee",
        unvisited="#b9d9f1",
        dark="dark",
        tint=0.34,
    ),
    "dark": Theme(
        background="#0d1117",
        text="#e6edf3",
        data="#2f8fd8",
        target="#2aa198",
        window="#ffffff",
        window_opacity=0.45,
        line="#c9d6df",
        edge="#f0f6fc",
        padding="#252c35",
        inserted="#54430f",
        dropped="#1a1416",
        unvisited="#173f60",
        tint=0.42,
    ),
    "reference": Theme(
        background="#ffffff",
        text="#002b36",
        data="#268bd2",
        target="#2aa198",
        window="#073642",
        window_opacity=0.4,
        line="#002b36",
        edge="#000000",
        bare=True,
    ),
}
