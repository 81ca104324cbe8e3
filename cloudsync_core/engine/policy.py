"""What a job allows and prescribes, as values that the stages read."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Self

_LIMIT = re.compile(r"(\d+)(?:\.(\d+))?\s*(%?)")


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteLimit:
    """The most objects that one run may delete from the target.

    Attributes:
        count: objects, or `None` for no such limit.
        percent: of the objects that the target's listing shows (excluded ones left out), or `None`.
    """

    count: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """Return the limit that a user wrote: `100`, `"100"` or `"25%"`.

        Raises:
            ValueError: it is neither a whole number nor a percentage from 0% to 100%.
        """
        match = _LIMIT.fullmatch(str(text).strip())
        if match is None or (match[2] and not match[3]):
            raise ValueError(f"{text!r} is neither a number of objects (100) nor a percentage (25%)")
        if not match[3]:
            return cls(count=int(match[1]))
        percent = float(f"{match[1]}.{match[2] or 0}")
        if percent > 100:  # noqa: PLR2004 - a percentage
            raise ValueError(f"{text!r} is more than 100%")
        return cls(percent=percent)

    def allows(self, deletes: int, objects: int) -> bool:
        """Tell whether `deletes` of a target's `objects` may be removed: exactly the limit may, one more may not."""
        if self.count is not None and deletes > self.count:
            return False
        # As a decimal number, the way it was written: 2.3 in binary is a little less.
        return self.percent is None or deletes * 100 <= objects * Fraction(str(self.percent))

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g}%"
        return "no limit" if self.count is None else str(self.count)


@dataclasses.dataclass(frozen=True, slots=True)
class HeaderRule:
    """Attributes for the objects whose keys match; of several rules that set one attribute, the last wins.

    Attributes:
        match: gitignore patterns.
        content_type: replaces the guessed or carried value; so do the following.
        cache_control: likewise.
        content_encoding: likewise.
        content_disposition: likewise.
        content_language: likewise.
        metadata: added to the user metadata, name by name.
    """

    match: tuple[str, ...]
    content_type: str | None = None
    cache_control: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
