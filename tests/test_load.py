"""Many renders in one process, in threads and in processes, and pictures of many steps."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import answer, environment

from convviz import Conv, ConvTranspose, ConvvizError, animate
from convviz.formats import FORMATS

RENDERS = int(os.environ.get("CONVVIZ_RENDERS", "300"))

# What is drawn is another picture each time, of another size, text and theme, so that no cache serves two of them.
MANY = """
import io, json, sys
from convviz import AveragePool, Conv, ConvTranspose, MaxPool, THEMES, animate

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def render(number):
    k, s, d = 1 + number % 3, 1 + number // 3 % 3, 1 + number // 9 % 2
    kinds = (lambda: Conv(5, k, s, dilation=d), lambda: ConvTranspose(2, k, s), lambda: MaxPool(4, k, s),
             lambda: AveragePool(4, k, s))
    picture = animate(kinds[number % 4](), theme=list(THEMES)[number % len(THEMES)], caption=number % 2 == 0,
                      width=60 + number % 97)
    file = io.BytesIO()
    if number % 5:
        picture.write(file, ".png", step=number % len(picture))
    else:
        picture.write(file, ".gif")
    assert len(file.getvalue()) > 100

count = int(sys.argv[1])
for number in range(count // 3):
    render(number)
warm = resident()
for number in range(count // 3, count):
    render(number)
print(json.dumps([warm, resident()]))
"""


def test_many_renders_keep_their_memory() -> None:
    """The caches are full after a third of the renders; the rest take no more than what an allocator keeps in hand."""
    warm, after = answer(MANY, str(RENDERS), timeout=60 + RENDERS / 5)
    assert after - warm < 8 << 20, f"{(after - warm) / 2**20:.1f} MB more after {RENDERS} renders"


PICTURES = [
    (op, suffix, caption)
    for op in (Conv(5, 3, 2, 1), ConvTranspose(3, 3, 2, 1), Conv((7,), (3,), dilation=2), Conv(4, 2, 1, "same"))
    for suffix in (".gif", ".png", ".svg", ".pdf")
    for caption in (False, True)
]


def drawn(number: int) -> bytes:
    op, suffix, caption = PICTURES[number % len(PICTURES)]
    file = io.BytesIO()
    animate(op, caption=caption, width=150).write(file, suffix)
    return file.getvalue()


def test_eight_threads_draw_what_one_draws() -> None:
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(drawn, range(3 * len(PICTURES))))
    alone = [drawn(number) for number in range(len(PICTURES))]
    assert together == alone * 3


# The first renders of a process, which import, and open fonts, all at once.
FIRST = """
import io, json, hashlib, sys, threading
from convviz import Conv, animate
suffixes = sys.argv[1].split(",")
start, told = threading.Barrier(8), [""] * 8
def draw(number):
    file = io.BytesIO()
    start.wait()
    picture = animate(Conv(4, 3, padding=1), caption=True, width=150)
    picture.write(file, suffixes[number % len(suffixes)])
    told[number] = hashlib.sha256(file.getvalue()).hexdigest()
threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(told))
"""


def test_eight_threads_that_draw_first_draw_what_one_draws() -> None:
    suffixes = [suffix for suffix in (".gif", ".png", ".svg", ".webp") if suffix in FORMATS]
    for _ in range(3):
        told = answer(FIRST, ",".join(suffixes))
        assert told[:4] == told[4:]
        assert all(told)


def test_four_processes_draw_what_one_draws(tmp_path: Path) -> None:
    words = ["gallery", "--caption", "--width", "200", "padding_strides", "dilation", "no_padding_strides_transposed"]
    commands = []
    for number in range(5):
        name = str(tmp_path / str(number))
        commands.append([sys.executable, "-m", "convviz", words[0], *words[1:4], name, *words[4:]])
    alone = subprocess.run(commands[4], env=environment(), capture_output=True, timeout=60)
    assert alone.returncode == 0, alone.stderr
    together = [subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) for command in commands[:4]]
    assert [process.wait(120) for process in together] == [0] * 4
    expected = {path.name: path.read_bytes() for path in (tmp_path / "4").iterdir()}
    assert len(expected) == 3
    for number in range(4):
        assert {path.name: path.read_bytes() for path in (tmp_path / str(number)).iterdir()} == expected


LONG = """
import json, resource, sys
from convviz import Conv, animate
picture = animate(Conv((int(sys.argv[1]), 64), 3, padding=1), width=120)
seen = []
def watch(step):
    with open("/proc/self/statm") as file:
        seen.append(int(file.read().split()[1]) * 4096)
picture.save(sys.argv[2], progress=watch)
print(json.dumps([len(picture), seen[len(seen) // 4], max(seen[len(seen) // 4:])]))
"""


@pytest.mark.parametrize("suffix", [".gif"])
def test_4096_steps_stream_to_disk(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"long{suffix}"
    steps, early, most = answer(LONG, "64", str(path), timeout=300)
    assert steps == 4096
    assert most - early < 8 << 20, f"{(most - early) / 2**20:.1f} MB more over the last three quarters"
    assert path.stat().st_size > 4096 * 20
    assert json.dumps(sorted(os.listdir(tmp_path))) == json.dumps([path.name])


def test_a_video_of_days_is_refused() -> None:
    """Without the extra it is refused for that."""
    with pytest.raises(ConvvizError, match=r"plays is 60000: .* at most 2222$|needs the extra video"):
        animate("dilation", plays=60000).write(io.BytesIO(), ".mp4")
