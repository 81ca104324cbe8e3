"""The first line of a manifest: what describes a release as a whole."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, Self

from cloudsync_core.models import Digest
from cloudsync_core.releases.fields import WrongFieldError, check_format, count, digest, field, optional, parse
from cloudsync_core.releases.names import FORMAT, is_id, parse_timestamp, timestamp

Tree = Literal["shared", "whole"]
"""Whether unchanged content is referenced in earlier releases, or is in every release's own tree."""


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """The first line of a manifest.

    Attributes:
        release: the id.
        created: when the manifest was written, as the publisher's clock said: seconds since the epoch, UTC.
        publisher: who has made the release.
        source: the location that it was made of, without credentials.
        files: how many.
        size: bytes of all files.
        base: the release that was live when this one was made, or `None`.
        tree: whether unchanged content is referenced.
        digest: of the lines that follow.
    """

    release: str
    created: float
    publisher: str
    source: str
    files: int
    size: int
    base: str | None
    tree: Tree
    digest: Digest

    def encode(self) -> bytes:
        """Return the line, ended by a newline."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "release": self.release,
            "created": timestamp(self.created),
            "publisher": self.publisher,
            "source": self.source,
            "files": self.files,
            "bytes": self.size,
            "base": self.base,
            "tree": self.tree,
            "digest": str(self.digest),
        }
        return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes, what: str) -> Self:
        """Return the header that `encode` wrote.

        Args:
            line: without or with its newline.
            what: names the manifest in messages.

        Raises:
            UnsupportedFormatError: a newer cloudsync has written it.
            WrongFieldError: it is no header.
        """
        values = parse(line)
        check_format(values, what)
        base, tree = optional(values, "base", str), field(values, "tree", str)
        if tree not in {"shared", "whole"}:
            raise WrongFieldError("'tree' is neither shared nor whole")
        if base is not None and not is_id(base):
            raise WrongFieldError("'base' is not the id of a release")
        try:
            created = parse_timestamp(field(values, "created", str))
        except ValueError as error:
            raise WrongFieldError("'created' is no time") from error
        return cls(
            release=field(values, "release", str),
            created=created,
            publisher=field(values, "publisher", str),
            source=field(values, "source", str),
            files=count(values, "files"),
            size=count(values, "bytes"),
            base=base,
            tree="whole" if tree == "whole" else "shared",
            digest=digest(values, "digest"),
        )
