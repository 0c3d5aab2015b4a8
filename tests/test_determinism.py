"""The same parameters and versions give the same bytes, whatever the environment, the user's settings and the time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import environment

# In a process of its own, as the installed command does it: every format, with a caption and without a background too.
DRAW = """
import hashlib, json, os, pathlib, sys
if "ONE_PROCESSOR" in os.environ:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from convviz import cli
from convviz.formats import FORMATS
told = {}
for suffix in FORMATS:
    for more in (["--caption"], ["--transparent", "--width", "150", "--theme", "dark"]):
        words = ["render", "no_padding_strides", *more, "-o", f"{sys.argv[1]}/picture{suffix}"]
        saved, sys.argv = sys.argv, ["convviz", *words]
        try:
            cli.run()
        except SystemExit as done:
            status = done.code
        sys.argv = saved
        content = pathlib.Path(f"{sys.argv[1]}/picture{suffix}").read_bytes() if status == 0 else b""
        told[f"{suffix} {' '.join(more)}"] = [status, hashlib.sha256(content).hexdigest()]
drawn = [name.split()[0] for name, (status, _) in told.items() if status == 0]
assert len(set(drawn)) >= min(len(FORMATS), 8), told  # all but what needs an extra
print(json.dumps(told, sort_keys=True))
"""

HOSTILE = """
backend: svg
path.simplify: True
path.simplify_threshold: 1.0
path.snap: True
path.sketch: 5, 10, 20
agg.path.chunksize: 101
text.usetex: True
text.antialiased: False
text.hinting: native
text.hinting_factor: 1
text.kerning_factor: 6
font.family: cursive
font.size: 30
mathtext.fontset: stix
lines.antialiased: False
patch.antialiased: False
lines.dash_capstyle: projecting
lines.scale_dashes: False
hatch.linewidth: 9
hatch.color: red
figure.dpi: 31
savefig.dpi: 31
savefig.transparent: True
savefig.facecolor: red
svg.fonttype: none
svg.hashsalt: salt
pdf.fonttype: 42
pdf.compression: 0
pgf.rcfonts: False
"""


def hostile(folder: Path) -> dict[str, str | None]:
    (folder / "matplotlibrc").write_text(HOSTILE)
    return {"MATPLOTLIBRC": str(folder / "matplotlibrc")}


def nowhere(folder: Path) -> dict[str, str | None]:
    """A folder for matplotlib's settings that is none, so that it makes one for the time of the run."""
    (folder / "file").touch()
    return {"MPLCONFIGDIR": str(folder / "file" / "below"), "HOME": str(folder / "file" / "home")}


ENVIRONMENTS: dict[str, Callable[[Path], dict[str, str | None]]] = {
    "as it is": lambda folder: {"MPLBACKEND": None},
    "another locale": lambda folder: {"LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR", "LANGUAGE": "tr"},
    "no locale": lambda folder: {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    "another time zone": lambda folder: {"TZ": "Pacific/Kiritimati"},
    "no such time zone": lambda folder: {"TZ": "nonsense/Nowhere", "SOURCE_DATE_EPOCH": None},
    "another backend": lambda folder: {"MPLBACKEND": "svg"},
    "no such backend": lambda folder: {"MPLBACKEND": "nonsense"},
    "no such backend's module": lambda folder: {"MPLBACKEND": "module://nonsense"},
    "hostile settings": hostile,
    "settings that cannot be written": nowhere,
    "no home": lambda folder: {"HOME": None, "XDG_CONFIG_HOME": None, "XDG_CACHE_HOME": None, "MPLCONFIGDIR": None},
    "another order of sets": lambda folder: {"PYTHONHASHSEED": "1"},
    "optimised, without docstrings": lambda folder: {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"},
    "warnings are errors": lambda folder: {"PYTHONWARNINGS": "error"},
    "one processor": lambda folder: {"ONE_PROCESSOR": "1"},
    "one thread": lambda folder: {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
}


def drawn(name: str, folder: Path) -> str:
    folder.mkdir()
    env = environment(**{"PYTHONHASHSEED": "0", **ENVIRONMENTS[name](folder)})
    done = subprocess.run(
        [sys.executable, "-c", DRAW, str(folder)], env=env, capture_output=True, timeout=120, cwd=folder
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return done.stdout.decode().splitlines()[-1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    return drawn("as it is", tmp_path_factory.mktemp("plain") / "folder")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_has_no_say(name: str, plain: str, tmp_path: Path) -> None:
    assert drawn(name, tmp_path / "folder") == plain


def test_words_that_the_terminal_has_not_are_escaped(tmp_path: Path) -> None:
    env = environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    for words in (["list"], ["describe", "dilation"], ["describe", "dilation", "--json"], ["render", "dilatión"]):
        done = subprocess.run([sys.executable, "-m", "convviz", *words], env=env, capture_output=True, timeout=60)
        assert done.returncode == (2 if words[0] == "render" else 0)
        assert b"Traceback" not in done.stderr
        assert (done.stdout + done.stderr).isascii()


def test_a_name_that_is_no_text_is_printed(tmp_path: Path) -> None:
    folder = str(tmp_path).encode() + b"/\xff"
    command = [sys.executable, "-m", "convviz", "gallery", folder, "no_padding_no_strides"]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(rb"\udcff/no_padding_no_strides.gif" + b"\n")
