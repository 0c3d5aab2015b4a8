"""The kinds of cell: what they are called, and the mark of those that take no part."""

import numpy as np

DATA = "data"
PADDING = "padding"
INSERTED = "inserted"
DROPPED = "dropped"
"""Takes no part: cropped, stepped over by the stride, or padding that no window covers."""
BEYOND = "beyond"
"""Counted by nothing: past the padding, under a window of ceil_mode, or padding that an average leaves out."""
WINNER = "winner"
"""The cell under the window that max pooling takes."""
UNVISITED = "unvisited"
"""A cell of the plane itself that no window covers."""

CROSS = np.array([[(a, b), (0.5 + (a - 0.5) * 0.3, 0.5 + (b - 0.5) * 0.3)] for a in (0.22, 0.78) for b in (0.22, 0.78)])
"""(4, 2, 2) the mark of what takes no part, in a cell of side 1: a cross that leaves the cell's middle its colour."""
