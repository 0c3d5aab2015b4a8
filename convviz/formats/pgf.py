r"""PGF: one step as drawing commands for LaTeX, to be read with ``\input`` where ``\usepackage{pgf}`` is loaded."""

from __future__ import annotations

from io import StringIO
from types import SimpleNamespace
from typing import BinaryIO

from matplotlib.backends.backend_pgf import RendererPgf

from convviz.formats import _vector
from convviz.scene import Frames

HEAD = r"""% {about}
% To include it: \usepackage{{pgf}} in the preamble, then \input{{this file}}.
\begingroup%
\makeatletter%
\begin{{pgfpicture}}%
\pgfpathrectangle{{\pgfpointorigin}}{{\pgfqpoint{{{width:.6f}in}}{{{height:.6f}in}}}}%
\pgfusepath{{use as bounding box, clip}}%
"""
# The end of a line would be a space beside the picture.
TAIL = r"""\end{pgfpicture}%
\makeatother%
\endgroup%
"""


def write_step(frames: Frames, file: BinaryIO, step: int) -> None:
    """Write step ``step`` of ``frames``. No LaTeX is needed to write it; texts are outlines."""
    width, height = _vector.size(frames)
    about = " ".join(f"{frames.name}: {frames.step_text(step)}".split())
    text = StringIO()
    text.write(HEAD.format(about=about, width=width, height=height))
    with _vector.defaults():
        # The renderer asks a figure for nothing but its dots an inch.
        _vector.paint(frames, step, RendererPgf(SimpleNamespace(dpi=_vector.DOTS_PER_INCH), text))
    text.write(TAIL)
    file.write(text.getvalue().encode())
