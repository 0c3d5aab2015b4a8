"""Files are written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from convviz.errors import ConvvizError, shown


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends, and never does when it fails.

    It is written beside ``path`` under a temporary name, so a reader of ``path`` sees the old content or the new. A
    symbolic link is followed. Something that is not a regular file (a pipe, a device) is written to directly.

    Raises `ConvvizError` where the folder does not exist or cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
    except (TypeError, ValueError):  # not a path, or one with a null byte
        raise ConvvizError(f"output is {shown(path)}: give the path of a file") from None
    if os.path.isdir(target):
        raise ConvvizError(f"output is {str(path)!r}: it is a folder; give a file's name in it")
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise ConvvizError(f"output is {str(path)!r}: cannot write there ({error.strerror})") from None
    if mode is not None and not stat.S_ISREG(mode):
        with _naming(path), open(target, "wb") as file:
            yield file
        return
    if not os.path.isdir(target.parent):
        raise ConvvizError(f"output is {str(path)!r}: there is no folder {str(target.parent)!r}; make it first")
    # The name is known before the file exists, so that no signal can strike between its making and its removal.
    temporary = target.with_name(f".convviz-{secrets.token_hex(8)}.part")
    try:
        with _naming(path):
            with _opened(temporary, path) as file:
                yield file
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _opened(temporary: Path, path: object) -> BinaryIO:
    try:
        return open(temporary, "xb")
    except OSError as error:
        raise ConvvizError(f"output is {str(path)!r}: cannot write there ({error.strerror})") from None


@contextmanager
def _naming(path: object) -> Iterator[None]:
    """An error of the system names ``path``, rather than the temporary file or nothing."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
