"""What the lossless formats have in common: each step holds only the pixels that it changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convviz.render import Box, Pixels, Raster
from convviz.scene import Frames


def changes(frames: Frames) -> Iterator[tuple[Box, Pixels]]:
    """For each step, a rectangle and its straight-alpha RGBA pixels, to be laid over the step before.

    Pixels that stay are clear, which packs well. A picture without a background cannot be built that way, since its
    changes may clear pixels: there the rectangles take the place of what is under them. The first one is the whole
    picture; left and top are even, since one format counts in twos.
    """
    raster = Raster(frames)
    shown: Pixels | None = None
    for step, (box, pixels) in enumerate(raster):
        left, top, right, bottom = box
        if shown is None:
            shown = pixels.copy()
            if not frames.transparent:
                shown[..., 3] = 255
            yield box, shown
        elif frames.transparent:
            shown[top:bottom, left:right] = pixels
            left, top = left // 2 * 2, top // 2 * 2
            yield (left, top, right, bottom), shown[top:bottom, left:right]
        else:
            part = shown[top:bottom, left:right]
            changed = (part[..., :3] != pixels[..., :3]).any(axis=2)
            part[..., :3] = pixels[..., :3]
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            if len(rows):
                left, right, top, bottom = left + columns[0], left + columns[-1] + 1, top + rows[0], top + rows[-1] + 1
            else:
                right, bottom = left + 1, top + 1
            left, top = left // 2 * 2, top // 2 * 2
            kept = np.zeros(shown.shape[:2], bool)
            kept[box[1] : box[3], box[0] : box[2]] = changed
            window = slice(top, bottom), slice(left, right)
            yield (int(left), int(top), int(right), int(bottom)), shown[window] * kept[window][..., np.newaxis]
        if frames.watch:
            frames.watch(step)
