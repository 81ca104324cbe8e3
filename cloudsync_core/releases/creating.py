"""What of a new release an earlier one has already: decided by content and headers alone."""

from __future__ import annotations

import dataclasses

from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.models import Attributes, Digest, ObjectInfo
from cloudsync_core.releases.draft import File
from cloudsync_core.releases.entries import Entry, headers
from cloudsync_core.releases.header import Tree
from cloudsync_core.releases.names import place


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """What a release is made by.

    Attributes:
        rules: what its objects carry.
        keeps_headers: the source stores headers, which its listing may not tell.
        stores_headers: the target stores them.
        tree: see `Header`.
        base: the release that it follows, or `None`.
    """

    rules: AttributeRules
    keeps_headers: bool
    stores_headers: bool
    tree: Tree
    base: str | None

    def earlier(self, file: File) -> Entry | None:
        """Return the file as an object of an earlier release, or `None` where it has to be written.

        An object is taken that has the same content and, where the target stores headers, would carry the same ones.
        Of headers that the source's listing does not tell, it is taken for granted that they are those of the release
        before. In a whole tree the object at the same path is the only one that is worth copying.
        """
        for one in file.alike:
            if self.tree == "whole" and (self.base is None or one.key != place(self.base, file.info.key)):
                continue
            carried = self._carried(file.info, one.attributes)
            if not self.stores_headers or headers(carried) == headers(one.attributes):
                return Entry(file.info.key, file.info.size, one.digest, one.key, carried)
        return None

    def written(self, release: str, info: ObjectInfo, digest: Digest) -> Entry:
        """Return the file that was written to the new release.

        Args:
            release: the new one.
            info: the source's object as it was read.
            digest: of its content.
        """
        attributes = self.rules.attributes(info, keeps_headers=self.keeps_headers)
        return Entry(info.key, info.size, digest, place(release, info.key), attributes)

    def _carried(self, info: ObjectInfo, before: Attributes) -> Attributes:
        if info.attributes is None and self.keeps_headers:
            info = dataclasses.replace(info, attributes=before)
        return self.rules.attributes(info, keeps_headers=self.keeps_headers)
