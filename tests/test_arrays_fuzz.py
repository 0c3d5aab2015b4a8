"""A file of numbers is read as it is or refused: no pickle runs, no header gets the memory that it claims."""

from __future__ import annotations

import io
import pickle
import resource
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from processes import convviz

from convviz import ConvvizError
from convviz.arrays import read_array

fuzz = settings(max_examples=300, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a folder of its own, with half a gigabyte more than the process has."""
    monkeypatch.chdir(tmp_path)
    with open("/proc/self/statm", encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (500 << 20), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def refused(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    begun = time.process_time()
    with pytest.raises(ConvvizError, match=r"^x is ") as told:
        read_array("x", name)
    assert time.process_time() - begun < 1
    return str(told.value)


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode("latin1")


class Trap:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("sprung"),)


def test_a_pickle_never_runs() -> None:
    trap = pickle.dumps(Trap())
    for name, content in (("a.npy", npy(np.array([Trap()]), allow_pickle=True)), ("b.npy", trap), ("c.csv", trap)):
        refused(name, content)
    assert not Path("sprung").exists()
    pickle.loads(trap)
    assert Path("sprung").exists()


def shape(claimed: str, kind: str = "<f8") -> str:
    return f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {claimed}, }}\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'",  # a header of 4 GB
        b"\x93NUMPY\x03\x00\xff\xff\xff\xff",
        b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16,
        header(shape("(536870912,)")),  # of 4 GB
        header(shape("(1000000000000,)")),
        header(shape("(9223372036854775807, 9223372036854775807)")),
        header(shape("(99999999999999999999999999,)")),
        header(shape("(-1,)")),
        header(shape("(4,)", "<U1000000000")),
        header(shape("(1,)", "|O")),
        header(shape("(1,)", "nonsense")),
        header(shape("'text'")),
        header("{'descr': '<f8', 1: 2, 'shape': (1,)}"),
        header("(" * 9000),
        header("{" * 60000),
        header("'''"),
        header("\\N{", b"\x03\x00"),
        header("__import__('pathlib').Path('sprung').touch()"),
        b"PK\x03\x04 no archive",
        npy(np.zeros((400, 400))),  # more than can be drawn
    ],
)
def test_a_broken_npy_is_refused_at_once(content: bytes) -> None:
    refused("a.npy", content)
    assert not Path("sprung").exists()


def png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_an_image_is_its_grey_levels() -> None:
    Path("a.png").write_bytes(png(2, 1, b"\x00\x07\xff"))
    assert read_array("x", "a.png").tolist() == [[7, 255]]


@pytest.mark.parametrize("size", [(131, 1), (12000, 12000), (20000, 20000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_not_unpacked(size: tuple[int, int]) -> None:
    refused("a.png", png(*size, b"\0" * 10**6))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n", png(3, 3, b""), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"GIF89a"],
)
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tif", "bmp", "ppm"])
def test_a_broken_image_is_refused(content: bytes, suffix: str) -> None:
    refused(f"a.{suffix}", content)


@fuzz
@given(arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=0, max_dims=3, max_side=4)))
def test_what_is_saved_is_read(array: Any) -> None:
    Path("a.npy").write_bytes(npy(array))
    read = read_array("x", "a.npy")
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


WHOLE = [npy(np.arange(6).reshape(2, 3)), png(2, 2, b"\0ab\0cd"), b"1,2\n3,4\n"]
for kind in ("GIF", "WEBP", "TIFF", "BMP", "JPEG", "PPM"):
    packed = io.BytesIO()
    Image.new("L", (3, 2), 7).save(packed, kind)
    WHOLE.append(packed.getvalue())


@settings(fuzz, max_examples=1000)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.one_of(st.none(), st.floats(0, 1)),
    st.binary(max_size=8),
    st.sampled_from(["npy", "csv", "txt", "png", "tif", "jpeg", "ppm"]),
)
def test_damaged_files(
    content: bytes, changes: list[tuple[float, int]], cut: float | None, more: bytes, kind: str
) -> None:
    damaged = bytearray(content)
    for at, value in changes:
        damaged[int(at * len(damaged))] = value
    Path(f"a.{kind}").write_bytes((damaged if cut is None else damaged[: int(cut * len(damaged))]) + more)
    read_or_refused(f"a.{kind}")


@fuzz
@given(
    st.one_of(st.text(max_size=30), st.text("0123456789.,;-+e naif_\n\0", max_size=40)),
    st.sampled_from(["", "csv", "npy"]),
)
def test_texts(text: str, kind: str) -> None:
    if kind:
        Path(f"a.{kind}").write_bytes(text.encode())
    read_or_refused(f"a.{kind}" if kind else text)


def read_or_refused(given: str) -> None:
    begun, read, said = time.process_time(), None, "x is "
    try:
        read = read_array("x", given)
    except ConvvizError as error:
        said = str(error)
    assert time.process_time() - begun < 1
    assert said.startswith("x is ")
    assert read is None or isinstance(read, np.ndarray)


def test_a_file_too_large_is_not_read() -> None:
    with open("a.csv", "wb") as file:
        file.truncate(4 << 30)
    assert "larger than" in refused_as_it_is("a.csv")
    Path("a.csv").rename("a.npy")
    assert "larger than" in refused_as_it_is("a.npy")


def refused_as_it_is(name: str) -> str:
    with pytest.raises(ConvvizError) as told:
        read_array("x", name)
    return str(told.value)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(np.array([Trap()]), allow_pickle=True))
    (tmp_path / "b.npy").write_bytes(npy(np.array([[1, np.nan], [1, 1]])))
    (tmp_path / "c.npy").write_bytes(npy(np.array([[1j, 1], [1, 1]])))
    for name in ("a.npy", "b.npy", "c.npy", "none.npy"):
        words = ["render", "conv", "-i", "2", "-k", "1", "--view", "grid", "--x", str(tmp_path / name), "-o", "a.png"]
        done = convviz(*words)
        assert done.returncode == 2
        assert done.stderr.startswith(b"convviz: x ")
        assert done.stderr.count(b"\n") == 1
