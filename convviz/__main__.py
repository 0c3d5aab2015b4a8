"""``python -m convviz`` is the command line."""

from convviz.cli import run

if __name__ == "__main__":
    run()
