"""What the tests of faults, of load and of determinism share: other Python processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OLD = b"an earlier picture"


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment, in which convviz is found; None takes a variable out."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    return {name: value for name, value in found.items() if value is not None}


def convviz(*words: str, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``convviz`` with ``words`` in a process of its own."""
    options = {"capture_output": True, "timeout": 60, **options}
    return subprocess.run([sys.executable, "-m", "convviz", *words], env=env or environment(), **options)


def answer(script: str, *words: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> Any:
    """Run a Python script in a process of its own; what it prints last, read as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script, *words], env=env or environment(), capture_output=True, timeout=timeout
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])
