"""Releases that tests publish by hand, object by object, without what creates them."""

import dataclasses
import hashlib
import time

from cloudsync_core.body import Body
from cloudsync_core.models import Attributes, Digest
from cloudsync_core.releases import manifest, moving, pointer, publishing
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.names import new_id, place

MTIME = 1_700_000_000 * 10**9


class Publisher:
    """Publishes trees of text at a location, the latest of which is live.

    Args:
        backend: the location.
    """

    def __init__(self, backend):
        self.backend = backend
        self.last = None
        self.entries = {}

    def publish(self, name="current", *, mtime_ns=MTIME, **files):
        """Return the release of files by their paths, in which `__` stands for `/`; what is unchanged is referenced."""
        return self.publish_tree({path.replace("__", "/"): text for path, text in files.items()}, name, mtime_ns)

    def publish_tree(self, files, name="current", mtime_ns=MTIME):
        release = new_id(time.time(), after=self.last)
        entries = [self.entry(release, path, files[path], mtime_ns) for path in sorted(files)]
        self.last, self.entries = release, {entry.path: entry for entry in entries}
        self.write(release, entries)
        self.point(release, name)
        return release

    def entry(self, release, path, text, mtime_ns=MTIME):
        data = text if isinstance(text, bytes) else text.encode()
        digest = Digest("sha256", hashlib.sha256(data).hexdigest())
        attributes = Attributes(mtime_ns=mtime_ns)
        known = self.entries.get(path)
        if known is not None and known.digest == digest:
            return dataclasses.replace(known, attributes=attributes)
        self.backend.put(place(release, path), Body(data), attributes=attributes)
        return Entry(path, len(data), digest, place(release, path), attributes)

    def write(self, release, entries):
        self.written = publishing.write(self.backend, entries, release=release, publisher="me", source="here")

    def point(self, release, name="current"):
        """Let a pointer name the release whose manifest was written last."""
        assert self.written.header.release == release
        seen = pointer.read(self.backend, name)
        now = pointer.point(name, release, self.written.key, self.written.digest, before=seen, now=time.time(), by="me")
        moving.move(self.backend, now, seen)

    def back(self, release, name="current"):
        """Let a pointer name an earlier release again."""
        seen = pointer.read(self.backend, name)
        with manifest.read(self.backend, release) as found:
            now = pointer.point(name, release, found.key, found.digest, before=seen, now=time.time(), by="me")
        moving.move(self.backend, now, seen)


def contents(directory):
    """Return the files of a directory, by their paths."""
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}
