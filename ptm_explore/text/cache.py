"""A cache folder whose entries appear whole or not at all, whoever else is writing."""

import contextlib
import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ptm_explore.errors import PtmError

DAY = 86_400  # seconds


def cache_folder() -> Path:
    """$PTM_CACHE, else $XDG_CACHE_HOME/ptm_explore, else ~/.cache/ptm_explore (not created here)."""
    if own := os.environ.get("PTM_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptm_explore"


@contextlib.contextmanager
def building(target: Path, valid: Callable[[Path], bool] = Path.exists) -> Iterator[Path]:
    """A temporary folder beside `target` to build in; renamed to `target` once the block ends well.

    Two processes may build the same entry: the first to finish wins, the other drops its copy. An entry
    that is not `valid` (damaged) is replaced. A killed build leaves only its temporary folder, which a
    later build removes once it is a day old. A full disk or a read-only folder raises a `PtmError`.
    """
    temporary = target.with_name(f".building-{uuid.uuid4().hex}")
    damaged = temporary.with_name(f"{temporary.name}-damaged")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        temporary.mkdir()
        yield temporary
        if target.exists() and not valid(target):
            with contextlib.suppress(FileNotFoundError):  # another process moved it away first
                target.rename(damaged)
        try:
            temporary.rename(target)
        except OSError:  # another process was first
            if not valid(target):
                raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "the disk is full" if full else error.strerror or error
        advice = "free some space" if full else "choose a folder you can write to"
        raise PtmError(f"cannot write in {target.parent}: {reason}; {advice}, or set PTM_CACHE") from error
    finally:
        for leftover in (temporary, damaged):
            shutil.rmtree(leftover, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    for old in folder.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - max(p.stat().st_mtime for p in [old, *old.iterdir()]) > DAY:
                shutil.rmtree(old, ignore_errors=True)


def digest(*parts: object) -> str:
    """Hex digest of the parts, bytes or anything with a stable `str`."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """Hex digest of a file's content."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise PtmError(f"cannot read {path}: {error.strerror}") from error
