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
    shown: Pixels | None = None
    for step, (picture, boxes) in enumerate(Raster(frames)):
        lefts, tops, rights, bottoms = zip(*(boxes or [(0, 0, 1, 1)]), strict=True)
        left, top, right, bottom = min(lefts) // 2 * 2, min(tops) // 2 * 2, max(rights), max(bottoms)
        new = picture[top:bottom, left:right]
        if shown is None:
            shown = picture.copy()
            if not frames.transparent:
                shown[..., 3] = 255
            yield (left, top, right, bottom), shown
        elif frames.transparent:
            yield (left, top, right, bottom), new
        else:
            part = shown[top:bottom, left:right]
            changed = (part[..., :3] != new[..., :3]).any(axis=2)
            part[..., :3] = new[..., :3]
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            upper, first = (int(where[0]) // 2 * 2 if len(where) else 0 for where in (rows, columns))
            lower, last = (int(where[-1]) + 1 if len(where) else 1 for where in (rows, columns))
            within = slice(upper, lower), slice(first, last)
            box = left + first, top + upper, left + last, top + lower
            yield box, part[within] * changed[within][..., np.newaxis]
        if frames.watch:
            frames.watch(step)
