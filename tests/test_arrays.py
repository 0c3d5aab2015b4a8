"""The user's own numbers: what is read, and what is said where it cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convviz import Conv, ConvvizError, animate
from convviz.arrays import MOST_PIXELS, read_array
from convviz.cli import main


@given(st.lists(st.lists(st.integers(-999, 999), min_size=3, max_size=3), min_size=1, max_size=4))
def test_what_is_written_out_is_read_back(rows: list[list[int]]) -> None:
    text = ";".join(",".join(map(str, row)) for row in rows) + ";"
    assert read_array("x", text).tolist() == rows


def test_each_kind_of_file_is_read(tmp_path) -> None:
    array = np.arange(6).reshape(2, 3) * 40
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "x.csv").write_text("0, 40, 80\n120, 160, 200\n")
    Image.fromarray(array.astype(np.uint8), "L").save(tmp_path / "x.png")
    for name in ("x.npy", "x.csv", "x.png"):
        np.testing.assert_array_equal(read_array("x", str(tmp_path / name)), array)


def test_deep_pixels_are_grey_levels_too(tmp_path) -> None:
    deep = np.array([[0, 257, 0x8080, 65535]], np.uint16)
    for name in ("x.png", "x.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        assert read_array("x", str(tmp_path / name)).tolist() == [[0, 1, 128, 255]]
    for name, kind in (("i.tif", np.int32), ("f.tif", np.float32)):
        Image.fromarray(deep.astype(kind)).save(tmp_path / name)
        with pytest.raises(ConvvizError, match=r"32-bit numbers; save them as \.npy"):
            read_array("x", str(tmp_path / name))


@pytest.mark.parametrize(
    "text",
    ["1,2.5\n3,4\n", "1;2.5\n3;4\n", "1;2.5;\n3;4;\n", "1\t2.5\n3\t4\n", "1,\t2.5\n3 , 4\n", "1 2.5\n 3  4e0 \n"],
)
def test_the_lines_of_a_file_are_rows_whatever_parts_their_numbers(text: str, tmp_path) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert read_array("x", str(tmp_path / "x.csv")).tolist() == [[1, 2.5], [3, 4]]


def test_what_numpy_writes_as_text_is_read(tmp_path) -> None:
    array = np.random.default_rng(0).normal(size=(3, 4))
    np.savetxt(tmp_path / "x.txt", array)
    np.testing.assert_array_equal(read_array("x", str(tmp_path / "x.txt")), array)
    assert read_array("x", "1 0 -1; 2 0 -2").tolist() == [[1, 0, -1], [2, 0, -2]]


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("1,5;2,5\n", "commas and semicolons"),
        ("1;2\n3,4\n", "commas and semicolons"),
        ("1,5\t2,5\n", "commas and tabs"),
    ],
)
def test_commas_that_may_be_decimal_ones_are_refused(text: str, both: str, tmp_path) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ConvvizError, match=rf"^x is .*it holds {both}; .* write decimals as in 1\.5$"):
        read_array("x", str(tmp_path / "x.csv"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,2;3", "2, 1 numbers"),
        ("1,a", '"a"'),
        ("1,5 2,5", '"5 2"'),
        ("", '""'),
        ("none.npy", "cannot be read"),
        ("none.csv", "cannot be read"),
        ("none.png", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(ConvvizError, match=r"^weight is ") as raised:
        read_array("weight", text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_would_run_code_is_refused(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"an": "object"}], dtype=object), allow_pickle=True)
    with pytest.raises(ConvvizError, match=r"^x is "):
        read_array("x", str(tmp_path / "x.npy"))


def test_a_file_of_several_arrays_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "x.npz", a=np.ones(3), b=np.ones(3))
    with pytest.raises(ConvvizError, match=r"several arrays; save one with numpy\.save"):
        read_array("x", str(tmp_path / "x.npz"))


def test_a_single_number_is_no_input(tmp_path, capsys) -> None:
    np.save(tmp_path / "x.npy", np.array(3))
    words = ["--bias", str(tmp_path / "x.npy"), "-o", str(tmp_path / "a.png")]
    assert main(["render", "padding_strides", *words]) == 0
    assert main(["render", "padding_strides", "--x", str(tmp_path / "x.npy"), *words]) == 2
    assert "it holds a single number; give an array of 1 or 2 axes" in capsys.readouterr().err


def test_files_that_are_not_what_their_name_says_are_refused(tmp_path) -> None:
    for name in ("x.npy", "x.png"):
        (tmp_path / name).write_bytes(b"neither")
        with pytest.raises(ConvvizError, match=r"^x is "):
            read_array("x", str(tmp_path / name))


def test_a_large_image_is_to_be_resized(tmp_path) -> None:
    Image.new("L", (MOST_PIXELS + 1, 2)).save(tmp_path / "x.png")
    with pytest.raises(ConvvizError, match="resize it"):
        read_array("x", str(tmp_path / "x.png"))


def test_sizes_come_from_the_arrays(tmp_path) -> None:
    target = tmp_path / "a.png"
    words = ["render", "conv", "--x", "1,2,3;4,5,6;7,8,9", "--weight", "1,0;0,1", "--bias", "1", "--view", "grid"]
    assert main([*words, "-o", str(target)]) == 0
    drawn = animate(Conv(3, 2), view="grid", x=[[1, 2, 3], [4, 5, 6], [7, 8, 9]], weight=[[1, 0], [0, 1]], bias=1)
    np.testing.assert_array_equal(drawn.trace.output, [[7, 9], [13, 15]])
    with Image.open(target) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(drawn.image(0).convert("RGB")))


@pytest.mark.parametrize(
    "words",
    [
        ["conv", "--x", "1,2,3,4", "--weight", "1,1", "--view", "grid"],
        ["conv-transpose", "--weight", "1,2;3,4", "-i", "3", "-s", "2", "--view", "matrix", "--labels", "symbols"],
        ["padding_strides", "--with-transposed", "--order", "both", "--view", "grid"],
        ["padding_strides", "--view", "stack,grid,matrix"],
        ["numerical_max_pooling"],
    ],
)
def test_the_command_line_takes_the_options_of_the_views(words: list[str], tmp_path) -> None:
    assert main(["render", *words, "-o", str(tmp_path / "a.png")]) == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 100


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["conv", "--x", "1,2;3,4", "-i", "5", "-k", "2"], "x"),
        (["conv", "--x", "1,2,3", "--weight", "1,2;3,4"], "parameters"),
        (["numerical_max_pooling", "--weight", "1,2;3,4"], "weight"),
        (["padding_strides", "--bias", "one"], "bias"),
        (["padding_strides", "--labels", "values"], "labels"),
    ],
)
def test_numbers_that_do_not_fit_are_said_in_one_line(words: list[str], names: str, tmp_path, capsys) -> None:
    assert main(["render", *words, "-o", str(tmp_path / "a.png")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert names in said
    assert not list(tmp_path.iterdir())


def test_channels_come_from_the_arrays(tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.ones((4, 3, 3)))
    np.save(tmp_path / "w.npy", np.ones((2, 2, 2, 2)))
    x, weight, target = (str(tmp_path / name) for name in ("x.npy", "w.npy", "a.png"))
    words = ["--groups", "2", "--view", "grid", "-o", target]
    assert main(["render", "conv", "--x", x, "--weight", weight, *words]) == 0
    assert main(["render", "conv-transpose", "--x", x, "--weight", weight, "--view", "grid", "-o", target]) == 2
    assert main(["render", "max-pool", "--x", x, "-k", "2", "--view", "grid", "-o", target]) == 0
