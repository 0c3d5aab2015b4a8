"""What the video formats have in common. They need the extra "video" (PyAV, which brings FFmpeg's libraries)."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from convviz.errors import ConvvizError
from convviz.render import Raster
from convviz.scene import Frames, rgb

MOST_FRAMES = 20_000
"""Of a picture that is played more than once: each play is in the file."""
BT709 = 1
"""FFmpeg's number for the colours of high-definition video, which players assume."""


def write(frames: Frames, file: BinaryIO, suffix: str, codec: str, options: dict[str, str]) -> None:
    """Write one frame a step. A video holds no counter: it is as long as the plays, or one play where that is for ever.

    Raises `ConvvizError` where PyAV is missing, or a transparent background is asked for.
    """
    try:
        import av
    except ImportError:
        raise ConvvizError(f"format is {suffix}: it needs the extra video; pip install 'convviz[video]'") from None
    if frames.transparent:
        raise ConvvizError(f"transparent is True: a {suffix} has no transparency; save as .gif, .webp, .apng or .svg")
    if len(frames) * frames.plays > MOST_FRAMES:
        raise ConvvizError(
            f"plays is {frames.plays}: a {suffix} would hold {len(frames) * frames.plays} frames; "
            f"give at most {MOST_FRAMES // len(frames)}"
        )
    raster = Raster(frames)
    width, height = raster.size
    shown = np.empty((height + height % 2, width + width % 2, 3), np.uint8)
    shown[...] = rgb(frames.background)
    packed = BytesIO()  # the container's index is written when all is known, into a place further up
    # The same picture gives the same bytes: no random identifiers.
    with av.open(packed, "w", format=suffix[1:], options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(1000, frames.duration), options=options)
        stream.height, stream.width = shown.shape[:2]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = 1
        context.thread_count = 1  # else the bytes depend on how many processors there are
        for _ in range(max(frames.plays, 1)):
            for step, (picture, _) in enumerate(raster):
                shown[:height, :width] = picture[..., :3]
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
                if frames.watch:
                    frames.watch(step)
        container.mux(stream.encode(None))
    file.write(packed.getbuffer())
