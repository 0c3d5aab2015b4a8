"""The way through the house: who imports whom, and what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import convviz

PACKAGE = Path(convviz.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}

# Room -> the rooms that it may import, each of which it does; "convviz" is what the package itself exports. Whatever is
# not listed may be imported by nobody but its own room.
ALLOWED = {
    "errors": set(),
    "windows": {"errors"},
    "ops": {"errors"},
    "trace": {"errors", "windows", "ops"},
    "cases": {"ops"},
    "spec": {"errors", "ops", "cases"},
    "layers": {"errors", "ops"},
    "describe": {"ops", "spec", "trace", "layers", "windows"},
    "cells": set(),
    "theme": set(),
    "scene": set(),
    "views": {"errors", "windows", "ops", "trace", "describe", "cells", "theme", "scene"},
    "compose": {"cells", "theme", "scene"},
    "render": {"errors", "scene"},
    "formats": {"errors", "scene", "render"},
    "files": {"errors"},
    "arrays": {"errors"},
    "animate": {
        *("errors", "files", "formats", "ops", "spec", "describe", "theme", "trace"),
        *("views", "compose", "render", "scene"),
    },
    "documents": {"errors", "files", "scene", "animate"},
    "markdown": {"errors", "files", "documents"},
    "snippet": {"errors", "spec", "documents", "markdown"},
    "cli": {
        *("errors", "cases", "formats", "ops", "spec", "theme", "views", "animate", "describe", "layers"),
        *("arrays", "documents", "markdown", "snippet", "convviz"),
    },
    "ext": {"errors", "documents", "cli", "convviz"},
    "__main__": {"cli"},
}


def room(module: str) -> str:
    return module.split(".")[0]


def imported(path: Path) -> set[str]:
    """The rooms that a file names in its imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports by a relative name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = [name.split(".")[1:] for name in found if name.split(".")[0] == "convviz"]
    # What is no room is a name that the package exports, which brings all of it along.
    return {way[0] if way and way[0] in ALLOWED else "convviz" for way in inside}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_downwards_only(module):
    own = room(module)
    if own == "convviz" or module == "__init__":
        return
    assert own in ALLOWED, f"{module} is a room that the design does not know"
    reached = imported(MODULES[module]) - {own}
    assert reached <= ALLOWED[own], f"{module} imports {sorted(reached - ALLOWED[own])}"


@pytest.mark.parametrize("own", sorted(ALLOWED))
def test_nothing_is_allowed_that_is_not_needed(own):
    reached = set().union(*(imported(path) for module, path in MODULES.items() if room(module) == own))
    assert ALLOWED[own] <= reached, f"{own} imports no {sorted(ALLOWED[own] - reached)}"


def test_private_files_stay_in_their_room_and_private_names_in_their_file():
    for module, path in MODULES.items():
        nodes = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)
        ]
        for way in [[*node.module.split(".")[1:], alias.name] for node in nodes for alias in node.names]:
            for n, part in enumerate(way):
                file = way[0] == room(module) and ".".join(way[: n + 1]) in MODULES
                assert file or not part.startswith("_") or part.startswith("__"), f"{module} imports {'.'.join(way)}"


def test_only_render_and_formats_know_matplotlib_and_pillow():
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in top if isinstance(node, ast.ImportFrom)}
        foreign = {name.split(".")[0] for name in names} & {"matplotlib", "PIL"}
        assert not foreign or room(module) in {"render", "formats"}, f"{module} imports {foreign}"


@pytest.mark.parametrize(
    "program",
    [
        "import convviz",
        "import convviz.cli; convviz.cli.main(['list'])",
        "import convviz.cli\ntry: convviz.cli.main(['--help'])\nexcept SystemExit: pass",
        "import convviz; convviz.trace(convviz.Conv(5, 3)).output",
        "import convviz.cli; convviz.cli.main(['describe', 'padding_strides'])",
    ],
)
def test_matplotlib_and_pillow_are_loaded_for_pixels_only(program):
    check = "\nimport sys\nloaded = {'matplotlib', 'PIL'} & set(sys.modules)\nassert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
