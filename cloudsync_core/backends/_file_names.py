"""Whether a directory holds a name as it is: many file systems take several names for one (catalogue C08, C09).

Where letter case, the form of an accent or a dot at the end does not count, a name may lead to what another key has
put there, and a new file may get another name than it was given. Neither can be told from the names themselves, each
file system has its own rule, and one tree may span several. So the directory is asked: if a variant of the name leads
nowhere, the names in it are exact; if it leads to the same file, what the directory lists decides.
"""

from __future__ import annotations

import os
import unicodedata

from cloudsync_core.errors import InvalidKeyError, KeyBlockedError, printable

_IGNORED = "\u200b"
"""Has no width and no case: the file systems that fold names leave it out."""


def name_held(folder: int, name: str) -> str:
    """Return the name under which a directory lists what `name` leads to; mostly `name` itself.

    It takes one call for each of a few variants, and reads the directory only where one of them leads to the same.

    Args:
        folder: descriptor of the directory.
        name: a name that leads to something in it.

    Raises:
        FileNotFoundError: it leads to nothing any more.
        OSError: the directory folds names, and cannot be read.
    """
    if not any(_is_there(folder, variant) for variant in _variants(name)):
        return name
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(opened) as items:
            same = [item.name for item in items if item.name == name or item.inode() == status.st_ino]
    finally:
        os.close(opened)
    if not same:
        raise FileNotFoundError
    # What has two names on a file system that folds none is held under both.
    return name if name in same else same[0]


def require_own_name(folder: int, name: str) -> None:
    """Make sure that what is in the way of `name` has that very name, so that it is the same object.

    Raises:
        KeyBlockedError: it has another name.
    """
    held = name_held(folder, name)
    if held != name:
        raise _blocked(name, held)


def require_name_kept(folder: int, name: str) -> None:
    """Make sure that what was just made has got the name that it was given.

    Raises:
        InvalidKeyError: the file system has given it another one; it has to be removed again.
    """
    # Only these are known to be altered: composed characters by some systems, endings by others.
    if name.isascii() and name[-1] not in ". ":
        return
    held = name_held(folder, name)
    if held != name:
        raise InvalidKeyError(f"the file system here turns {printable(name)} into {printable(held)}")


def _blocked(name: str, held: str) -> KeyBlockedError:
    """Return the error of a name whose place is taken by what has another one."""
    wanted, there = printable(name), printable(held)
    return KeyBlockedError(f"the file system here takes {wanted} and {there} for one name, and {there} is there")


def _variants(name: str) -> set[str]:
    """Return other names that a file system which folds names takes for `name`."""
    found = {name.swapcase()}
    if not name.isascii():
        found |= {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    found.discard(name)
    return found or {name + _IGNORED}


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True
