"""Objects, pages and keys as the tests of the engine want them."""

import itertools

from hypothesis import strategies as st

from cloudsync_core.models import Attributes, Digest, Gap, ObjectInfo, Page, Version


def entry(key, size=1, fingerprint="1", **fields):
    return ObjectInfo(key, size, fingerprint, fields.pop("modified_ns", 0), **fields)


def cut(items, ends):
    """Cut a list into consecutive pieces, some of them empty, at these places."""
    places = [0, *sorted(min(end, len(items)) for end in ends), len(items)]
    return [items[begin:end] for begin, end in itertools.pairwise(places)]


def pages(entries, ends=(), gaps=()):
    """Return a listing in key order whose gaps come no later than the first key after them."""
    waiting = sorted(gaps, key=lambda gap: gap.key)
    found = []
    for piece in cut(sorted(entries, key=lambda info: info.key), ends):
        here = [gap for gap in waiting if piece and gap.key <= piece[-1].key]
        waiting = waiting[len(here) :]
        found.append(Page.of(piece, tuple(here)))
    return [*found, Page.of((), tuple(waiting))]


NAMES = st.text(st.sampled_from("ab-./ é\n\0\U00010000\ufffd"), min_size=1, max_size=6)
"""Keys whose order goes wrong where `/` is taken for the lowest character, or text for UTF-16."""

ANY_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)

_TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

ATTRIBUTES = st.builds(
    Attributes,
    content_type=_TEXT,
    cache_control=_TEXT,
    content_encoding=_TEXT,
    content_disposition=_TEXT,
    content_language=_TEXT,
    mtime_ns=st.none() | st.integers(-(2**63), 2**63),
    metadata=st.dictionaries(st.text("ab-", max_size=4), st.text(max_size=4).filter(str.isprintable), max_size=3),
)

ENTRIES = st.builds(
    ObjectInfo,
    key=ANY_NAMES,
    size=st.integers(0, 2**60),
    fingerprint=st.text("abc-\"\\'", max_size=6),
    modified_ns=st.integers(-(2**63), 2**63),
    version=st.builds(Version, etag=_TEXT, id=_TEXT),
    digests=st.lists(
        st.builds(Digest, st.sampled_from(["md5", "sha256", "md5/8388608"]), st.text("0123abcdef", min_size=1)),
        max_size=2,
    ).map(tuple),
    attributes=st.none() | ATTRIBUTES,
)

GAPS = st.builds(Gap, NAMES, st.just("a reason"), st.booleans(), st.sampled_from(["skipped", "unknown"]))
