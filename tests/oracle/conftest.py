"""The oracles: convviz held against independent implementations. ``python -m pytest tests/oracle`` runs them.

They need the dependency group ``oracle``; plain ``pytest`` leaves them out. CONVVIZ_ORACLE_SETS is how many random
parameter sets each test draws (2000).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from oracles import TOLD


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("held against")
    for line in lines(TOLD):
        terminalreporter.write_line(line)


def lines(told: dict[str, Counter[str]]) -> Iterator[str]:
    for oracle, counts in told.items():
        yield f"{oracle}:"
        for what, count in counts.items():
            yield f"  {count:6}  {what}"
