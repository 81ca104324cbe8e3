"""A backend of cloudsync that keeps the objects of a location in one SQLite file: `sqlite:///absolute/path.db`."""

import contextlib
import sqlite3
from pathlib import Path

from cloudsync_core import errors, keys, options, plugins
from cloudsync_core.backend import NO_ATTRIBUTES, Backend
from cloudsync_core.body import ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, Identity, ObjectInfo, Page, Version

ABILITIES = "ordered_listing put_if_absent put_if_match delete_if_match range_get stores_mtime"
PAGE, LARGEST = 1000, 1_000_000_000  # objects; bytes, which are held in memory while they are written
REPLACE = "REPLACE INTO objects VALUES (?, hex(randomblob(16)), strftime('%s', 'now') * 1000000000, ?, ?)"
TABLE = "CREATE TABLE IF NOT EXISTS objects (key TEXT PRIMARY KEY, etag, modified_ns, mtime_ns, data)"


@plugins.hookimpl
def cloudsync_register_backends():
    return [plugins.BackendInfo(("sqlite",), "a SQLite file", f"{__name__}:SqliteBackend", f"{__name__}:Options")]


class Options(options.BackendOptions):
    create: bool = False  # the first put makes the file, which is empty until then


class SqliteBackend(Backend):
    capabilities = Capabilities(**dict.fromkeys(ABILITIES.split(), True), max_object_size=LARGEST, put_memory=LARGEST)

    def __init__(self, location, chosen):
        self.location, self._path, self._create = str(location), Path(location.rest), chosen.create

    @property
    def identity(self):
        return Identity("sqlite", f"{self._path.resolve()}/")

    def list(self, prefix="", *, start_after=None, prune=None):
        first, after, page = keys.folder(prefix), start_after or "", range(PAGE)
        while len(page) == PAGE:
            with self._transaction("list") as db:
                sql = "SELECT key FROM objects WHERE key >= ? AND key > ? ORDER BY key LIMIT ?"
                rows = db.execute(sql, (first, after, PAGE)).fetchall()
                page = Page.of([_find(db, key) for (key,) in rows if key.startswith(first)])
            yield page
            after = page.keys[-1] if page.keys else after

    def stat(self, key):
        with self._transaction("stat", key) as db:
            return _find(db, key, needed=True)

    def get(self, key, *, byte_range=None, if_match=None):
        with self._transaction("get", key) as db:
            info = _find(db, key, if_match, needed=True)
            data = db.execute("SELECT data FROM objects WHERE key = ?", (key,)).fetchone()[0]
        data = data[byte_range.start : byte_range.end] if byte_range else data
        return contextlib.nullcontext(ObjectReader(info, [data], len(data)))

    def put(self, key, body, *, attributes=NO_ATTRIBUTES, condition=ALWAYS):
        self.check_key(key)
        row = (key, attributes.mtime_ns, body.read())
        with self._transaction("put", key, writes=True) as db:
            if condition == IF_ABSENT and _find(db, key):
                raise errors.ObjectExistsError("there is an object of that name")
            _find(db, key, getattr(condition, "version", None))
            db.execute(REPLACE, row)
            return _find(db, key)

    def delete(self, key, *, if_match=None):
        with self._transaction("delete", key, writes=True) as db:
            _find(db, key, if_match if _find(db, key) else None)
            db.execute("DELETE FROM objects WHERE key = ?", (key,))

    @contextlib.contextmanager
    def _transaction(self, operation, key=None, *, writes=False):
        context = {"operation": operation, "location": self.location, "key": key}
        if not (exists := self._path.exists()) and not self._create:
            raise errors.ContainerNotFoundError("there is no such file", **context)
        place = self._path if exists or writes else ":memory:"
        try:
            with contextlib.closing(sqlite3.connect(place, timeout=60, isolation_level=None)) as db:
                db.execute(TABLE if self._create else "SELECT 1")
                db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
                yield db
                db.execute("COMMIT")
        except errors.BackendError as error:
            raise type(error)(error.reason, **context) from None
        except (sqlite3.Error, UnicodeError) as error:
            raise errors.UnexpectedBackendError(str(error), **context) from error


def _find(db, key, version=None, *, needed=False):
    sql = "SELECT key, length(data), etag, modified_ns, mtime_ns FROM objects WHERE key = ?"
    row = db.execute(sql, (key,)).fetchone()
    if needed and row is None:
        raise errors.ObjectNotFoundError("there is no such object")
    if version is not None and (row is None or row[2] != version.etag):
        raise errors.PreconditionFailedError("it is another version now")
    return row and ObjectInfo(*row[:4], Version(row[2]), attributes=Attributes(mtime_ns=row[4]))
