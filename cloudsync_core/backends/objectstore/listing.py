"""What one answer to a request for a listing says, and how far it is trusted (clauses L3 and L4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cloudsync_core import keys as grammar
from cloudsync_core.errors import Disposition, UnexpectedBackendError, printable
from cloudsync_core.models import Gap, ObjectInfo, Page


class ListingError(ValueError):
    """A page cannot be trusted; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of a listing as the server tells it, as parallel columns.

    Attributes:
        keys: whole keys, decoded. Where the server's name of an object is no Unicode text, it holds lone surrogates.
        sizes: bytes.
        etags: opaque change tokens, without quotes: the fingerprints of the page.
        modified: when the objects were written, in the form that the server uses.
        token: where the listing goes on; `None` at its end.
        others: further columns, which only the plugin reads.
    """

    keys: list[str]
    sizes: list[int]
    etags: list[str]
    modified: list[str]
    token: str | None
    others: tuple[list[str], ...] = ()

    def rows(self, start: int, end: int) -> ListedPage:
        """Return the page with the rows from `start` up to but not including `end` alone."""
        return ListedPage(
            self.keys[start:end],
            self.sizes[start:end],
            self.etags[start:end],
            self.modified[start:end],
            self.token,
            tuple(column[start:end] for column in self.others),
        )


def trusted(parse: Callable[[bytes], ListedPage], document: bytes, prefix: str, previous: str | None) -> ListedPage:
    """Return a page, once it is known to continue the listing that was asked for (A13).

    Args:
        parse: reads an answer; raises `ListingError` where it is damaged, contradicts itself, or says that there is
            more and not where.
        document: the answer's content.
        prefix: what all keys must start with.
        previous: the token by which the page was asked for; `None` for a first page.

    Raises:
        UnexpectedBackendError: it does not.
    """
    try:
        page = parse(document)
    except ListingError as error:
        raise UnexpectedBackendError(str(error), disposition=Disposition.RETRY) from error
    if page.token is not None and page.token == previous:
        raise UnexpectedBackendError("the server's listing turns in a circle: the same page comes next again")
    stray = next((key for key in page.keys if not key.startswith(prefix)), None)
    if stray is not None:
        raise UnexpectedBackendError(f"the server lists {printable(stray)!r}, which is not under the prefix")
    return page


def relative(listed: ListedPage, root: str, row: Callable[[ListedPage, str, int], ObjectInfo]) -> Page:
    """Return a page with names relative to a root, without the marker of the root itself.

    Names that are no Unicode text become gaps.

    Args:
        listed: a page of whole keys.
        root: what they all start with: "", or a prefix with a slash at its end.
        row: returns the entry of one row, for the page, its relative name, and its index.
    """
    cut = len(root)
    names = [key[cut:] for key in listed.keys]
    page = Page(names, listed.sizes, listed.etags, lambda index: row(listed, names[index], index))
    unusable = [index for index, name in enumerate(names) if not name or not _is_unicode(name)]
    if not unusable:
        return page
    gaps = tuple(Gap(printable(names[index]), "the name is not valid Unicode") for index in unusable if names[index])
    usable = sorted(set(range(len(names))).difference(unusable))
    return page.select(usable, gaps)


def _is_unicode(name: str) -> bool:
    return name.isascii() or grammar.problem(name) is None
