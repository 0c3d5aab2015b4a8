"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from convviz.errors import ConvvizError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends, and never does when it fails.

    It is written beside ``path`` under a temporary name, so a reader of ``path`` sees the old content or the new. A
    symbolic link is followed. Something that is not a regular file (a pipe, a device) is written to directly.

    Raises `ConvvizError` where the folder does not exist or cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise ConvvizError(f"output is {str(path)!r}: it is a folder; give a file's name in it")
    try:
        mode = os.stat(target).st_mode
    except OSError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with open(target, "wb") as file:
            yield file
        return
    if not target.parent.is_dir():
        raise ConvvizError(f"output is {str(path)!r}: there is no folder {str(target.parent)!r}; make it first")
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise ConvvizError(f"output is {str(path)!r}: cannot write there ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield cast(BinaryIO, file)
        os.chmod(temporary, stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
