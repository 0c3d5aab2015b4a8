"""PDF: one step as a page of its size."""

from __future__ import annotations

from typing import BinaryIO

from matplotlib.backends.backend_pdf import PdfFile, RendererPdf

from convviz.formats import _vector
from convviz.scene import Frames


def write_step(frames: Frames, file: BinaryIO, step: int) -> None:
    """Write step ``step`` of ``frames``. The same picture gives the same bytes: no date is in them."""
    width, height = _vector.size(frames)
    about = {"Title": frames.name, "Subject": frames.step_text(step), "Creator": "convviz", "CreationDate": None}
    with _vector.defaults():
        pdf = PdfFile(file, metadata=about)
        try:
            pdf.newPage(width, height)
            renderer = RendererPdf(pdf, _vector.DOTS_PER_INCH, height, width)
            _vector.paint(frames, step, renderer)
            renderer.finalize()
            pdf.finalize()
        finally:
            pdf.close()
