"""Whatever is given, the answer is a ConvvizError or right: never another exception, never long or large to say no."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_laws import operations

from convviz import (
    CASES,
    AveragePool,
    Conv,
    ConvTranspose,
    ConvvizError,
    MaxPool,
    animate,
    trace,
)
from convviz.cli import main, read_picture
from convviz.markdown import update
from convviz.ops import OPERATIONS
from convviz.spec import parameter_names, parse_case, parse_operation
from convviz.theme import THEMES
from convviz.views import VIEWS

MEMORY = 500 << 20
SECONDS = 1.0
EXAMPLES = int(os.environ.get("CONVVIZ_FUZZ", "300"))

fuzz = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """A process that may take half a gigabyte more than it has, so that asking for more fails the test."""
    animate("dilation").image()
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def answered(ask: Callable[[], Any]) -> Any:
    """The answer, or None where it is a refusal: one line, told within a second of work."""
    begun, said = time.process_time(), None
    try:
        return ask()
    except ConvvizError as error:
        said = str(error)
    assert time.process_time() - begun < SECONDS, said
    assert said
    assert "\n" not in said
    assert len(said) < 700
    return None


# What somebody may give where a number, some numbers or a word is meant.
ODD: list[Callable[[], Any]] = [
    lambda: None, lambda: True, lambda: 1.5, lambda: float("nan"), lambda: float("inf"), lambda: 1j, lambda: "3",
    lambda: "", lambda: "\0\n\r\t", lambda: "same" * 10**6, lambda: b"3", lambda: bytearray(b"12"), list, dict, set,
    lambda: [1], lambda: (1, 2, 3), lambda: {1: 2}, lambda: {1, 2}, lambda: {"a", "b"}, lambda: [[1, 2], [3, 4]],
    lambda: [(1, 2, 3)], lambda: [[[1]]], lambda: [None, 1], lambda: ["a", "b"], lambda: [1.0, 2.0], lambda: range(2),
    lambda: iter([1]), itertools.count, lambda: [itertools.count(), 1], lambda: [1] * 10**6, lambda: 10**5000,
    lambda: (10**5000, 1), lambda: -(10**5000), lambda: 2**31, lambda: 2**63, lambda: -1, lambda: 0, object,
    lambda: max, lambda: int, lambda: NotImplemented, lambda: np.int64(3), lambda: np.float64(3), lambda: np.bool_(1),
    lambda: np.array(3), lambda: np.array([1, 2]), lambda: np.array([[1, 2], [3, 4]]), lambda: np.array([1.5, 2]),
    lambda: np.array("a"), lambda: np.array([]), lambda: np.array(None), lambda: np.ma.masked,
    lambda: np.datetime64("2020-01-01"), lambda: memoryview(b"12"), lambda: [np.array(1), np.array([1, 2])],
]  # fmt: skip
odd = st.sampled_from(ODD).map(lambda make: make())
number = st.integers(-1, 5)
some = st.one_of(number, st.tuples(number), st.tuples(number, number), st.lists(st.tuples(number, number), max_size=3))
word = st.sampled_from(["same", "valid", "full", "same_lower", "SAME", "zeros", "reflect", "replicate", "circular"])
anything = st.one_of(some, some, word, odd, st.text(max_size=20), st.floats(), st.booleans())


@fuzz
@given(st.sampled_from(list(OPERATIONS.values())), st.data())
def test_operations(kind: Any, data: st.DataObject) -> None:
    names = [field.name for field in fields(kind)]
    values = {name: data.draw(anything) for name in names if name.endswith("_size") or data.draw(st.booleans())}
    op = answered(lambda: kind(**values))
    if op is not None:
        assert all(size >= 1 for size in op.output_size)
        assert op == kind(**{name: getattr(op, name) for name in names})
        assert hash(op) == hash(kind(**{name: getattr(op, name) for name in names}))


@fuzz
@given(
    st.one_of(st.sampled_from([*OPERATIONS, *CASES]), st.text(max_size=30), st.just("conv" * 10**5)),
    st.dictionaries(
        st.one_of(st.sampled_from(parameter_names()), st.text(max_size=5)),
        st.one_of(
            st.text(max_size=12),
            st.text("0123456789,:- e.", max_size=12),
            st.sampled_from(["5", "5,7", "7,", "0:1", "0:1,2:3", "1" * 5000, "1," * 10**5, "same", "true", "-0", "٣"]),
        ),
        max_size=5,
    ),
)
def test_operations_as_text(name: str, parameters: dict[str, str]) -> None:
    for parse in (parse_operation, parse_case):
        found = answered(lambda parse=parse: parse(name, {"input_size": "5", "kernel_size": "3", **parameters}))
        if found is not None:
            op = getattr(found, "op", found)
            assert all(size >= 1 for size in op.output_size)


OPERATION = st.sampled_from(
    [
        Conv(3, 2),
        Conv((4,), (2,), padding=1, padding_mode="reflect"),
        ConvTranspose(2, 2, stride=2),
        Conv(3, 2, in_channels=2, out_channels=2, groups=2),
        MaxPool(4, 2),
        AveragePool(3, 2, stride=1, padding=1, channels=2),
    ]
)
NUMBERS = st.one_of(
    arrays.arrays(
        st.one_of(arrays.scalar_dtypes(), st.just(np.dtype(object)), arrays.array_dtypes()),
        st.one_of(
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
            st.sampled_from([(3, 3), (2, 2), (4,), (2,), (2, 3, 3), (4, 4)]),
        ),
    ),
    st.lists(st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=2)), max_size=4), max_size=4),
    st.sampled_from([(3, 3), (2, 2)]).flatmap(
        lambda shape: arrays.arrays(
            st.sampled_from([np.int64, np.uint64, np.float64, np.float16, np.int8, np.bool_, np.longdouble]), shape
        )
    ),
    odd,
)


@settings(fuzz, max_examples=2 * EXAMPLES)
@given(
    OPERATION,
    NUMBERS,
    st.one_of(st.none(), NUMBERS),
    st.one_of(st.none(), NUMBERS),
    st.sampled_from(["gather", "scatter"]),
)
@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")
def test_arrays(op: Any, x: Any, weight: Any, bias: Any, order: str) -> None:
    traced = answered(lambda: trace(op, x, weight, bias, order))
    if traced is None:
        return
    assert traced.x.dtype in (np.int64, np.float64)
    if x is not None:
        assert np.array_equal(np.asarray(traced.x, float), np.asarray(x).astype(float))
    assert np.isfinite(traced.output).all()
    if traced.output.dtype.kind == "i" and not isinstance(op, MaxPool):
        # Again with Python's integers, which never wrap around.
        matrix = trace(op, x, weight).matrix().astype(object)
        product = matrix @ traced.x.reshape(-1).astype(object)
        added = 0 if traced.bias is None else np.repeat(traced.bias.astype(object), len(product) // op.out_channels)
        assert (product + added).tolist() == traced.output.reshape(-1).tolist()


@fuzz
@given(odd, anything)
def test_what_is_traced_and_drawn(what: Any, order: Any) -> None:
    if isinstance(what, str):
        return  # the next test
    assert answered(lambda: animate(what)) is None
    assert answered(lambda: trace(what)) is None
    traced = answered(lambda: trace(Conv(3, 2), order=order))
    assert traced is None or order in ("gather", "scatter")


def mostly(*sensible: Any) -> Any:
    return st.one_of(st.sampled_from(sensible), st.sampled_from(sensible), st.sampled_from(sensible), anything)


OPTIONS = {
    "view": mostly(*VIEWS, "stack,grid", ["grid", "matrix"], ["stack"] * 9),
    "order": mostly("gather", "scatter", "both"),
    "theme": mostly(*THEMES),
    "width": st.one_of(st.integers(16, 500), st.integers(-1, 10**6), anything),
    "duration": st.one_of(st.integers(1, 5000), st.integers(-1, 10**7), anything),
    "plays": st.one_of(st.integers(0, 5), st.integers(-1, 10**6), anything),
    "caption": st.booleans(),
    "transparent": st.booleans(),
    "labels": mostly("values", "symbols"),
    "with_transposed": st.booleans(),
    "x": st.one_of(arrays.arrays(np.int8, (3, 3)), NUMBERS),
    "weight": st.one_of(arrays.arrays(np.int8, (2, 2)), NUMBERS),
    "bias": st.one_of(st.integers(-9, 9), NUMBERS),
}
SOME_OPTIONS = st.lists(st.sampled_from(list(OPTIONS)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: OPTIONS[name] for name in names})
)
WHAT = st.one_of(
    st.sampled_from([Conv(3, 2), trace(Conv(3, 2)), ConvTranspose(2, 2)]), st.sampled_from(list(CASES)), odd
)


@fuzz
@given(WHAT, SOME_OPTIONS)
def test_pictures(what: Any, options: dict[str, Any]) -> None:
    picture = answered(lambda: animate(what, **options))
    event("refused" if picture is None else "drawn")
    if picture is not None:
        assert len(picture) >= 1
        assert picture.alt_text
        assert min(picture.frames.pixel_size) >= 1


@fuzz
@given(
    operations(),
    st.sampled_from([*VIEWS, "grid,stack"]),
    st.sampled_from(["gather", "scatter", "both"]),
    st.sampled_from(list(THEMES)),
    st.sampled_from([None, None, "values", "symbols"]),
    st.sampled_from([False, False, True]),
    st.booleans(),
    st.data(),
)
def test_every_view_draws_every_operation(
    op: Any, view: str, order: str, theme: str, labels: str | None, back: bool, caption: bool, data: st.DataObject
) -> None:
    """Only what there is not is refused: a maximum's scatter and matrix, a pooling's transposed, and the like."""
    options = {"labels": labels, "with_transposed": back, "caption": caption}
    picture = answered(lambda: animate(op, view, order, theme, **options))
    event("refused" if picture is None else "drawn")
    if picture is None:
        assert (
            (isinstance(op, MaxPool) and (order != "gather" or view == "matrix" or back))
            or (isinstance(op, AveragePool) and back)
            or (labels is not None and view == "stack")
            or (max(op.in_channels, op.out_channels) > 1 and view != "stack")
            or (back and (op.padding_mode != "zeros" or op.transposed() is None))
        )
        return
    step = data.draw(st.integers(0, len(picture) - 1))
    image = picture.image(step)
    assert image.size == picture.frames.pixel_size
    assert any(low < high for low, high in image.convert("RGB").getextrema())
    assert picture.frames.step_text(step)


@fuzz
@given(st.one_of(st.integers(-20, 20), anything), st.one_of(st.text(max_size=12), odd), st.one_of(st.none(), anything))
def test_steps_and_files(step: Any, path: Any, suffix: Any) -> None:
    picture = animate(Conv((3,), (2,)))
    image = answered(lambda: picture.image(step))
    assert (image is not None) == (step in (-2, -1, 0, 1) if isinstance(step, int) else image is not None)
    if isinstance(path, str | bytes | bytearray) and (b"/" if isinstance(path, bytes | bytearray) else "/") in path:
        return
    if isinstance(path, int):  # a file descriptor
        return
    answered(lambda: picture.save(path, suffix=suffix, step=step))
    answered(lambda: picture.write(io.BytesIO(), suffix, step=step))
    answered(lambda: picture.write(io.BytesIO(), ".png", step=step))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


COMMANDS = ["render", "list", "gallery", "describe", "snippet", "markdown", "--version", "--help", ""]
FLAGS = [
    "-i", "-k", "-s", "-p", "-d", "-o", "--output", "--theme", "--view", "--order", "--width", "--duration", "--plays",
    "--step", "--steps", "--for", "--check", "--redraw", "--url", "--alt", "--title", "--name",
    "--format", "--caption", "--transparent", "--json", "--ceil-mode", "--x", "--weight", "--bias",
    "--labels", "--with-transposed", "--", "-h", "--no-such",
    *("--" + name.replace("_", "-") for name in parameter_names()),
]  # fmt: skip
NAMES = ["conv", "conv-transpose", "max-pool", "average-pool", "no_padding_no_strides", "dilation", "CONV", "conv "]
VALUES = [
    "0", "1", "2", "3", "4", "-1", "3,4", "3,", ",", "3,4,5", "0:1", "0:1,1:0", ":", "1e3", "nan", "10000", "1000000",
    "2147483647", "2147483648", "9" * 18, "9" * 5000, "same", "same_lower", "full", "valid", "reflect", "a.gif",
    "b.PNG", "c", "d.xyz", ".gif", "e.gif/f.gif", "light", "dark", "reference", "stack", "grid", "gather", "scatter",
    "true", "", "\0", "\n", "\udcff", "é", "-", "gif", "png", "@file", "=", "*" * 10000, "light,dark", "out.apng",
    "out.svg", "out.webp", "out.html", "out.pdf", "out.pgf", "out-%d.png", "html", "latex", "rst",
    "both", "matrix", "stack,grid", "symbols", "1,2;3,4", "1,2,3;4,5,6;7,8,9", "1,2;3", "none.npy", "none.csv",
]  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
    st.text(max_size=8).filter(lambda t: "/" not in t),
)
SENSIBLE = [
    ["render", "conv", "-i", "3", "-k", "2", "-o", "z.png"],
    ["render", "conv-transpose", "-i", "2", "-k", "2", "-o", "z.gif"],
    ["render", "max-pool", "-i", "4", "-k", "2", "-o", "-", "--format", "svg"],
    ["describe", "average-pool", "-i", "4", "-k", "2"],
    ["gallery", "folder", "no_padding_no_strides"],
    ["snippet", "conv", "-i", "3", "-k", "2", "--for", "html"],
    ["list"],
]
PLAUSIBLE = {
    ("-s", "--stride", "-d", "-k", "-p", "--output-padding", "--groups", "--channels", "--step", "--bias"):
        ["0", "1", "2", "1,2", "0:1"],
    ("--theme",): ["light", "dark", "reference"], ("--view",): ["stack", "grid", "matrix", "stack,grid"],
    ("--order",): ["gather", "scatter", "both"], ("--labels",): ["values", "symbols"], ("--width",): ["50", "300"],
    ("--duration",): ["500", "33"], ("--plays",): ["0", "3"], ("--x",): ["1,2,3;4,5,6;7,8,9", "1,2;3,4"],
    ("--weight",): ["1,2;3,4"], ("--padding-mode",): ["reflect", "circular"], ("-p",): ["same", "full", "valid"],
    ("--caption", "--transparent", "--json", "--ceil-mode", "--with-transposed", "--no-count-include-pad"): [None],
    ("-o",): ["y.svg", "y.html", "y.webp", "y.apng", "y.pdf", "y.pgf", "y.PNG"],
}  # fmt: skip
PAIRS = st.sampled_from([(flag, value) for flags, values in PLAUSIBLE.items() for flag in flags for value in values])


class Stdout(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.buffer = io.BytesIO()


@settings(fuzz, max_examples=2 * EXAMPLES)
@given(
    st.one_of(
        st.tuples(st.sampled_from(COMMANDS), st.sampled_from(NAMES), st.lists(WORDS, max_size=8)).map(
            lambda parts: [parts[0], parts[1], *parts[2]]
        ),
        st.tuples(st.sampled_from(SENSIBLE), st.lists(WORDS, max_size=4)).map(lambda parts: [*parts[0], *parts[1]]),
        *[
            st.tuples(st.sampled_from(SENSIBLE), st.lists(PAIRS, max_size=2)).map(
                lambda parts: [*parts[0], *(word for pair in parts[1] for word in pair if word is not None)]
            )
        ]
        * 2,
        st.lists(WORDS, max_size=6),
    )
)
def test_command_line(words: list[str]) -> None:
    # Nothing is drawn for which a reader would wait.
    if words[:1] == ["gallery"] and not any(name in CASES for name in words):
        words = [*words, "no_padding_no_strides"]
    said, complained = Stdout(), io.StringIO()
    begun = time.process_time()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        status = main(words)
    if status == 1 and "--check" in words:
        status = 0  # a page that would change
    event(f"{words[0] if words and words[0] in COMMANDS else 'nothing'}: status {status}")
    assert status in (0, 2), (words, complained.getvalue())
    if status == 2:
        assert time.process_time() - begun < SECONDS, words
        assert complained.getvalue().startswith("convviz: "), words
        assert complained.getvalue().count("\n") == 1, words
        assert not said.getvalue() or words[0] in ("gallery", "markdown"), words
    else:
        assert not complained.getvalue()
        if "--json" in words and said.getvalue().startswith("{"):
            json.loads(said.getvalue())


PARTS = st.one_of(
    st.sampled_from(
        [
            "```convviz", "```", "~~~ convviz", "~~~", "````convviz", "    ```convviz", "- ```convviz",
            "```convviz -i 3",
            "conv -i 3 -k 2", "max-pool -i 4 -k 2 --step 1", "conv -i 3 -k 9", "-i", "no_padding_no_strides", "text",
            "conv -i 3 -k 2 --title '-->'", "conv -i 3 -k 2 --alt \"<b>\" --title \"a [b](c)\"", "'", '"', "\\",
            "<!-- convviz: conv -i 3 -k 2 -->", "<!-- convviz: conv", "-->", "<!-- /convviz -->", "", "\r",
            "\t```convviz",
            "![alt](page-conv-0123456789ab.gif)", "![alt](../secret-conv-0123456789ab.gif)", "![" * 1000, "`" * 1000,
            "\0", "\ufeff", "é\u2028", "conv -i 3 -k 2 --theme light,dark", "conv -i 10000 -k 3", "conv -i 3 -k 2 -o x",
        ]
    ),
    st.text(max_size=10),
)  # fmt: skip


DRAWN = st.sampled_from(
    ["conv -i 3 -k 2", "max-pool -i 4 -k 2 --step 1", "conv -i 3 -k 2 --alt \"<b>\" --title \"a [b](c)\"",
     "conv -i 3 -k 2 --theme light,dark"]
)  # fmt: skip
FENCES = st.tuples(st.sampled_from(["", "", "", " "]), st.sampled_from(["```", "~~~~"]), DRAWN).map(
    lambda parts: "\n".join(parts[0] + line for line in (parts[1] + "convviz", parts[2], parts[1]))
)


@fuzz
@given(st.lists(st.one_of(PARTS, FENCES, FENCES), max_size=5))
def test_pages(lines: list[str]) -> None:
    """A page is written whole with its pictures or stays as it was, and a second run finds nothing to do."""
    Path("secret-conv-0123456789ab.gif").write_bytes(b"kept")
    Path("pages").mkdir(exist_ok=True)
    page = Path("pages/page.md")
    given = "\n".join(lines).encode(errors="surrogatepass")
    page.write_bytes(given)
    before = set(os.listdir("pages"))
    done = answered(lambda: update(page, read_picture))
    assert Path("secret-conv-0123456789ab.gif").read_bytes() == b"kept"
    event("refused" if done is None else f"{len(done.written)} written")
    if done is None:
        assert page.read_bytes() == given
        assert set(os.listdir("pages")) == before
    else:
        assert not update(page, read_picture)
        assert not update(page, read_picture, check=True)


@fuzz
@given(st.one_of(st.lists(PARTS, max_size=4).map(" ".join), st.lists(WORDS, max_size=6)))
def test_words_in_documents(words: str | list[str]) -> None:
    picture = answered(lambda: read_picture(words))
    if picture is not None:
        assert picture.alt_text
        assert "<" not in picture.img("x")[1:]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: animate(Conv(1024, 3)),
        lambda: animate(Conv(10**4, 3)),
        lambda: animate(Conv((10**6,), (3,))),
        lambda: animate(Conv((2**31 - 1,), (2**31 - 1,))),
        lambda: animate(Conv(5, 3, padding=2**30)),
        lambda: animate(ConvTranspose(1000, 3, stride=1000)),
        lambda: animate(ConvTranspose(2, 3, stride=2**30)),
        lambda: trace(Conv(1000, 500)),
        lambda: trace(Conv(5, 3, in_channels=10**6, out_channels=10**6)),
        lambda: trace(Conv(1, 1, padding=500, stride=1000, in_channels=10**6), np.ones((10**6, 1, 1)), None),
        lambda: trace(Conv(100, 3, out_channels=10**5)).output,
        lambda: trace(Conv(150, 3)).matrix(),
        lambda: trace(MaxPool(1000, 500, stride=1)),
        lambda: trace(AveragePool(5, 3, channels=10**8)),
        lambda: Conv([5] * 10**7, 3),
        lambda: Conv(5, 3, padding=[[1] * 10**7, 1]),
        lambda: Conv(10**10**5, 3),
        lambda: animate("conv" * 10**6),
    ],
)
def test_what_is_too_large_is_refused_at_once(ask: Callable[[], Any]) -> None:
    assert answered(ask) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"x": [[2**62, 1], [1, 1]], "weight": [[1, 2], [3, 4]]}, "do not fit 64-bit integers"),
        ({"x": [[1e308, 1], [1, 1]], "weight": [[1, 2], [3, 4]]}, "do not fit floats"),
        ({"x": np.full((2, 2), 2**64 - 1, np.uint64)}, "integers of at most"),
        ({"x": np.full((2, 2), np.longdouble("1e400"))}, "nan or infinity"),
        ({"bias": [[1], [1, 2]]}, "bias is ragged"),
        ({"bias": "a"}, "bias holds"),
        ({"x": type("Odd", (), {"__array__": lambda *_, **__: 1 / 0})()}, "x is no array"),
    ],
)
def test_numbers_that_would_come_out_wrong_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConvvizError, match=said):
        trace(Conv(2, 2), **given)


def test_integers_at_the_limit_are_exact() -> None:
    most = 2**60 - 1
    assert trace(Conv((2,), (2,)), [most, -most], [1, -1]).output.tolist() == [2 * most]
    assert trace(MaxPool((2,), (2,)), [2**62 - 1, -(2**62)]).output.tolist() == [2**62 - 1]


def test_a_message_is_one_line_of_bounded_length() -> None:
    error = ConvvizError('theme is "a\nb": ' + "x" * 10000)
    assert str(error).startswith('theme is "a b": x')
    assert len(str(error)) < 700
