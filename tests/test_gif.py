"""GIF files: exact colours, one frame a step, small, and the same in every decoder."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import steps_of
from PIL import Image, ImageSequence
from tools import ffmpeg_frames, run, tool

from convviz import THEMES, Conv, ConvTranspose, ConvvizError, MaxPool, animate
from convviz.cases import GUIDE
from convviz.scene import rgb

NAMES = list(GUIDE)


def gif(picture) -> bytes:
    file = io.BytesIO()
    picture.write(file, ".gif")
    return file.getvalue()


def decoded(data: bytes) -> tuple[list[np.ndarray], list[int], int | None]:
    """Frames, durations and loop count as Pillow reads them."""
    with Image.open(io.BytesIO(data)) as image:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            durations.append(frame.info["duration"])
            frames.append(np.asarray(frame.convert("RGBA")))
        return frames, durations, image.info.get("loop")


UP = ConvTranspose(3, 3, stride=2, padding=1)
MIXED = {
    "channels": (Conv(5, 3, padding=1, in_channels=3, out_channels=2), {"view": "stack,grid", "caption": True}),
    "views": (UP, {"view": "stack,grid,matrix", "caption": True}),
    "orders": (UP, {"view": "stack,grid", "order": "both"}),
    "pooling": (MaxPool(6, 3, stride=2, padding=1, ceil_mode=True), {"view": "stack,grid"}),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", [*NAMES, *MIXED, "gather_and_scatter", "checkerboard"])
def test_flat_colours_are_exact_and_soft_edges_close(name, theme):
    what, looks = MIXED.get(name, (name, {}))
    picture = animate(what, theme=theme, **looks)
    frames, durations, loop = decoded(gif(picture))
    assert (len(frames), set(durations), loop) == (len(picture), {1000}, 0)
    fills = [
        s.fill for layer in picture.frames.layers for s in layer.shapes(0) if hasattr(s, "opacity") and s.opacity == 1
    ]
    flat = {rgb(color) for color in [picture.frames.background, *fills] if color}
    for ours, theirs in zip(steps_of(picture.frames), frames, strict=True):
        for color in flat:
            there = (ours[..., :3] == color).all(axis=-1)
            assert (theirs[there][..., :3] == color).all()
        apart = abs(ours.astype(int) - theirs).max(axis=-1)
        assert apart.mean() < 1.0
        # Where a pixel is like its neighbours it is part of an area, such as the window's: its colour is kept too.
        words = ours.view(np.uint32)[..., 0]
        area = np.ones(words.shape, bool)
        for shift in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]:
            area &= words == np.roll(words, shift, axis=(0, 1))
        assert apart[area].max() <= 1
        assert (theirs[..., 3] == 255).all()


@pytest.mark.parametrize("picture", [
    animate("padding_strides_transposed", theme="dark", caption=True),
    animate(Conv((1,), (1,))),
    animate(ConvTranspose((4,), (3,), stride=2), order="scatter", duration=40),
    animate("no_padding_strides", transparent=True),
], ids=repr)  # fmt: skip
def test_other_decoders_see_the_same_frames(picture, tmp_path):
    path = tmp_path / "a.gif"
    picture.save(path)
    ours, durations, _ = decoded(path.read_bytes())
    theirs = ffmpeg_frames(path, picture.frames.pixel_size)
    assert len(theirs) == len(ours) == len(picture)
    for a, b in zip(ours, theirs, strict=True):
        seen = a[..., 3] > 0
        np.testing.assert_array_equal(a[..., 3], b[..., 3])
        np.testing.assert_array_equal(a[seen], b[seen])
    told = run(tool("gifsicle"), "--info", str(path)).decode()
    assert f"{len(picture)} image" in told
    assert [float(d) * 1000 for d in re.findall(r"delay ([\d.]+)s", told)] == durations


def test_equal_steps_keep_their_place_and_time():
    # A 1x1 kernel over one cell, drawn twice over two channels of time: nothing changes but the caption's number.
    picture = animate(ConvTranspose((1,), (1,), stride=2, output_padding=1), duration=250)
    frames, durations, _ = decoded(gif(picture))
    assert len(frames) == len(picture) == 2
    assert durations == [250, 250]


@pytest.mark.parametrize(("plays", "loop"), [(0, 0), (1, None), (2, 1), (5, 4)])
def test_plays_is_how_often_it_is_played(plays, loop):
    assert decoded(gif(animate(Conv(3, 3), plays=plays)))[2] == loop


@pytest.mark.parametrize("duration", [5, 15, 655360])
def test_a_duration_that_a_gif_cannot_tell_is_refused(duration):
    with pytest.raises(ConvvizError, match=f"duration is {duration}: "):
        gif(animate(Conv(3, 3), duration=duration))


def test_a_transparent_picture_leaves_nothing_behind():
    picture = animate("no_padding_strides_transposed", transparent=True)
    frames, _, _ = decoded(gif(picture))
    for ours, theirs in zip(steps_of(picture.frames), frames, strict=True):
        np.testing.assert_array_equal(theirs[..., 3] > 0, ours[..., 3] >= 128)
    assert (frames[0][..., 3] == 0).mean() > 0.3


def test_the_same_parameters_give_the_same_bytes():
    assert gif(animate("padding_strides", caption=True)) == gif(animate("padding_strides", caption=True))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak; CI runs there")
def test_memory_does_not_grow_with_the_number_of_steps():
    program = (
        "import convviz, io, re, sys\n"
        "picture = convviz.animate(convviz.Conv(int(sys.argv[1]), 3, padding=1), width=395)\n"
        "picture.write(io.BytesIO(), '.gif')\n"
        # Not getrusage: its peak is inherited from the process that started this one.
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024)\n"
    )
    few, many = (
        float(subprocess.run([sys.executable, "-c", program, n], capture_output=True, check=True).stdout)
        for n in ("5", "32")
    )
    assert many - few < 40
