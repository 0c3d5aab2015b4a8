"""Every format but GIF (see test_gif): decoded by programs that did not write it, and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageSequence
from tools import ffmpeg_frames, package, run, tool

from convviz import CASES, THEMES, VIEWS, Animation, Conv, ConvTranspose, ConvvizError, animate, cli, trace
from convviz.cases import GUIDE
from convviz.formats import FORMATS, svg
from convviz.render import Raster
from convviz.scene import Frames, Layer, Line, Polygon, Text, fixed, rgb

MOVING = [".gif", ".apng", ".webp", ".svg", ".html", ".mp4", ".webm"]
STILL = [".png", ".pdf", ".pgf", ".svg"]
VIDEO = [".mp4", ".webm"]
NAMES = list(GUIDE)
SVG = "{http://www.w3.org/2000/svg}"


def written(picture: Animation, suffix: str, **how) -> bytes:
    if suffix in VIDEO:
        package("av")
    file = io.BytesIO()
    picture.write(file, suffix, **how)
    return file.getvalue()


def drawn(picture: Animation) -> np.ndarray:
    raster = Raster(picture.frames)
    return np.stack([np.asarray(raster.image(t)) for t in range(len(picture))])


def assert_same_pixels(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal but for the colour of what is wholly clear."""
    np.testing.assert_array_equal(theirs[..., 3], ours[..., 3])
    seen = ours[..., 3] > 0
    np.testing.assert_array_equal(theirs[seen], ours[seen])


PICTURES = {
    "plain": animate("no_padding_strides_transposed", duration=1250),
    "dark": animate("padding_strides", theme="dark", caption=True, duration=70, plays=3),
    "clear": animate("dilation", transparent=True, width=201, plays=1),
    # Nothing changes from the first step to the second.
    "equal": animate(ConvTranspose((1,), (1,), stride=2, output_padding=1), duration=250),
}


def test_every_format_moves_or_stands_still():
    modules = {suffix: __import__(module, fromlist=["write"]) for suffix, module in FORMATS.items()}
    assert [suffix for suffix in FORMATS if hasattr(modules[suffix], "write")] == MOVING
    assert {suffix for suffix in FORMATS if hasattr(modules[suffix], "write_step")} == set(STILL)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_ffmpeg_reads_the_apng(picture, tmp_path):
    path = tmp_path / "a.apng"
    picture.save(path)
    assert_same_pixels(drawn(picture), ffmpeg_frames(path, picture.frames.pixel_size))
    times = run(tool("ffprobe"), "-v", "error", "-show_entries", "packet=duration_time", "-of", "csv=p=0", str(path))
    assert [float(time) * 1000 for time in times.split()] == [picture.frames.duration] * len(picture)


def test_the_chunks_of_an_apng_count_steps_and_plays():
    picture = PICTURES["dark"]
    data, at, kinds = written(picture, ".apng"), 8, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        kinds.append(kind)
        if kind == b"acTL":
            assert struct.unpack_from(">II", data, at + 8) == (len(picture), 3)
        at += length + 12
    assert kinds == [b"IHDR", b"acTL", b"fcTL", b"IDAT", *[b"fcTL", b"fdAT"] * (len(picture) - 1), b"IEND"]


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_webpmux_reads_the_webp(picture, tmp_path):
    path = tmp_path / "a.webp"
    picture.save(path)
    told = run(tool("webpmux"), "-info", str(path)).decode()
    width, height = picture.frames.pixel_size
    assert f"Canvas size: {width} x {height}" in told
    assert f"Loop Count : {picture.frames.plays}" in told
    rows = re.findall(r"^ *\d+: +(\d+) +(\d+) +\w+ +(\d+) +(\d+) +(\d+) .*lossless$", told, re.MULTILINE)
    assert [int(row[4]) for row in rows] == [picture.frames.duration] * len(picture)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_webp_keeps_every_pixel(picture):
    # The file around the packed pixels is the format's own; Pillow, which did the packing, reads it by libwebp.
    with Image.open(io.BytesIO(written(picture, ".webp"))) as image:
        frames = [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(image)]
    assert_same_pixels(drawn(picture), np.stack(frames))


@pytest.mark.parametrize("suffix", VIDEO)
@pytest.mark.parametrize(("picture", "plays"), [
    (animate("no_padding_strides_transposed"), 1),
    (animate("padding_strides", theme="dark", width=201, duration=40, plays=2), 2),
], ids=repr)  # fmt: skip
def test_ffmpeg_reads_the_video(picture, plays, suffix, tmp_path):
    package("av")
    path = tmp_path / f"a{suffix}"
    picture.save(path)
    width, height = picture.frames.pixel_size
    even = width + width % 2, height + height % 2
    theirs = ffmpeg_frames(path, even)[..., :3].astype(int)
    assert len(theirs) == plays * len(picture)
    told = run(tool("ffprobe"), "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path))
    assert float(told) == pytest.approx(plays * len(picture) * picture.frames.duration / 1000, abs=0.002)
    if even != (width, height):
        assert abs(theirs[:, :, width:] - rgb(picture.frames.background)).max(initial=0) <= 4
        assert abs(theirs[:, height:] - rgb(picture.frames.background)).max(initial=0) <= 4
    ours = np.tile(drawn(picture), (plays, 1, 1, 1))[..., :3].astype(int)
    apart = abs(theirs[:, :height, :width] - ours)
    # Colours have half the resolution: thin lines blur a little, areas do not change.
    assert apart.mean() < 2.5
    assert np.median(apart) <= 2
    for step, other in ((0, 1), (3, 4), (len(picture) - 1, 0)):
        assert apart[step].mean() < abs(theirs[step, :height, :width] - ours[other]).mean()


def test_a_video_without_its_extra_names_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    for suffix in VIDEO:
        assert cli.main(["render", "padding_strides", "-o", str(tmp_path / f"a{suffix}")]) == 2
        told = capsys.readouterr().err
        assert told == f"convviz: format is {suffix}: it needs the extra video; pip install 'convviz[video]'\n"
    assert os.listdir(tmp_path) == []


def pages(path, dots: int = 150) -> list[Image.Image]:
    """The pages of a PDF as poppler draws them."""
    run(tool("pdftoppm"), "-r", str(dots), "-png", str(path), str(path.with_suffix("")))
    return [Image.open(page).convert("RGB") for page in sorted(path.parent.glob(f"{path.stem}-*.png"))]


def assert_alike(ours: Image.Image, theirs: Image.Image, most: int = 64) -> None:
    """The same picture but for the softness of its edges: averages over 4 x 4 pixels are close."""
    # TeX and poppler round lengths, so that a page may be a pixel larger.
    assert all(0 <= b - a <= 1 for a, b in zip(ours.size, theirs.size, strict=True))
    theirs = theirs.crop((0, 0, *ours.size))
    a, b = (np.asarray(image.convert("RGB").reduce(4), int) for image in (ours, theirs))
    assert abs(a - b).max() <= most
    assert abs(a - b).mean() < 1.5


@pytest.mark.parametrize("picture", [
    animate("no_padding_strides_transposed"),
    animate("padding_strides", theme="dark", caption=True, width=300),
], ids=repr)  # fmt: skip
def test_poppler_draws_the_pdf(picture, tmp_path):
    path = tmp_path / "a.pdf"
    picture.save(path, step=4)
    (page,) = pages(path)
    assert_alike(picture.image(4), page)
    with pytest.raises(AssertionError):
        assert_alike(picture.image(5), page)


def test_latex_draws_the_pgf(tmp_path):
    picture = animate("padding_strides_transposed", caption=True)
    picture.save(tmp_path / "a.pgf", step=7)
    (tmp_path / "page.tex").write_text(
        r"\documentclass{article}\usepackage{pgf}\begin{document}\setbox0=\hbox{\input{a.pgf}}"
        r"\pdfpagewidth=\wd0 \pdfpageheight=\ht0 \hoffset=-1in \voffset=-1in \shipout\box0 \end{document}"
    )
    run(tool("pdflatex"), "-halt-on-error", "-interaction=nonstopmode", "page.tex", cwd=tmp_path)
    (page,) = pages(tmp_path / "page.pdf")
    assert_alike(picture.image(7), page)


def test_a_matplotlibrc_has_no_say_in_vector_files(tmp_path):
    (tmp_path / "matplotlibrc").write_text(
        "pdf.compression: 0\npdf.inheritcolor: True\npath.simplify_threshold: 1\npath.sketch: 1, 100, 2\n"
        "pgf.preamble: \\\\usepackage{nothing}\nfont.family: serif\nsavefig.dpi: 10\nlines.linewidth: 9\n"
    )
    program = (
        "import convviz, sys\n"
        "picture = convviz.animate('padding_strides', caption=True)\n"
        "for suffix in ('.pdf', '.pgf', '.png', '.gif'): picture.save(sys.argv[1] + suffix)\n"
    )
    for name, environment in (("theirs", {"MATPLOTLIBRC": str(tmp_path)}), ("ours", {})):
        words = [sys.executable, "-c", program, str(tmp_path / name)]
        subprocess.run(words, check=True, env=os.environ | environment)
    for suffix in (".pdf", ".pgf", ".png", ".gif"):
        ours, theirs = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("ours", "theirs"))
        assert ours == theirs, suffix


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_picture_gives_the_same_bytes(suffix):
    first, second = (animate("padding_strides", caption=True) for _ in range(2))
    assert written(first, suffix) == written(second, suffix)


@pytest.mark.parametrize("suffix", sorted(STILL))
def test_one_step_is_another_picture_than_the_first(suffix):
    picture = animate("padding_strides")
    assert written(picture, suffix, step=8) == written(picture, suffix, step=-1)
    assert len({written(picture, suffix, step=step) for step in (0, 1, 8)}) == 3


def test_a_watcher_sees_each_step():
    picture = animate("padding_strides")
    for suffix in (".gif", ".apng", ".webp", ".mp4"):
        seen = []
        written(picture, suffix, progress=seen.append)
        assert seen == list(range(9)), suffix


def test_all_steps_are_files_that_latex_can_count(tmp_path):
    assert cli.main(["render", "padding_strides", "--steps", "all", "-o", str(tmp_path / "frame-%d.pdf")]) == 0
    assert sorted(os.listdir(tmp_path)) == [f"frame-{n}.pdf" for n in range(9)]
    picture = animate("padding_strides")
    assert (tmp_path / "frame-8.pdf").read_bytes() == written(picture, ".pdf", step=8)
    paths = picture.save_steps(tmp_path / "%03d.svg")
    assert [os.path.basename(path) for path in paths] == [f"{n:03}.svg" for n in range(9)]
    for path in paths:
        ElementTree.parse(path)


@pytest.mark.parametrize(("words", "told"), [
    (["-o", "a.gif", "--step", "1"], "step is 1: a .gif shows all steps"),
    (["-o", "a.html", "--step", "0"], "step is 0: a .html shows all steps"),
    (["-o", "a.pdf", "--step", "9"], "step is 9: the picture has steps 0 to 8"),
    (["-o", "a.pdf", "--steps", "all"], 'output is "a.pdf": all steps need one %d'),
    (["-o", "%d-%d.pdf", "--steps", "all"], 'output is "%d-%d.pdf": all steps need one %d'),
    (["-o", "%d.gif", "--steps", "all"], "step is 0: a .gif shows all steps"),
    (["-o", "%d.pdf", "--steps", "3"], 'steps is "3": give all'),
    (["-o", "%d.pdf", "--steps", "all", "--step", "3"], "steps is all: give it without --step"),
    (["-o", "-", "--format", "pdf", "--steps", "all"], "steps is all: "),
    (["-o", "a.apng", "--duration", "65537"], "duration is 65537: too long for an APNG"),
    (["-o", "a.mp4", "--transparent"], "transparent is True: a .mp4 has no transparency"),
])  # fmt: skip
def test_what_a_format_cannot_do_is_said(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "a.mp4" in words:
        package("av")
    assert cli.main(["render", "padding_strides", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"convviz: {told}")
    assert error.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_long_duration_in_whole_seconds_fits_an_apng():
    data = written(animate(Conv(3, 3), duration=120_000), ".apng")
    at = data.index(b"fcTL") + 4 + 20
    assert Fraction(*struct.unpack_from(">HH", data, at)) == 120


# SVG; what a browser makes of it is in test_browser.


@pytest.mark.parametrize("name", NAMES)
def test_an_animated_svg_is_small(name):
    data = written(animate(name), ".svg")
    assert len(data) <= 12_000
    assert len(gzip.compress(data, 9)) <= 4_000


@pytest.mark.parametrize("caption", [False, True])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("order", ["gather", "scatter"])
def test_themes_for_light_and_dark_pages_draw_the_same_shapes(view, order, caption):
    for op in (CASES["padding_strides_odd_transposed"].op, Conv((5, 4), 2, stride=3, padding=((0, 1), (1, 0)))):
        try:
            light = animate(op, view=view, order=order, caption=caption).frames
        except ConvvizError:
            continue  # a view that does not show this order
        dark = light.dark()
        assert (dark.width, dark.height, len(dark)) == (light.width, light.height, len(light))
        for ours, theirs in zip(light.layers, dark.layers, strict=True):
            assert ours.kind == theirs.kind
            for t in (0, len(light) - 1):
                for a, b in zip(ours.shapes(t), theirs.shapes(t), strict=True):
                    assert type(a) is type(b)
                    assert getattr(a, "text", None) == getattr(b, "text", None)
                    if hasattr(a, "points"):
                        np.testing.assert_array_equal(a.points, b.points)


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_a_file_follows_its_reader_unless_one_theme_is_asked_for(suffix):
    for name in (None, "light,dark", "light, dark", *THEMES):
        told = written(animate("padding_strides", theme=name), suffix).decode()
        assert ("prefers-color-scheme" in told) == (name not in THEMES), name
    light, both, default = (animate("padding_strides", theme=name) for name in ("light", "light,dark", None))
    assert written(both, suffix) == written(default, suffix) != written(light, suffix)


def test_two_themes_are_refused_where_a_file_holds_one():
    both, default = animate("padding_strides", theme="light,dark"), animate("padding_strides")
    for suffix in set(FORMATS) - {".svg", ".html"}:
        with pytest.raises(ConvvizError, match=r'^theme is "light,dark": .* save as \.svg or \.html$'):
            written(both, suffix)
    assert both._repr_mimebundle_()["image/png"] == default._repr_mimebundle_()["image/png"]  # what a notebook shows
    for wrong in ("dark,light", "light,reference", "light,", "light,dark,light"):
        with pytest.raises(ConvvizError, match=r"of two themes, a picture can hold light,dark$"):
            animate("padding_strides", theme=wrong)


def test_an_svg_moves_by_css_alone_and_says_what_it_is():
    root = ElementTree.fromstring(written(animate("padding_strides", caption=True), ".svg"))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "defs", "g", "path", "use", "text"}
    assert root.find(f"{SVG}title").text == "Convolution, 5×5 → 3×3"
    assert root.find(f"{SVG}desc").text == animate("padding_strides").alt_text
    style = root.find(f"{SVG}style").text
    assert "@media(prefers-reduced-motion:reduce)" in style
    # What is used is there.
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(names) == len(set(names))
    used = {element.get("href").removeprefix("#") for element in root.iter(f"{SVG}use")}
    assert used == set(names) - {root.get("id")}


def corners(path: str) -> list[list[tuple[int, int]]]:
    """The corners of each part of a path of relative moves and lines."""
    found, x, y = [], 0, 0
    for command, rest in re.findall(r"([mlhvz])([^mlhvz]*)", path):
        numbers = [int(n) for n in re.findall(r"-?\d+", rest)]
        if command == "z":
            x, y = found[-1][0]
            continue
        if command in "ml":
            moves = list(zip(numbers[::2], numbers[1::2], strict=True))
        else:
            moves = [(n, 0) if command == "h" else (0, n) for n in numbers]
        for n, (right, down) in enumerate(moves):
            x, y = x + right, y + down
            if command == "m" and n == 0:
                found.append([])
            found[-1].append((x, y))
    return found


@given(
    points=arrays(
        float, st.tuples(st.integers(1, 5), st.integers(2, 5), st.just(2)), elements=st.floats(-300, 300, width=32)
    ),
    closed=st.booleans(),
)
def test_a_path_says_where_its_points_are(points, closed):
    shape = Polygon(points, "#000000") if closed else Line(points, "#000000", 1)
    frames = Frames(100, 100, 1, "#ffffff", (fixed([shape]),), transparent=True)
    path = ElementTree.fromstring(svg.document(frames)).find(f"{SVG}path").get("d")
    expected = points * svg.UNITS * frames.placement[0] + [svg.UNITS * n for n in frames.placement[1:]]
    # Half a unit for the first point, and half for each point's distance from it.
    assert abs(np.array(corners(path)) - expected).max() <= 1.001


def test_what_recurs_in_an_svg_has_one_definition_each():
    words = [Text(x, y, word, 6, "#000000") for y, word in enumerate(["a", "b", " c d  e "]) for x in (1, 2)]
    boxes = [Polygon(np.eye(3)[:, :2] * n + x, fill="#000000") for n in (1, 2) for x in (1, 2)]
    picture = animate("padding_strides")
    for layer in (fixed([*words, *boxes]), Layer("moving", lambda t: words[t % 4 :] + boxes[t % 3 :])):
        frames = replace(picture.frames, layers=(layer,), dark=None)
        root = ElementTree.fromstring(svg.document(frames))
        defined = {element.get("id"): element for element in root.find(f"{SVG}defs")}
        assert len(defined) == len(root.find(f"{SVG}defs"))
        drawn = []
        for element in root.iter(f"{SVG}use"):
            there = defined[element.get("href").removeprefix("#")]
            drawn += [part.text for part in there.iter(f"{SVG}text")]
        if layer.kind == "fixed":
            assert sorted(drawn) == ["a", "a", "b", "b", *["\xa0c d\xa0 e\xa0"] * 2]


@pytest.mark.parametrize("step", [None, 5])
def test_a_program_that_does_not_animate_shows_one_step(step, tmp_path):
    picture = animate("padding_strides_transposed")
    picture.save(tmp_path / "a.svg", step=step)
    run(tool("rsvg-convert"), str(tmp_path / "a.svg"), "-o", str(tmp_path / "a.png"))
    with Image.open(tmp_path / "a.png") as page:
        assert_alike(picture.image(step or 0), page)


def test_a_still_svg_does_not_move():
    told = written(animate("padding_strides"), ".svg", step=3).decode()
    assert "keyframes" not in told
    assert "--" not in told.replace("<!--", "")
    assert "step 4 of 9" in told


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_texts_are_escaped(suffix):
    nasty = "</title><script>alert('\"1\"')</script>&amp;<!--"
    picture = animate("padding_strides", caption=True)
    frames = replace(picture.frames, name=nasty, title=nasty, step_text=lambda t: nasty)
    told = written(Animation(picture.trace, frames), suffix).decode()
    assert "<script>alert" not in told
    assert "<!--" not in told
    if suffix == ".svg":
        root = ElementTree.fromstring(told)
        assert root.find(f"{SVG}title").text == root.find(f"{SVG}desc").text == nasty


def test_what_is_too_much_for_a_browser_is_refused(monkeypatch):
    monkeypatch.setattr(svg, "MOST_BYTES", 2_000)
    with pytest.raises(ConvvizError, match=r"^format is \.svg: its 9 steps hold too many shapes"):
        written(animate("padding_strides"), ".svg")


def test_a_growing_layer_adds_and_what_stands_still_is_there_once():
    picture = animate("padding_strides")
    line = picture.frames.layers[1].shapes(0)[-1]
    still = Layer("moving", lambda t: [replace(line, points=line.points + t // 3)])
    growing = Layer("growing", lambda t: [replace(line, points=line.points * (t + 2))])
    frames = replace(picture.frames, layers=(still, growing), dark=None)
    told = written(Animation(picture.trace, frames), ".svg").decode()
    spans = re.findall(r'style="--t:(\d)(?:;--e:(\d))?"', told)
    assert spans == [("0", "2"), ("3", "5"), ("6", "8"), *((str(t), "") for t in range(9))]


# Notebooks.


def test_a_notebook_is_given_a_picture_and_its_words():
    picture = animate("padding_strides", theme="dark")
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    element = ElementTree.fromstring(bundle["text/html"].replace('">', '"/>'))
    assert element.get("alt") == picture.alt_text
    assert element.get("src").startswith("data:image/gif;base64,R0lGOD")
    frames = replace(picture.frames, title='"><script>alert(1)</script>')
    assert "<script>" not in Animation(picture.trace, frames)._repr_mimebundle_()["text/html"]


def test_your_own_numbers_reach_the_picture_in_a_notebook():
    traced = trace(Conv(3, 2), x=np.arange(9).reshape(3, 3), weight=np.ones((2, 2), int))
    assert "4 steps" in animate(traced)._repr_mimebundle_()["text/plain"]
