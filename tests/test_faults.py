"""However a render ends, an earlier file is whole or the new one is, and nothing is left beside it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from processes import OLD, answer, convviz, environment
from tools import absent, tool

import convviz as library
from convviz import files
from convviz.cli import main
from convviz.formats import FORMATS
from convviz.scene import Layer, Shape

RENDER = ["render", "padding_strides_odd_transposed", "--width", "300"]

# Started once: forks a child for each render, which costs a hundredth of starting Python anew.
FORKING = """
import json, os, random, signal, sys, time, warnings
warnings.simplefilter("ignore")
import convviz.render, convviz.formats.gif, convviz.animate, convviz.describe, difflib
from convviz.cli import main

def started(words):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = 99
        try:
            status = main(words)
        finally:
            os._exit(status)
    return child

def ended(child, within=20.0):
    until = time.monotonic() + within
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hangs"
"""

KILLING = (
    FORKING
    + """
folder, count, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
path = os.path.join(folder, "picture.gif")
assert ended(started([*words, "-o", path])) == 0
new = open(path, "rb").read()
took = []
for _ in range(3):
    begun = time.monotonic()
    ended(started([*words, "-o", path]))
    took.append(time.monotonic() - begun)
chance = random.Random(5)
told = []
for number in range(count):
    for kind in ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"):
        with open(path, "wb") as file:
            file.write(b"an earlier picture")
        child = started([*words, "-o", path])
        time.sleep(chance.uniform(0, 1.1 * min(took)))
        try:
            os.kill(child, getattr(signal, kind))
            if number % 3 == 0 and kind != "SIGKILL":
                os.kill(child, signal.SIGTERM)  # and again while it cleans up
        except ProcessLookupError:
            pass
        status = ended(child)
        content = open(path, "rb").read()
        kept = "old" if content == b"an earlier picture" else "new" if content == new else "broken"
        beside = sorted(set(os.listdir(folder)) - {"picture.gif"})
        for name in beside:
            os.unlink(os.path.join(folder, name))
        told.append([kind, status, kept, len(beside)])
print(json.dumps(told))
"""
)


def test_a_render_killed_at_a_random_moment_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    count = int(os.environ.get("CONVVIZ_KILLS", "12"))
    told = answer(KILLING, str(tmp_path), str(count), *RENDER, timeout=60 + count * 4)
    assert len(told) == count * 4
    for kind, status, kept, beside in told:
        assert status != "hangs", kind
        assert kept in ("old", "new"), (kind, status)
        assert status != 0 or kept == "new", kind
        assert kind == "SIGKILL" or beside == 0, (kind, status, kept)
    # The moments must be such that most of them strike while the picture is being made.
    assert sum(kept == "old" for _, _, kept, _ in told) > count


# Where the interrupt strikes before the file is handed over, Python closes it in its own time and says so.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_instruction_of_a_save_leaves_nothing_beside(tmp_path: Path) -> None:
    """Every instruction of the code that handles the file is struck once."""
    path = tmp_path / "picture.gif"
    watched = {files.__file__, contextlib.__file__}

    def save() -> None:
        with files.replacing(path) as file:
            file.write(b"new")

    def interrupted_at(number: int) -> bool:
        seen = 0

        def trace(frame, event, _):  # type: ignore[no-untyped-def]
            nonlocal seen
            if frame.f_code.co_filename not in watched and frame.f_code is not save.__code__:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                seen += 1
                if seen == number:
                    raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            save()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    path.write_bytes(OLD)
    struck = 0
    while interrupted_at(struck + 1):
        struck += 1
        assert os.listdir(tmp_path) == [path.name], struck
        assert path.read_bytes() in (OLD, b"new"), struck
        path.write_bytes(OLD)
    assert struck > 100
    assert path.read_bytes() == b"new"


class Fault(BaseException):
    """Stands for anything that may go wrong."""


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_render_that_fails_on_the_way_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(OLD)
    picture = library.animate("no_padding_no_strides")

    def fail(step: int) -> list[Shape]:
        raise Fault

    layers = (*picture.frames.layers, Layer("moving", fail))
    picture.frames = replace(picture.frames, layers=layers, dark=None)
    with pytest.raises((Fault, library.ConvvizError)):  # the latter where a format's extra is not installed
        picture.save(path)
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == [path.name]


LIMITED = (
    FORKING
    + """
import resource
folder, words = sys.argv[1], sys.argv[2:]
path = os.path.join(folder, "picture.gif")
told = []
for limit in (0, 1, 1000, 5000, 20000):
    with open(path, "wb") as file:
        file.write(b"an earlier picture")
    child = os.fork()
    if child == 0:
        complaint = os.open(os.path.join(sys.argv[1], "..", "complaint"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        status = 99
        try:
            status = main([*words, "-o", path])
        finally:
            os._exit(status)
    told.append([ended(child), open(path, "rb").read() == b"an earlier picture", os.listdir(folder)])
print(json.dumps(told))
"""
)


def test_a_file_that_cannot_grow_is_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for status, kept, names in answer(LIMITED, str(folder), *RENDER):
        assert (status, kept, names) == (1, True, ["picture.gif"])


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    script = (
        'mount -t tmpfs -o size=16k none "$1" && printf "an earlier picture" > "$1/picture.gif" && shift && '
        '"$@"; echo "status $?"; ls -A "$0"; cat "$0/picture.gif"'
    )
    picture = str(folder / "picture.gif")
    command = [sys.executable, "-m", "convviz", *RENDER, "-o", picture]
    # A mount needs no privileges in a namespace of its own, where the system allows that.
    done = subprocess.run(
        [tool("unshare"), "--mount", "--map-root-user", "sh", "-c", script, str(folder), str(folder), *command],
        env=environment(),
        capture_output=True,
        timeout=60,
    )
    if b"status" not in done.stdout:  # a file of bounded size and a full device are tested everywhere
        absent(f"this system mounts no file system for tests: {done.stderr.decode()}")
    assert done.stdout.split(b"\n", 2) == [b"status 1", b"picture.gif", OLD], done.stderr
    assert done.stderr == f"convviz: No space left on device: {picture}\n".encode()


@pytest.mark.parametrize("words", [[*RENDER, "-o", "-", "--format", "gif"], ["list"], ["list", "--json"]])
def test_a_full_device_on_stdout_is_told_in_one_line(words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = convviz(*words, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"convviz: No space left on device\n")


def test_a_render_to_a_full_device_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*RENDER, "-o", "/dev/full", "--format", "gif"]) == 1
    assert capfd.readouterr() == ("", "convviz: No space left on device: /dev/full\n")


@pytest.mark.parametrize(
    "words", [[*RENDER, "-o", "-", "--format", "gif"], ["list", "--json"], ["describe", "dilation"]]
)
def test_a_closed_pipe_ends_it_quietly(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = convviz(*words, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_pipe_closed_on_the_way_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "convviz", *RENDER, "-o", "-", "--format", "gif"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(6) == b"GIF89a"
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (1, b"")


@pytest.mark.parametrize(
    ("words", "status"), [([*RENDER, "-o", "-", "--format", "gif"], 2), (["list"], 0), (["render", "?"], 2)]
)
def test_without_stdout_or_stderr_it_goes_on(words: list[str], status: int) -> None:
    for closed in (">&-", ">&- 2>&-"):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "convviz", *words]
        done = subprocess.run(command, env=environment(), capture_output=True, timeout=60)
        assert done.returncode == status
        assert done.stderr.count(b"\n") == (1 if status and closed == ">&-" else 0)


READ_ONLY = (
    FORKING
    + """
folder, words = sys.argv[1], sys.argv[2:]
path = os.path.join(folder, "picture.gif")
with open(path, "wb") as file:
    file.write(b"an earlier picture")
os.chmod(folder, 0o555)
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.dup2(writer, 2)
    if os.geteuid() == 0:  # permissions do not bind root
        os.setuid(65534)
    os._exit(main([*words, "-o", path]))
os.close(writer)
status = ended(child)
complaint = open(reader).read()
os.chmod(folder, 0o755)
print(json.dumps([status, complaint, os.listdir(folder), open(path).read()]))
"""
)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        status, complaint, names, content = answer(READ_ONLY, folder, *RENDER)
    assert (status, names, content) == (2, ["picture.gif"], OLD.decode())
    assert complaint == f"convviz: output is '{folder}/picture.gif': cannot write there (Permission denied)\n"


RACING = (
    FORKING
    + """
path = os.path.join(sys.argv[1], "picture.gif")
two = ["render", "no_padding_no_strides", "-o", path], ["render", "padding_strides_odd", "-o", path]
whole = []
for words in two:
    assert ended(started(words)) == 0
    whole.append(open(path, "rb").read())
seen = set()
for _ in range(3):
    children = [started(words) for words in two * 2]
    while children:
        content = open(path, "rb").read()
        seen.add(whole.index(content) if content in whole else "broken")
        done, status = os.waitpid(-1, os.WNOHANG)
        if done:
            assert status == 0
            children.remove(done)
print(json.dumps([list(map(str, seen)), os.listdir(sys.argv[1])]))
"""
)


def test_renders_to_one_file_at_once_never_show_a_part(tmp_path: Path) -> None:
    assert sorted(answer(RACING, str(tmp_path))[0]) == ["0", "1"]
    assert os.listdir(tmp_path) == ["picture.gif"]


def test_threads_leave_the_umask_alone(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:

        def save(name: str) -> None:
            for _ in range(200):
                with files.replacing(tmp_path / name) as file:
                    file.write(b"new")

        threads = [threading.Thread(target=save, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.umask(0o027) == 0o027
        assert {(tmp_path / str(n)).stat().st_mode & 0o777 for n in range(4)} == {0o640}
    finally:
        os.umask(before)


def test_the_mode_of_an_earlier_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "picture.gif"
    path.write_bytes(OLD)
    path.chmod(0o604)
    with files.replacing(path) as file:
        file.write(b"new")
    assert path.stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize("name", ["é" * 120, "😀" * 62, "a" * 251])
def test_a_name_as_long_as_the_file_system_takes_is_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.gif"
    with files.replacing(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("output", ["a" * 252 + ".gif", "no/such/folder.gif", "\0.gif", "loop/x.gif"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_drawn(output: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    drawn = []
    with pytest.raises(library.ConvvizError, match="output is"):
        library.animate("dilation").save(f"{tmp_path}/{output}", progress=drawn.append)
    assert not drawn


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = library.animate("padding_strides", caption=True)
    picture.save(tmp_path / "steady.gif")
    chance = random.Random(3)
    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, lambda: chance.uniform(-1e9, 1e12))
        monkeypatch.setattr(time, f"{name}_ns", lambda: chance.randrange(-(10**18), 10**21))
    picture.save(tmp_path / "jumping.gif")
    assert (tmp_path / "steady.gif").read_bytes() == (tmp_path / "jumping.gif").read_bytes()
    assert main([*RENDER, "-o", str(tmp_path / "another.gif")]) == 0


def test_what_asks_it_to_end_is_restored(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert main([*RENDER, "-o", str(tmp_path / "picture.gif")]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link.gif").symlink_to("picture.gif")
    with files.replacing(tmp_path / "link.gif") as file:
        file.write(b"new")
    assert (tmp_path / "link.gif").is_symlink()
    assert (tmp_path / "picture.gif").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe.gif")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.gif").read_bytes()))
    reader.start()
    with files.replacing(tmp_path / "pipe.gif") as file:
        file.write(b"through")
    reader.join()
    assert got == [b"through"]
