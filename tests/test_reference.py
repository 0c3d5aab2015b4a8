"""Theme "reference" against the guide's own GIFs, where a checkout has them beside it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence
from tools import package

from convviz import animate

FOLDER = Path(__file__).parents[2] / "shared" / "reference"
NAMES = [
    f"{name}{suffix}"
    for name in ("no_padding_no_strides", "arbitrary_padding_no_strides", "no_padding_strides", "padding_strides")
    for suffix in ("", "_transposed")
]


def decoded(data: bytes) -> tuple[list[np.ndarray], list[int], int | None]:
    with Image.open(io.BytesIO(data)) as image:
        frames = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
        return [pixels for pixels, _ in frames], [duration for _, duration in frames], image.info.get("loop")


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the guide's GIFs are not part of this repository; CI has them")
def test_the_eight_pictures_of_the_guide_are_drawn_again():
    metrics = package("skimage.metrics")
    scores, ours_bytes, their_bytes = [], 0, 0
    for name in NAMES:
        file = io.BytesIO()
        animate(name, theme="reference").write(file, ".gif")
        theirs = (FOLDER / f"{name}.gif").read_bytes()
        (ours, *playing), (reference, *expected) = decoded(file.getvalue()), decoded(theirs)
        assert (len(ours), ours[0].shape, *playing) == (len(reference), reference[0].shape, *expected)
        for a, b in zip(ours, reference, strict=True):
            scores.append(metrics.structural_similarity(a, b, channel_axis=2, data_range=255))
        ours_bytes, their_bytes = ours_bytes + len(file.getvalue()), their_bytes + len(theirs)
    assert min(scores) >= 0.985
    assert np.mean(scores) >= 0.99
    assert ours_bytes <= 0.5 * their_bytes
