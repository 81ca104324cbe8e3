"""Locations as users write them, cut into their parts without any decoding."""

from __future__ import annotations

import dataclasses
import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """`scheme://container/prefix`, or a local path.

    Nothing is percent-decoded, and `?` and `#` are ordinary characters: keys may hold them.

    Attributes:
        scheme: lower-case; "file" for a path.
        rest: everything after `://`, or the path as written.
    """

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Location:
        """Cut a location as written in a config or on a command line."""
        match = _SCHEME.fullmatch(text)
        if match is None:
            return cls("file", text)
        return cls(match[1].lower(), match[2])

    @property
    def container(self) -> str:
        """The bucket, container or host: what stands before the first `/`."""
        return self.rest.partition("/")[0]

    @property
    def prefix(self) -> str:
        """What stands after the container, without the slash between them and without one trailing slash."""
        return self.rest.partition("/")[2].removesuffix("/")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.rest}"
