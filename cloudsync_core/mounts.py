"""What kind of file system a path is on, as far as the system tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted (https://docs.kernel.org/filesystems/proc.html); others have no such file."""

_OF_NETWORKS: Final = frozenset(
    {
        "afs", "beegfs", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2", "smb3", "smbfs",
    }
)  # fmt: skip
_CHANGED_ELSEWHERE: Final = frozenset({"9p", "drvfs", "virtiofs", "vboxsf", "vmhgfs"})
"""Whose files the host of this machine changes, too, without this machine's system hearing of it."""

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def network_file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the name of the file system that `path` is on, if other machines may be on it, too; else `None`.

    Args:
        path: it or what it is to be in exists.
        mounts: the list of what is mounted.
    """
    found = _file_system(path, mounts)
    return found if found in _OF_NETWORKS else None


def without_events(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the name of the file system that `path` is on, if it may change without the system telling; else `None`.

    That is so where others write to it: other machines, or the program behind a file system in user space.

    Args:
        path: see `network_file_system`.
        mounts: likewise.
    """
    found = _file_system(path, mounts)
    silent = found in _OF_NETWORKS or found in _CHANGED_ELSEWHERE or found.partition(".")[0] == "fuse"
    return found if silent else None


def _file_system(path: Path, mounts: Path) -> str:
    """Return the name of the file system that `path` is on, "" where the system does not tell."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = path.resolve()
    deepest, found = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), left.split(" ")[4]))
        # What was mounted last on a place hides what was there before.
        if place.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, found = len(point.parts), right.split(" ")[0]
    return found
