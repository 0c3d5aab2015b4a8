"""Documentation tools build real projects with our pictures: Sphinx, MkDocs, and a browser that shows them."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image
from tools import package, run, tool

from convviz import animate

EVIL = '<script>alert("x")</script>'

INDEX = f"""\
Title
=====

See :ref:`up` and :doc:`other`.

.. convviz:: conv-transpose
   :input-size: 3
   :kernel-size: 3
   :stride: 2
   :caption: A *transposed* one {EVIL}
   :name: up
   :align: center

.. convviz:: padding_strides
   :theme: light,dark
   :width: 50%
   :alt: "quoted" <b>

.. convviz:: conv
   :input-size: 4
   :kernel-size: 3
   :step: 2
   :caption:
"""
OTHER = """\
Other
=====

.. convviz:: padding_strides

.. convviz:: dilation
   :format: png
   :step: -1

.. convviz:: dilation
   :format: svg

.. convviz:: dilation
   :format: svg
   :theme: light,dark
"""


class Images(HTMLParser):
    """The attributes of a page's images, its captions, and whether it has scripts of its own."""

    def __init__(self, page):
        super().__init__()
        self.images, self.scripts, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))

    def handle_data(self, data):
        self.text += data


def sphinx(folder, builder, *words, python=()):
    """A Sphinx build in a process of its own: what it says, and its exit status."""
    package("sphinx")
    command = [
        sys.executable,
        *python,
        "-m",
        "sphinx",
        "-q",
        "-b",
        builder,
        "-d",
        "out/doctrees",
        *words,
        ".",
        f"out/{builder}",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr, done.returncode


@pytest.fixture
def project(tmp_path):
    (tmp_path / "conf.py").write_text('project = "t"\nextensions = ["convviz.ext.sphinx"]\n', encoding="utf-8")
    (tmp_path / "index.rst").write_text(f"{INDEX}\n.. toctree::\n\n   other\n", encoding="utf-8")
    (tmp_path / "other.rst").write_text(OTHER, encoding="utf-8")
    return tmp_path


def test_sphinx_html(project):
    assert sphinx(project, "html", "-W", "-j", "2") == ("", 0)
    pages = {name: (project / "out/html" / name).read_text(encoding="utf-8") for name in ("index.html", "other.html")}
    index, other = Images(pages["index.html"]), Images(pages["other.html"])
    ours = [image for image in index.images + other.images if "convviz" in image.get("class", "")]
    assert len(ours) == 8
    one, two = ((project / "out/html" / image["src"]).read_text(encoding="utf-8") for image in ours[6:])
    assert (one.count("prefers-color-scheme"), two.count("prefers-color-scheme")) == (0, 1)
    assert "only-light" not in ours[7]["class"], "an SVG holds both themes"

    def sizes(image):
        if image["src"].endswith(".svg"):
            return tuple(map(str, animate("dilation").frames.pixel_size))
        with Image.open(project / "out/html" / image["src"]) as file:
            return tuple(map(str, file.size))

    for image in ours[:6]:
        with Image.open(project / "out/html" / image["src"]) as file:
            file.load()
            moving = image["src"].endswith(".gif")
            assert (getattr(file, "n_frames", 1) > 1) == moving
    assert ours[0]["alt"].startswith("Animation of a transposed convolution (kernel 3×3, stride 2")
    assert [image["class"].split()[-1] for image in ours[1:3]] == ["only-light", "only-dark"]
    assert pages["other.html"].count("image-reference") == 0, "a picture is no link"
    assert ours[1]["alt"] == '"quoted" <b>'
    for image in (ours[0], *ours[3:]):
        assert (image["width"], image["height"], image["style"]) == (*sizes(image), "max-width:100%;height:auto")
    assert (ours[1].get("height"), ours[1]["style"]) == (None, "width: 50%;"), "a size of the page's own holds"
    assert ours[3]["alt"].endswith("Shown is step 3 of 4: output [1, 0].")
    assert ours[1]["src"] == ours[4]["src"], "the same picture is one file"
    assert 'id="up"' in pages["index.html"]
    assert "A <em>transposed</em> one &lt;script&gt;" in pages["index.html"]
    assert EVIL not in pages["index.html"]


def test_sphinx_latex_and_builders_without_images(project):
    assert sphinx(project, "html", "-W") == ("", 0)
    assert sphinx(project, "latex", "-W") == ("", 0)
    source = (project / "out/latex/t.tex").read_text(encoding="utf-8")
    shown = re.findall(r"sphinxincludegraphics(?:\[[^]]*\])?\{\{([^}]+)\}\.(\w+)\}", source)
    assert len(shown) == 7, "one of two themes, and one step of what moves"
    for name, suffix in shown:
        start = (project / f"out/latex/{name}.{suffix}").read_bytes()[:5]
        assert start.startswith({"pdf": b"%PDF-", "png": b"\x89PNG"}[suffix])
    assert {suffix for _, suffix in shown} == {"pdf"}
    assert r"\caption{A \sphinxstyleemphasis{transposed} one \textless{}script\textgreater{}" in source
    assert sphinx(project, "text", "-W") == ("", 0)
    assert "[image: Animation of a transposed convolution" in (project / "out/text/index.txt").read_text("utf-8")


def test_numbers_in_a_file_are_named_from_the_document(project):
    (project / "sub").mkdir()
    page = ":orphan:\n\nA\n=\n\n.. convviz:: conv\n   :input-size: 4\n   :weight: w.csv\n   :view: grid\n"
    (project / "sub/page.rst").write_text(page, encoding="utf-8")
    found = set()
    for numbers in ("1,2\n3,4\n", "1,2\n3,5\n"):
        (project / "sub/w.csv").write_text(numbers, encoding="utf-8")
        assert sphinx(project, "html", "-W") == ("", 0)
        found |= {image["src"] for image in Images((project / "out/html/sub/page.html").read_text("utf-8")).images}
    assert len(found) == 2, "a change of the numbers is seen"
    written_out = ";".join(["1,2,3,4,5,6,7,8,9,10"] * 12)
    (project / "sub/page.rst").write_text(page.replace(":input-size: 4", ":kernel-size: 3").replace(
        ":weight: w.csv", f":x: {written_out}"), encoding="utf-8")  # fmt: skip
    assert sphinx(project, "html", "-W") == ("", 0)


def test_sphinx_draws_once(project):
    said, status = sphinx(project, "html", "-W", python=["-W", "default"])
    assert ("convviz/ext" in said, status) == (False, 0), "nothing that Sphinx will take away is used"
    cache = project / "out/doctrees/convviz"
    drawn = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    (project / "index.rst").write_text((project / "index.rst").read_text("utf-8") + "\nMore.\n", encoding="utf-8")
    assert sphinx(project, "html", "-W") == ("", 0)
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == drawn


FAULTS = [
    ("conv\n   :input-size: 4\n   :kernel-size: 9", "kernel_size is 9"),
    ("conv\n   :kernel-size: 3", "input_size is not given"),
    ("conv\n   :input-size: 4\n   :kernel-size: 3\n   :format: ../x", 'format is "../x"'),
    ("padding_strids", 'did you mean "padding_strides"'),
    ("../../etc/passwd", 'name is "../../etc/passwd"'),
    ("--help", 'name is "--help"'),
    ("padding_strides\n   :theme: light,drak", 'theme is "drak"'),
    ("padding_strides\n   :step: 9", "step is 9"),
    ("padding_strides\n   :format: gif\n   :step: 1", "step is 1"),
    ("padding_strides\n   :colour: red", 'unknown option: "colour"'),
    ("padding_strides\n   :align: up", "align"),
]


def test_faults_fail_sphinx_with_file_and_line(project):
    for n, (options, _) in enumerate(FAULTS):
        text = f":orphan:\n\nOther\n=====\n\n.. convviz:: {options}\n"
        (project / f"fault{n}.rst").write_text(text, encoding="utf-8")
    said, status = sphinx(project, "html", "-W", "--keep-going")
    assert status == 1
    assert "Traceback" not in said
    for n, (_, told) in enumerate(FAULTS):
        place = f"{project / f'fault{n}.rst'}:6: "
        assert told in "".join(said.split(place)[1:]).partition(str(project))[0], place
    said, status = sphinx(project, "html", "-E")
    assert ("kernel_size is 9" in said, status) == (True, 0), "without -W the pages are built"


MKDOCS = """\
site_name: t
theme: mkdocs
markdown_extensions:
  - attr_list
  - pymdownx.superfences:
      custom_fences:
        - name: convviz
          class: convviz
          format: !!python/name:convviz.ext.superfences.formatter
          validator: !!python/name:convviz.ext.superfences.validator
"""
PAGE = f"""\
---
title: x
---
# Hello

```convviz
conv-transpose -i 3 -k 3 -s 2
--title '{EVIL} & more'
```

> ```convviz
> padding_strides --step 3 --alt '"><b>{EVIL}'
> ```

1. in a list

    ``` {{.convviz #pic .big}}
    dilation --theme dark
    ```
"""


def mkdocs(folder, page):
    """An MkDocs build in a process of its own: what it says, and its exit status."""
    package("mkdocs")
    package("pymdownx")
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "mkdocs.yml").write_text(MKDOCS, encoding="utf-8")
    (folder / "docs/index.md").write_text(page, encoding="utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr, done.returncode


def test_mkdocs(tmp_path):
    assert mkdocs(tmp_path, PAGE) == ("", 0)
    page = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    built = Images(page)
    ours = [image for image in built.images if image["src"].startswith("data:")]
    assert len(ours) == 3
    expected = [animate("no_padding_strides_transposed"), animate("padding_strides"), animate("dilation")]
    for image, (kind, size) in zip(ours, [("svg+xml", None), ("png", expected[1]), ("svg+xml", None)], strict=True):
        assert image["src"].startswith(f"data:image/{kind};base64,")
        if kind in ("png", "gif"):
            with Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1]))) as file:
                assert str(file.width) == image["width"]
                assert size is None or file.size == size.frames.pixel_size
    assert ours[1]["alt"] == f'"><b>{EVIL}'
    assert (ours[2]["id"], ours[2]["class"]) == ("pic", "convviz big")
    assert "<figcaption>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more</figcaption>" in page
    assert EVIL not in page


def test_a_fault_fails_mkdocs_with_file_and_line(tmp_path):
    said, status = mkdocs(tmp_path, PAGE.replace("dilation --theme dark", "dilation -k 9"))
    assert "docs/index.md:17: kernel_size is 9" in said
    assert "Error reading page 'index.md'" in said
    assert status == 1


@pytest.mark.parametrize(
    ("fence", "told"),
    [
        ("```convviz\nnonsense\n```", 'line 3 of the text: name is "nonsense"'),
        ("```convviz\ndilation --themes dark\n```", "line 3 of the text: unrecognized arguments: --themes dark"),
        ("> ```convviz\n> dilation 'open\n> ```", "line 3 of the text: words are"),
        ("```convviz\ndilation --step 1 --format gif\n```", "line 3 of the text: step is 1"),
        ("```convviz\n```", "name is missing"),
        ('```convviz size="3"\ndilation\n```', "has the option size: put it into the body"),
        ("``` {.convviz size=3}\ndilation\n```", "has the option size: put it into the body"),
    ],
)
def test_a_fault_ends_any_python_markdown(fence, told):
    markdown, superfences = package("markdown"), package("pymdownx.superfences")
    ours = package("convviz.ext.superfences")
    custom = [{"name": "convviz", "class": "x", "format": ours.formatter, "validator": ours.validator}]
    configs = {"pymdownx.superfences": {"custom_fences": custom}}
    with pytest.raises(superfences.SuperFencesException) as error:
        markdown.markdown(f"# A\n\n{fence}\n", extensions=["pymdownx.superfences"], extension_configs=configs)
    assert str(error.value).startswith("convviz: ")
    assert told in str(error.value)


def test_a_markdown_page_shows_its_pictures(tmp_path):
    markdown = package("markdown")
    page = tmp_path / "page.md"
    page.write_text(f"# A\n\n```convviz\ndilation --title '{EVIL}'\n```\n", encoding="utf-8")
    run(sys.executable, "-m", "convviz", "markdown", str(page))
    (image,) = Images(markdown.markdown(page.read_text(encoding="utf-8"))).images
    assert (image["title"], image["alt"]) == (EVIL, animate("dilation").alt_text)
    with Image.open(tmp_path / image["src"]) as file:
        assert file.n_frames == 9


def browse(folder, page, *words):
    """What headless Chromium prints of a page."""
    return run(
        *(tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'chromium'}"),
        *("--virtual-time-budget=500", *words, page.as_uri()),
        timeout=60,
    ).decode()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], "p.gif"),
        (["--force-prefers-reduced-motion"], "p.png"),
        (["--blink-settings=preferredColorScheme=0"], "p-dark.gif"),
        (["--blink-settings=preferredColorScheme=0", "--force-prefers-reduced-motion"], "p-dark.png"),
    ],
)
def test_a_browser_takes_the_source_that_its_reader_prefers(tmp_path, settings, expected):
    words = ["snippet", "no_padding_no_strides", "--for", "github", "--name", "p"]
    snippet = run(sys.executable, "-m", "convviz", *words, cwd=tmp_path).decode()
    page = tmp_path / "page.html"
    tell = "<script>onload = () => document.title = document.images[0].currentSrc</script>"
    page.write_text(f"<meta charset=utf-8><title></title>{snippet}{tell}", encoding="utf-8")
    shown = re.search("<title>(.*)</title>", browse(tmp_path, page, *settings, "--dump-dom"))
    assert shown[1].rpartition("/")[2] == expected


def test_latex_sets_a_snippet(tmp_path):
    latex = tool("pdflatex")
    for words in (["--title", "50% of a_b <script> → {x}"], ["--step", "2", "--alt", "(a % ] } b"]):
        command = ["snippet", "padding_strides", "--for", "latex", "-o", "pictures", *words]
        snippet = run(sys.executable, "-m", "convviz", *command, cwd=tmp_path).decode()
        packages = "\\usepackage{graphicx}\\usepackage{animate}"
        page = f"\\documentclass{{article}}{packages}\\begin{{document}}\n{snippet}\\end{{document}}"
        (tmp_path / "page.tex").write_text(page, encoding="utf-8")
        run(latex, "-interaction=nonstopmode", "-halt-on-error", "page.tex", cwd=tmp_path, timeout=120)
    assert len(list((tmp_path / "pictures").iterdir())) == 10


@pytest.mark.parametrize("words", [[], ["--title", "One line, and a second one: " + "words " * 12], ["--step", "2"]])
@pytest.mark.parametrize("case", ["padding_strides", "direct_and_transposed", "matrix", "dilation"])
def test_a_slide_has_room_for_a_snippet(tmp_path, case, words):
    latex = tool("pdflatex")
    command = ["snippet", case, "--for", "latex", *words]
    snippet = run(sys.executable, "-m", "convviz", *command, cwd=tmp_path).decode()
    packages = "\\documentclass[aspectratio=169]{beamer}\\usepackage{graphicx}\\usepackage{animate}"
    page = f"{packages}\\begin{{document}}\\begin{{frame}}{{Heading}}\n{snippet}\\end{{frame}}\\end{{document}}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    said = run(latex, "-interaction=nonstopmode", "-halt-on-error", "page.tex", cwd=tmp_path, timeout=120).decode()
    assert "Overfull" not in said


@pytest.mark.parametrize("built", ["sphinx", "mkdocs"])
def test_a_browser_shows_the_pictures(project, built):
    if built == "sphinx":
        (project / "index.rst").write_text("T\n=\n\n.. convviz:: padding_strides\n", encoding="utf-8")
        assert sphinx(project, "html")[1] == 0
        page = project / "out/html/index.html"
    else:
        assert mkdocs(project, "```convviz\npadding_strides\n```\n") == ("", 0)
        page = project / "site/index.html"
    shot = project / "shot.png"
    browse(project, page, f"--screenshot={shot}", "--window-size=1000,900")
    with Image.open(shot) as image:
        pixels = image.convert("RGB").getcolors(1 << 24)
    seen = {color: count for count, color in pixels}
    for color in ((0x26, 0x8B, 0xD2), (0x2A, 0xA1, 0x98)):
        assert seen.get(color, 0) > 2000, f"{color} fills {seen.get(color, 0)} pixels of the page"
