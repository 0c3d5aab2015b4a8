"""What the README says is so."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
from pathlib import Path

import pytest

from convviz import CASES, cli
from convviz.spec import command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.startswith("convviz render")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)
    assert cli.main(words[1:]) == 0
    assert (tmp_path / words[words.index("-o") + 1]).stat().st_size > 0


def test_there_are_commands_to_run():
    assert len(COMMANDS) >= 3


@pytest.mark.parametrize("kind", ["python"])
def test_its_python_runs(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = [block for found, block in BLOCKS if found == kind]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_what_describe_prints_is_what_it_shows():
    (shown,) = [block for kind, block in BLOCKS if kind == "console"]
    line, _, expected = shown.partition("\n")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert cli.main(shlex.split(line)[2:]) == 0
    assert told.getvalue() == expected


def test_its_table_has_every_case():
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|$", README, flags=re.MULTILINE)
    assert dict(rows) == {name: command(case) for name, case in CASES.items()}


def test_its_options_are_options():
    text = "\n".join(cli._parser()._subparsers._group_actions[0].choices["render"].format_help().split())
    for option in set(re.findall(r"`(--[a-z-]+)", README)) - {"--for"}:
        assert option in text, option


def test_the_files_that_it_names_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_gallery_has_every_case():
    page = (ROOT / "gallery" / "README.md").read_text(encoding="utf-8")
    for name in CASES:
        assert f"({name}.gif)" in page
        assert (ROOT / "gallery" / f"{name}.gif").is_file()


def test_the_gallery_is_that_of_its_program():
    build = runpy.run_path(str(ROOT / "gallery" / "build.py"))
    page = (ROOT / "gallery" / "README.md").read_text(encoding="utf-8")
    assert page == build["page"]()
    plain = re.sub(r"`[^`]*`|<[^>]*>|\[[^]]*\]\([^)]*\)", "", page)
    assert "*" not in plain, "Markdown takes stars for its own"
