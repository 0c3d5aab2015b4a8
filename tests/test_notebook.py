"""A notebook, run and exported for real: the picture stays in it."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from browser import browsing
from PIL import Image
from tools import package, run, tool

from convviz import animate

CELLS = [
    "import convviz\nconvviz.animate('padding_strides')",
    "convviz.animate('padding_strides', theme='dark').player()",
]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A notebook with both cells' outputs, and the file that holds it."""
    package("ipykernel"), package("nbconvert"), package("nbclient")
    import nbformat

    new = nbformat.v4
    cells = [new.new_markdown_cell("# A picture"), *map(new.new_code_cell, CELLS)]
    path = tmp_path_factory.mktemp("notebook") / "a.ipynb"
    nbformat.write(new.new_notebook(cells=cells), path)
    run(sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path))
    return nbformat.read(path, 4), path


def export(path, kind: str) -> str:
    run(sys.executable, "-m", "jupyter", "nbconvert", "--to", kind, str(path))
    return path.with_suffix({"html": ".html", "markdown": ".md", "latex": ".tex"}[kind]).read_text()


def test_the_outputs_hold_pictures_and_words(notebook):
    outputs = [cell["outputs"][0]["data"] for cell in notebook[0].cells[1:]]
    for output in outputs:
        assert set(output) == {"text/html", "image/png", "text/plain"}
    assert "<iframe" in outputs[1]["text/html"]


def test_a_browser_shows_the_html(notebook):
    export(notebook[1], "html")
    with browsing(notebook[1].parent) as browser:
        browser.open("a.html", motion="reduce")
        size = browser.run(
            "const i = [...document.images].find(i => i.src.startsWith('data:image/gif')); await i.decode();"
            "return [i.naturalWidth, i.naturalHeight, i.alt]"
        )
        picture = animate("padding_strides")
        assert size == [*picture.frames.pixel_size, picture.alt_text]
        browser.driver.switch_to.frame(browser.driver.find_element("css selector", "iframe[srcdoc]"))
        assert "step 1 of 9" in browser.driver.find_element("css selector", "figure.convviz p").text


def test_markdown_keeps_the_picture(notebook):
    told = export(notebook[1], "markdown")
    assert re.search(r'<img src="data:image/gif;base64,[^"]+"[^>]* alt="Animation of a convolution', told)


def test_latex_keeps_the_picture(notebook):
    tool("pandoc")  # nbconvert turns text cells into LaTeX with it
    told = export(notebook[1], "latex")
    names = re.findall(r"\\(?:adjust)?includegraphics.*\{([^}]+\.png)\}", told) or re.findall(
        r"\{([^{}]+\.png)\}", told
    )
    assert len(names) == 2
    for name, theme in zip(names, ("light", "dark"), strict=True):
        with Image.open(notebook[1].parent / name) as image:
            expected = animate("padding_strides", theme=theme).image(0).convert("RGB")
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.asarray(expected))
