"""What tests of views ask of a frame: which texts are seen, and whether any is clipped, overlaps or cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convviz.render import Raster
from convviz.scene import Frame, Frames, Polygon, Text

SLACK = 0.05
"""Points by which neighbours may seem to touch: floating-point error, not ink."""


def steps_of(frames: Frames) -> Iterator[np.ndarray]:
    """Each step put together from nothing but the boxes that the raster says have changed."""
    shown = np.zeros((*frames.pixel_size[::-1], 4), np.uint8)
    for picture, boxes in Raster(frames):
        shown = shown.copy()
        for left, top, right, bottom in boxes:
            shown[top:bottom, left:right] = picture[top:bottom, left:right]
        yield shown


def seen(frame: Frame) -> list[tuple[Text, str]]:
    """The texts that no later shape hides, each with the colour that lies under it."""
    texts, when, fills, boxes, painted = [], [], [], [], []
    for order, shape in enumerate(frame.shapes):
        if isinstance(shape, Text):
            if shape.text.strip():
                texts.append(shape)
                when.append(order)
        elif isinstance(shape, Polygon) and shape.fill:
            assert shape.opacity == 1, "a flat view paints opaque cells"
            points = shape.points if shape.points.ndim == 3 else shape.points[np.newaxis]
            boxes.append(np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1))
            fills += [shape.fill] * len(points)
            painted += [order] * len(points)
    left, top, right, bottom = np.array([text.extent for text in texts]).T[:, :, np.newaxis]
    cells = np.concatenate([np.zeros((0, 4)), *boxes]).T[:, np.newaxis, :]
    later = np.array(painted) > np.array(when)[:, np.newaxis]
    hides = (cells[0] <= left + 1) & (cells[1] <= top + 1) & (cells[2] >= right - 1) & (cells[3] >= bottom - 1)
    hidden = (hides & later).any(axis=1)
    x, y = (left + right) / 2, np.array([text.y for text in texts])[:, np.newaxis]
    under = (cells[0] <= x) & (cells[1] <= y) & (cells[2] >= x) & (cells[3] >= y) & ~later
    # The last one painted before the text is the one that shows.
    last = (
        np.where(under.any(axis=1), under.shape[1] - 1 - under[:, ::-1].argmax(axis=1), -1)
        if fills
        else [-1] * len(texts)
    )
    colors = [*fills, frame.background or "#ffffff"]
    return [(text, colors[n]) for text, n, gone in zip(texts, last, hidden, strict=True) if not gone]


def check_texts(frame: Frame) -> list[tuple[Text, str]]:
    """Assert that each text that is seen lies in its box and in the picture, and that no two overlap."""
    texts = seen(frame)
    for text, _ in texts:
        left, top, right, bottom = text.extent
        bounds = text.box or (0, 0, frame.width, frame.height)
        outer = (max(bounds[0] - SLACK, 0), max(bounds[1] - SLACK, 0), bounds[2] + SLACK, bounds[3] + SLACK)
        inside = [left >= outer[0], top >= outer[1], right <= outer[2], bottom <= outer[3]]
        inside += [right <= frame.width, bottom <= frame.height]
        assert all(inside), (text, text.extent, bounds)
    if len(texts) > 1:
        extents = np.array([text.extent for text, _ in texts])
        low = np.maximum(extents[:, np.newaxis, :2], extents[:, :2])
        high = np.minimum(extents[:, np.newaxis, 2:], extents[:, 2:])
        overlap = ((high - low) > SLACK).all(axis=2)
        np.fill_diagonal(overlap, False)
        pairs = [(texts[a][0], texts[b][0]) for a, b in np.argwhere(overlap) if a < b]
        assert not pairs, pairs[:3]
    return texts
