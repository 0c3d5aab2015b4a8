"""The command line: what it does, and what it says when it cannot."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from convviz import CASES, cli
from convviz.compose.beside import WIDEST

RENDER = ["render", "conv", "-i", "5", "-k", "3"]


def run(*words: str, **keywords) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "convviz", *words], capture_output=True, check=False, **keywords)


def test_render_writes_a_gif(tmp_path, capsys):
    path = tmp_path / "a.gif"
    assert cli.main([*RENDER, "-s", "2", "-p", "1", "-o", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 9)
    assert os.listdir(tmp_path) == ["a.gif"]


def test_a_case_takes_other_parameters(tmp_path):
    path = tmp_path / "a.gif"
    assert cli.main(["render", "padding_strides", "-i", "7,9", "-o", str(path)]) == 0
    with Image.open(path) as image:
        assert image.n_frames == 4 * 5


def test_still_pictures_show_a_step(tmp_path):
    first, last = tmp_path / "0.png", tmp_path / "8.png"
    assert cli.main([*RENDER, "-o", str(first)]) == 0
    assert cli.main([*RENDER, "-o", str(last), "--step", "8"]) == 0
    assert first.read_bytes() != last.read_bytes()


def test_output_to_a_pipe():
    done = run(*RENDER, "-o", "-", "--format", "gif")
    assert done.returncode == 0
    assert Image.open(io.BytesIO(done.stdout)).n_frames == 9


def test_list_names_every_case_and_its_command(capsys):
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CASES)
    assert cli.main(["list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == list(CASES)
    for name, case in CASES.items():
        assert told[name]["output_size"] == list(case.op.output_size)


def test_gallery_draws_what_is_named(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert cli.main(["gallery", str(folder), "no_padding_strides", "padding_strides", "--theme", "reference"]) == 0
    assert sorted(os.listdir(folder)) == ["no_padding_strides.gif", "padding_strides.gif"]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_help_offers_what_there_is(capsys):
    helps = {}
    for command in ("render", "gallery"):
        assert cli.main([command, "--help"]) == 0
        helps[command] = " ".join(capsys.readouterr().out.split())
    assert "light,dark" in helps["render"]
    assert "light,dark" not in helps["gallery"], "a GIF holds one theme"
    assert all(f"side by side at most {WIDEST})" in told for told in helps.values())


def test_describe_tells_sizes_formula_and_layer(capsys):
    assert cli.main(["describe", "padding_strides_odd_transposed"]) == 0
    told = capsys.readouterr().out
    for part in (
        "3×3 → 6×6",
        "2*(3 - 1) + 1*(3 - 1) + 1 - 1 - 1 + 1 = 6",
        "output_padding=1",
        "conv -i 6 -k 3 -s 2 -p 1",
    ):
        assert part in told
    assert cli.main(["describe", "padding_strides_odd_transposed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["as_convolution"] == {"inserted_zeros": [1, 1], "padding": [[1, 2], [1, 2]], "stride": [1, 1]}
    assert told["direct"]["output_size"] == [3, 3]


def test_describe_says_what_has_no_transposed_convolution(capsys):
    assert cli.main(["describe", "max-pool", "-i", "4", "-k", "2"]) == 0
    assert "none: a pooling has no transposed convolution" in capsys.readouterr().out
    assert cli.main(["describe", "conv", "-i", "4", "-k", "3", "-p", "1", "--padding-mode", "reflect"]) == 0
    assert "none: copied padding (reflect) has no transposed convolution" in capsys.readouterr().out


def test_describe_needs_no_picture(capsys):
    # A layer of a real network, far too large to draw.
    assert cli.main(["describe", "conv", "-i", "224", "-k", "7", "-s", "2", "-p", "3", "--in-channels", "3",
                     "--out-channels", "64"]) == 0  # fmt: skip
    told = capsys.readouterr().out
    assert "= floor(111.5) + 1 = 112" in told
    assert "torch.nn.Conv2d(in_channels=3, out_channels=64, kernel_size=7, stride=2, padding=3)" in told


BAD = {
    "size of 0": ([*RENDER, "-i", "0"], "input_size is 0"),
    "kernel too large": ([*RENDER, "-k", "9"], "kernel_size is 9: larger than the padded input"),
    "output_padding too large": (["render", "conv-transpose", "-i", "3", "-k", "3", "--output-padding", "1"],
                                 "output_padding is 1: it must be less than the stride"),
    "empty output": (["render", "conv-transpose", "-i", "2", "-k", "1", "-p", "1"], "padding is 1: it crops all"),
    "text for a number": ([*RENDER, "-i", "five"], 'input_size is "five": give 5 or 5,7'),
    "mixed axes": ([*RENDER, "-i", "5,5", "-k", "3,"], "differ in their number of axes"),
    "unknown name": (["render", "padding_stride"], 'did you mean "padding_strides"?'),
    "unknown theme": ([*RENDER, "--theme", "lihgt"], 'theme is "lihgt": did you mean "light"?'),
    "unknown view": ([*RENDER, "--view", "stak"], 'view is "stak": did you mean "stack"?'),
    "unknown order": ([*RENDER, "--order", "scater"], 'did you mean "scatter"?'),
    "unknown option": ([*RENDER, "--them", "light"], 'unrecognized arguments: --them light; did you mean "--theme"?'),
    "misspelt option": ([*RENDER, "--stirde=2"], 'did you mean "--stride"? (see convviz render --help)'),
    "cut option": ([*RENDER, "--kernel", "3"], 'did you mean "--kernel-size"? (see convviz render --help)'),
    "option like none": ([*RENDER, "--zzzzz"], "unrecognized arguments: --zzzzz (see convviz render --help)"),
    "another's name": (["render", "deconv"], 'name is "deconv": did you mean "conv-transpose"?'),
    "huge size": ([*RENDER, "-i", "100000"], "input_size"),
    "size past all numbers": ([*RENDER, "-i", "9" * 30], "input_size is"),
    "large but traceable": ([*RENDER, "-i", "400"], "input_size is 400: a plane of the picture would be 400 x 400"),
    "width of nothing": ([*RENDER, "--width", "0"], "width is 0: give a whole number from 16 to"),
    "width of text": ([*RENDER, "--width", "wide"], 'width is "wide": give a whole number'),
    "width in Python's notation": ([*RENDER, "--width", "4_0"], 'width is "4_0": give a whole number'),
    "empty view": ([*RENDER, "--view", ""], 'view is "": known are stack'),
    "empty order": ([*RENDER, "--order", ""], 'order is "": known are gather'),
    "duration": ([*RENDER, "--duration", "33"], "duration is 33: a GIF counts in 10 ms"),
    "plays": ([*RENDER, "--plays", "-1"], "plays is -1: give a whole number from 0"),
    "step of a moving picture": ([*RENDER, "--step", "1"], "step is 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_drawn_is_said_in_one_line(case, tmp_path, capsys):
    words, said = BAD[case]
    older = tmp_path / "older.gif"
    older.write_bytes(b"older")
    assert cli.main([*words, "-o", str(older)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err
    assert older.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["older.gif"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("no/such/folder/a.gif", "there is no folder"),
        ("a.xyz", 'is ".xyz": give a file name that ends in .gif'),
        ("a", "is missing: give a file name"),
        (".", "is missing"),
        ("-", "format is not given"),
    ],
)
def test_an_output_that_cannot_be_is_said_in_one_line(output, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*RENDER, "-o", output]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err
    assert os.listdir(tmp_path) == []


def test_a_folder_of_that_name_is_said(tmp_path, capsys):
    (tmp_path / "a.gif").mkdir()
    assert cli.main([*RENDER, "-o", str(tmp_path / "a.gif")]) == 2
    assert "it is a folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said(capsys):
    # /proc takes no new files, whoever asks.
    assert cli.main([*RENDER, "-o", "/proc/a.gif"]) == 2
    err = capsys.readouterr().err
    assert "cannot write there" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--weight", "-1,0,1;-2,0,2;-1,0,1"], ["--weight=-1,0,1;-2,0,2;-1,0,1"]])
def test_a_kernel_may_start_with_a_minus(words, tmp_path):
    path = tmp_path / "sobel.gif"
    assert (
        cli.main(["render", "conv", "-i", "5", *words, "--x", "-.5,1,1,1,1" + ";0,0,0,0,0" * 4, "-o", str(path)]) == 0
    )
    assert path.read_bytes().startswith(b"GIF89a")


def test_what_gallery_needs_is_said(capsys):
    assert cli.main(["gallery"]) == 2
    assert "are required: DIR (see convviz gallery --help)" in capsys.readouterr().err


def test_a_format_goes_before_the_suffix_of_the_file(tmp_path):
    path = tmp_path / "a.gif"
    assert cli.main([*RENDER, "--format", "png", "-o", str(path)]) == 0
    with Image.open(path) as image:
        assert image.format == "PNG"


def test_a_missing_command_is_said(capsys):
    assert cli.main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_render_leaves_the_older_file(signum, tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(b"older")
    words = [sys.executable, "-m", "convviz", "render", "conv", "-i", "64", "-k", "3", "-o", str(path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while len(os.listdir(tmp_path)) < 2:  # until the temporary file is there
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signum)
        said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    assert said == "convviz: interrupted\n"
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["a.gif"]


def test_a_long_work_shows_a_bar_on_a_terminal(tmp_path):
    path = tmp_path / "a.gif"
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "convviz", "render", "conv", "-i", "16", "-k", "1", "--width", "60", "-o", str(path)]
    with subprocess.Popen(words, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 1000)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b"step 256 of 256" in shown
    assert shown.endswith(b"\r\x1b[K")
    quiet = run(*words[3:])
    assert quiet.stderr == b""


def test_a_file_keeps_its_mode_and_a_link_its_place(tmp_path):
    real, link = tmp_path / "real.gif", tmp_path / "link.gif"
    real.write_bytes(b"older")
    real.chmod(0o640)
    link.symlink_to(real)
    assert cli.main([*RENDER, "-o", str(link)]) == 0
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().startswith(b"GIF89a")


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path):
    before = os.umask(0o027)
    try:
        assert cli.main([*RENDER, "-o", str(tmp_path / "a.gif")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "a.gif").stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_not_replaced():
    assert cli.main([*RENDER, "-o", os.devnull, "--format", "gif"]) == 0
    assert not Path(os.devnull).is_file()
