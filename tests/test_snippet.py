"""What to paste: it names files that are there, it is what the place reads, and its texts are text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from convviz import ConvvizError, animate, cli
from convviz.cli import read_picture
from convviz.formats import FORMATS
from convviz.snippet import PLACES, latex_text, snippet

WORDS = ["padding_strides"]


class Elements(HTMLParser):
    """The start tags of a page and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys, *words):
    assert cli.main(["snippet", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("place", ["github", "html"])
def test_a_picture_follows_its_readers_colours_and_motion(here, capsys, place):
    elements = Elements(printed(capsys, *WORDS, "--for", place, "-o", "img", "--name", "p"))
    tags = [tag for tag, _ in elements.tags]
    assert tags == ["picture", "source", "source", "source", "img"]
    dark, less = "(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"
    sources = [(given["media"], given["srcset"]) for tag, given in elements.tags if tag == "source"]
    assert sources == [
        (f"{dark} and {less}", "img/p-dark.png"),
        (less, "img/p.png"),
        (dark, "img/p-dark.gif"),
    ], "the first that holds is taken, so the narrower ones stand first"
    image = elements.tags[-1][1]
    picture = animate("padding_strides")
    assert image["alt"] == picture.alt_text
    assert image.get("style") == ("max-width:100%;height:auto" if place == "html" else None)
    assert (int(image["width"]), int(image["height"])) == picture.frames.pixel_size
    for name, steps in (("p-dark.png", 1), ("p.png", 1), ("p-dark.gif", len(picture)), ("p.gif", len(picture))):
        with Image.open(here / "img" / name) as file:
            assert (file.n_frames if steps > 1 else 1, file.size) == (steps, picture.frames.pixel_size)


def test_no_line_of_github_is_empty(here, capsys):
    """An empty line ends GitHub's HTML."""
    assert "\n\n" not in printed(capsys, *WORDS, "--for", "github", "--title", "x")


def test_one_theme_where_one_is_asked_for(here, capsys):
    elements = Elements(printed(capsys, *WORDS, "--for", "html", "--theme", "dark", "--name", "p"))
    assert [given["srcset"] for tag, given in elements.tags if tag == "source"] == ["p.png"]
    assert sorted(path.name for path in here.iterdir()) == ["p.gif", "p.png"]


def test_an_svg_does_all_of_it_by_itself(here, capsys):
    elements = Elements(printed(capsys, *WORDS, "--for", "html", "--format", "svg", "--name", "p"))
    assert [tag for tag, _ in elements.tags] == ["img"]
    (drawn,) = here.iterdir()
    text = drawn.read_text(encoding="utf-8")
    assert "prefers-color-scheme" in text
    assert "prefers-reduced-motion" in text


def test_a_step_stands_still(here, capsys):
    elements = Elements(printed(capsys, *WORDS, "--for", "html", "--step", "2", "--name", "p"))
    assert sorted(path.name for path in here.iterdir()) == ["p-dark.png", "p.png"]
    assert "Shown is step 3 of 9" in elements.tags[-1][1]["alt"]


def test_two_pictures_have_two_names(here, capsys):
    for words in (["conv", "-i", "4", "-k", "3"], ["conv", "-i", "5", "-k", "3"]):
        printed(capsys, *words, "--for", "markdown")
    assert len(list(here.iterdir())) == 2


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "text", ['<script>alert("x")</script>', "a 'b' & c_d %e #f $g {h} ~i ^j \\k [l](m) *n* `o` |p|"]
)
def test_texts_are_text(here, capsys, place, text):
    if place in ("quarto", "latex") and ".pdf" not in FORMATS:
        return
    out = printed(capsys, *WORDS, "--for", place, "--title", text, "--alt", text)
    if place in ("github", "html"):
        elements = Elements(out)
        assert elements.text.strip() == text
        assert elements.tags[-1 if place == "html" else -3][0] in ("figcaption", "img")
        assert dict(elements.tags)["img"]["alt"] == text
        assert "script" not in dict(elements.tags)
    elif place in ("markdown", "quarto"):
        assert not re.search(r"<(?!/?script>)|(?<!\")<script", out.replace("fig-alt", "").split("fig-alt")[0])
    elif place == "latex":
        assert latex_text(text) in out
    else:
        assert f":alt: {text}\n" in out


def test_latex_says_its_signs_in_ascii(here, capsys):
    words = ["nn.ConvTranspose2d(1, 1, 3)", "-i", "2", "--view", "matrix", "--step", "0"]
    assert "y = C transposed x in 16 steps" in printed(capsys, *words, "--for", "latex")
    channels = ["nn.Conv2d(3, 2, 3)", "-i", "4", "--step", "0"]
    assert "channels 3 to 2" in printed(capsys, *channels, "--for", "latex")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x\n", "-x", "..", "é"])
def test_a_name_stays_in_its_folder(here, capsys, name):
    assert cli.main(["snippet", *WORDS, "--for", "html", f"--name={name}"]) == 2
    assert 'name is "' in capsys.readouterr().err
    assert not list(here.iterdir())


def test_an_unknown_place_is_told(here, capsys):
    assert cli.main(["snippet", *WORDS, "--for", "githib"]) == 2
    assert 'did you mean "github"?' in capsys.readouterr().err
    with pytest.raises(ConvvizError, match="for is"):
        snippet({"light": read_picture("padding_strides")}, "word")


def test_a_folder_with_a_space_is_a_url(here, capsys):
    elements = Elements(printed(capsys, *WORDS, "--for", "html", "-o", "my pictures", "--name", "p"))
    assert elements.tags[-1][1]["src"] == "my%20pictures/p.gif"


def test_rst_is_a_directive(here, capsys):
    assert re.fullmatch(
        r"\.\. image:: p\.gif\n   :alt: Animation [^\n]+\n   :width: \d+px\n   :height: \d+px\n",
        printed(capsys, *WORDS, "--for", "rst", "--name", "p"),
    )
    assert printed(capsys, *WORDS, "--for", "rst", "--title", "a|b_").endswith("\n\n   a\\|b\\_\n")
