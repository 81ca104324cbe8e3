"""What helps where a state database cannot be used."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

_PRIMARY_CODE: Final = 0xFF
"""The bits of a code of SQLite that do not tell details."""

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_ALLOWED: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_ELSEWHERE: Final = "or name another place by 'state:' in the configuration, --state, or CLOUDSYNC_STATE_DIR."


def way_out(error: sqlite3.DatabaseError | OSError) -> str:
    """Return what the user can do about an error of a state database.

    Only of one that may be damaged it says to move it away: in one that is right is how far subscribers are.
    """
    if isinstance(error, OSError):
        no_room, not_allowed = error.errno in _NO_ROOM, error.errno not in _NO_ROOM
    else:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
        no_room, not_allowed = code == sqlite3.SQLITE_FULL, code in _NOT_ALLOWED
    if no_room:
        return f"Make room on its disk, {_ELSEWHERE}"
    if not_allowed:
        return f"See that its directory is there and can be written, {_ELSEWHERE}"
    return "If it is damaged, move it away: the next run compares everything anew."
