"""Pictures in Markdown pages: what a fence becomes, again and again, and what it can never do."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convviz import Animation, ConvvizError, cli
from convviz.cli import read_picture
from convviz.documents import Picture
from convviz.markdown import markdown_text, update

FENCE = "```convviz\nconv -i 4 -k 3\n```\n"
WORDS = "conv -i 4 -k 3"
GIVEN = (
    "conv conv-transpose max-pool dilation -i -k -s -p 3 4 5,5 0:1 --theme dark light,dark --step -1 --view stack "
    "--order scatter --title x' \" \\ --alt --format svg gif --width 1e9 --plays --duration 10 -- --caption --help "
    "--groups --channels 9999999999 nan ٣ é \0 @x -o --name"
)


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\n{FENCE}\nText after.\n", encoding="utf-8")
    return path


def pictures(folder):
    return sorted(path for path in folder.iterdir() if path.suffix in (".gif", ".png", ".svg"))


def test_a_fence_becomes_a_picture_beside_the_page(page):
    assert update(page, read_picture).changed
    (picture,) = pictures(page.parent)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Title\n\n<!-- convviz: {WORDS} -->\n\n![Animation of a convolution (kernel 3×3")
    assert text.endswith(f"]({picture.name})\n\n<!-- /convviz -->\n\nText after.\n")
    with Image.open(picture) as image:
        assert image.n_frames == 4


def test_running_it_again_changes_nothing(page):
    update(page, read_picture)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in page.parent.iterdir()}
    assert not update(page, read_picture)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in page.parent.iterdir()} == before


def test_changed_words_give_a_new_picture_and_take_the_old_one_away(page):
    update(page, read_picture)
    (old,) = pictures(page.parent)
    page.write_text(page.read_text(encoding="utf-8").replace(WORDS, "conv -i 5 -k 3"), encoding="utf-8")
    done = update(page, read_picture)
    assert done.removed == [old]
    assert [path.name for path in pictures(page.parent)] == [done.written[0].name] != [old.name]
    assert "5×5 input" in page.read_text(encoding="utf-8")


def test_words_that_mean_the_same_give_the_same_picture():
    name = read_picture("conv -i 5 -k 3 -s 2 -p 1").file_name(".gif")
    assert read_picture("padding_strides").file_name(".gif").partition("-")[2] == name.partition("-")[2]
    assert read_picture("conv --kernel-size=3,3 -i 5,5 -p 1:1 -s 2").file_name(".gif") == name
    for other in ("--theme dark", "--caption", "--duration 500", "--width 100", "--order scatter", "--step 1"):
        assert read_picture(f"conv -i 5 -k 3 -s 2 -p 1 {other}").file_name(".gif") != name


def test_a_picture_in_other_colours_for_a_dark_page_has_another_name():
    picture = read_picture("dilation --theme light,dark")
    frames = picture.animation.frames
    other = Animation(picture.animation.trace, replace(frames, dark=lambda: replace(frames, background="#101010")))
    assert replace(picture, animation=other).file_name(".svg") != picture.file_name(".svg")


def test_a_missing_picture_is_drawn_and_redraw_draws_all(page):
    update(page, read_picture)
    (picture,) = pictures(page.parent)
    whole = picture.read_bytes()
    picture.unlink()
    assert update(page, read_picture).written == [picture]
    picture.write_bytes(b"damaged")
    assert not update(page, read_picture)
    update(page, read_picture, redraw=True)
    assert picture.read_bytes() == whole


def test_check_tells_and_writes_nothing(page, capsys):
    before = page.read_bytes()
    assert cli.main(["markdown", "--check", str(page)]) == 1
    assert page.read_bytes() == before
    assert not pictures(page.parent)
    assert "would rewrite" in capsys.readouterr().out
    assert cli.main(["markdown", str(page)]) == 0
    assert cli.main(["markdown", "--check", str(page)]) == 0


def test_pictures_can_go_to_a_folder_of_their_own(page):
    folder = page.parent / "assets" / "my pictures"
    update(page, read_picture, folder)
    (picture,) = pictures(folder)
    assert f"](assets/my%20pictures/{picture.name})" in page.read_text(encoding="utf-8")
    update(page, read_picture, folder, url="/img/")
    assert f"](/img/{picture.name})" in page.read_text(encoding="utf-8")
    assert not update(page, read_picture, folder, url="/img/")


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here.\n",
        "````markdown\n```convviz\nconv -i 4 -k 3\n```\n````\n",
        "~~~\n```convviz\nconv -i 4 -k 3\n```\n~~~\n",
        "    ```convviz\n    conv -i 4 -k 3\n    ```\n",
        "```python\n'<!-- convviz: -->'\n```\n",
        "`` ```convviz `` in a line\n",
        "```convvizard\nx\n```\n",
    ],
)
def test_what_only_shows_a_fence_is_left_alone(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert not update(page, read_picture)
    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("mark", ["1. ", "- ", "10) ", "*   "])
def test_a_fence_in_a_list_stays_in_it(tmp_path, mark):
    page = tmp_path / "page.md"
    indent = " " * len(mark)
    page.write_text(f"{mark}item\n\n{indent}```convviz\n{indent}{WORDS}\n{indent}```\n", encoding="utf-8")
    update(page, read_picture)
    assert f"\n{indent}<!-- convviz: {WORDS} -->\n\n{indent}![" in page.read_text(encoding="utf-8")
    assert not update(page, read_picture)


def test_numbers_in_a_file_are_named_from_the_page(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "edge.csv").write_text("1,0,-1\n2,0,-2\n1,0,-1\n", encoding="utf-8")
    page = tmp_path / "docs" / "page.md"
    page.write_text("```convviz\nconv -i 4 --weight edge.csv --view grid\n```\n", encoding="utf-8")
    assert cli.main(["markdown", str(page)]) == 0
    (first,) = pictures(page.parent)
    (tmp_path / "docs" / "edge.csv").write_text("1,0,-1\n2,0,-2\n1,0,-2\n", encoding="utf-8")
    assert cli.main(["markdown", "--check", str(page)]) == 1, "other numbers are another picture"
    assert cli.main(["markdown", str(page)]) == 0
    assert pictures(page.parent) != [first]


@pytest.mark.parametrize(
    "looks", ["--view grid", "--view matrix --labels symbols", "--view stack,grid --order both", "--with-transposed"]
)
def test_every_view_can_stand_in_a_page(tmp_path, looks):
    page = tmp_path / "page.md"
    page.write_text(f"```convviz\n{WORDS} {looks} --step 1\n```\n", encoding="utf-8")
    assert update(page, read_picture)
    assert re.search(r"Shown is step \d of 4\b", page.read_text(encoding="utf-8"))
    assert not update(page, read_picture)


def test_line_ends_and_tildes_and_several_lines_are_kept(tmp_path):
    page = tmp_path / "page.md"
    page.write_bytes(b"a\r\n\r\n~~~~ convviz\r\nconv -i 4\r\n  -k 3\r\n~~~~\r\nb\r\n")
    update(page, read_picture)
    text = page.read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n")
    assert b"<!-- convviz: conv -i 4\r\n  -k 3 -->\r\n" in text
    assert text.startswith(b"a\r\n\r\n")
    assert text.endswith(b"\r\nb\r\n")
    assert not update(page, read_picture)


@pytest.mark.parametrize(
    ("fence", "line", "told"),
    [
        ("```convviz\nconv -i 4 -k 9\n```\n", 3, "kernel_size is 9"),
        ("```convviz\n```\n", 3, "name is missing"),
        ("```convviz\nconv -i 4 -k 3 'open\n```\n", 3, "no closing quotation"),
        ("```convviz\nconv -i 4 -k 3\n", 3, "fence is not closed"),
        ("```convviz title=x\nconv -i 4 -k 3\n```\n", 3, "put the words into its body"),
        ("```convviz\nconv -i 4 -k 3 --title 'a --> b'\n```\n", 3, "fence holds -->"),
        ("```convviz\nconv -i 4 -k 3 -o /tmp/x.gif\n```\n", 3, "unrecognized arguments"),
        ("```convviz\n--help\n```\n", 3, "arguments are required: NAME_OR_OP"),
        ("```convviz\n../../etc/passwd\n```\n", 3, 'name is "../../etc/passwd"'),
        ("```convviz\nconv -i 4 -k 3 --format ../x\n```\n", 3, 'format is "../x"'),
        ("```convviz\nconv -i 4 -k 3 --format pgf\n```\n", 3, 'format is "pgf"'),
        ("```convviz\nconv -i 4 -k 3 --step 4\n```\n", 3, "step is 4"),
        ("<!-- convviz: conv -i 4 -k 3 -->\n\n![a](b.gif)\n", 3, "picture has no <!-- /convviz -->"),
        ("<!-- convviz: conv -i 4 -k 3 -->\nMy own text.\n<!-- /convviz -->\n", 3, "picture has no"),
        ("<!-- convviz: conv -i 4 -k 3\n", 3, "comment is not closed"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_nothing_is_written(tmp_path, capsys, fence, line, told):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{fence}", encoding="utf-8")
    before = page.read_bytes()
    assert cli.main(["markdown", str(page)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"convviz: {page}:{line}: ")
    assert told in message
    assert message.count("\n") == 1
    assert page.read_bytes() == before
    assert os.listdir(tmp_path) == ["page.md"]


def test_a_fault_in_the_second_fence_draws_neither(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(FENCE + FENCE.replace("-k 3", "-k 3 --format gif --step 1"), encoding="utf-8")
    with pytest.raises(ConvvizError, match=re.escape(f"{page}:4: step is 1")):
        update(page, read_picture)
    assert os.listdir(tmp_path) == ["page.md"]


@pytest.mark.parametrize("name", ["missing.md", "latin.md", "."])
def test_a_page_that_cannot_be_read(tmp_path, capsys, name):
    (tmp_path / "latin.md").write_bytes("é".encode("latin-1"))
    assert cli.main(["markdown", str(tmp_path / name)]) == 2
    assert "page is" in capsys.readouterr().err


@pytest.mark.parametrize(
    "named",
    ["../secret.gif", "secret.gif", "/etc/hostname", "..%2fsecret.gif", "page-conv-0123456789ab.gif/../secret.gif"],
)
def test_only_the_pages_own_pictures_are_ever_removed(tmp_path, named):
    secrets = [tmp_path / "secret.gif", tmp_path / "docs" / "secret.gif"]
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    for secret in secrets:
        secret.write_bytes(b"mine")
    page.write_text(f"<!-- convviz: {WORDS} -->\n\n![x]({named})\n\n<!-- /convviz -->\n", encoding="utf-8")
    assert not update(page, read_picture).removed
    assert [secret.read_bytes() for secret in secrets] == [b"mine"] * 2


def test_another_pages_picture_of_the_same_is_not_removed(tmp_path):
    pages = [tmp_path / "a.md", tmp_path / "b.md"]
    for path in pages:
        path.write_text(FENCE, encoding="utf-8")
        update(path, read_picture)
    pages[0].write_text("Now without.\n", encoding="utf-8")
    update(pages[0], read_picture)
    pages[1].write_text(pages[1].read_text(encoding="utf-8").replace("-i 4", "-i 5"), encoding="utf-8")
    assert [path.name[:2] for path in update(pages[1], read_picture).removed] == ["b-"]


def test_pictures_stay_in_their_folder_whatever_the_page_is_called(tmp_path):
    page = tmp_path / "..  x; rm.v2.md"
    page.write_text(FENCE, encoding="utf-8")
    (path,) = update(page, read_picture).written
    assert path.parent == tmp_path
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", path.name)


def test_a_title_is_text_and_no_more(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(FENCE.replace("-k 3", "-k 3 --title '<script>x</script> \"](y) [z]'"), encoding="utf-8")
    update(page, read_picture)
    shown = page.read_text(encoding="utf-8").split("-->", 1)[1]
    assert '"&lt;script&gt;x&lt;/script&gt; &quot;\\](y) \\[z\\]"' in shown
    assert not update(page, read_picture)


PIECES = [
    "```convviz\ndilation\n```",
    "1. x\n\n   ~~~~convviz\n   dilation\n   ~~~~",
    "<!-- convviz: dilation -->\n\n![a](page-dilation-0123456789ab.gif)\n\n<!-- /convviz -->",
    *("```convviz", "```", "~~~", "````", "   ```convviz", "- a", "    ```convviz", "> ```convviz", "\t```convviz"),
    *(
        "<!-- convviz: dilation",
        "<!-- convviz: dilation -->",
        "-->",
        "<!-- /convviz -->",
        "![a](b.gif)",
        "dilation",
        "",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_a_second_run_never_changes_what_the_first_made(pieces, eol):
    picture = read_picture("dilation")

    def read(words):
        if words != "dilation":
            raise ConvvizError(f"words are {words}")
        return picture

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Picture, "save", lambda _, path, suffix, anew: path.write_bytes(b""))
        page = Path(folder, "page.md")
        page.write_bytes(eol.join("\n".join(pieces).split("\n")).encode())
        before = page.read_bytes()
        try:
            update(page, read)
        except ConvvizError:
            assert page.read_bytes() == before
            assert os.listdir(folder) == ["page.md"]
        else:
            assert not update(page, read)


@given(st.one_of(st.text(), st.lists(st.sampled_from(GIVEN.split(" "))).map(" ".join)))
def test_words_are_read_or_refused_in_one_line(words):
    told = ""
    try:
        read_picture(words).suffix(".gif")
    except ConvvizError as error:
        told = str(error)
    assert "\n" not in told


@given(st.text())
def test_escaped_text_holds_nothing_that_markdown_reads(text):
    escaped = markdown_text(text)
    assert not re.search(r'[<>"\n]', escaped)
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]`*]", escaped.replace("\\\\", ""))


def test_a_still_says_which_step_it_shows():
    picture = read_picture("conv -i 4 -k 3 --step -1")
    assert isinstance(picture, Picture)
    assert picture.alt_text.endswith("Shown is step 4 of 4: output [1, 1].")
    assert picture.suffix(".gif") == ".png"
