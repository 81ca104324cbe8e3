"""L1-L4 and the rule of markers: what a listing promises."""

from __future__ import annotations

import contextlib
import random

import pytest

from cloudsync_core import keys
from cloudsync_core.backend import Backend
from cloudsync_core.errors import (
    BackendError,
    ContainerNotFoundError,
    InvalidKeyError,
    KeyBlockedError,
    ObjectNotFoundError,
    UnsupportedOperationError,
)
from cloudsync_core.testing.clauses.setting import Setting, content, entries, names, not_declared, store, store_many
from cloudsync_core.testing.corpus import CORPUS, Case

_IN_ORDER = (
    "Z",
    "a-b",
    "a.b",
    "a/b",
    "a/b.-/c",
    "a/b.txt",
    "ab",
    "dir-2/f",
    "dir/f",
    "foo/x",
    "foobar/x",
    "z/b-",
    "z/b/c",
    "\u00e9",
    "\u4e2d",
    "\ufffd",
    "\U00010000",
    "\U0001f600/x",
)

_MANY = 1001
"""Objects of a long listing."""


class ListingClauses(Setting):
    """Clauses about listings and names."""

    def test_L1_listing_is_in_the_order_of_utf8_bytes(self, backend: Backend) -> None:
        """Cases A11, A12."""
        shuffled = list(_IN_ORDER)
        random.Random(0).shuffle(shuffled)  # noqa: S311 - a fixed shuffle, nothing secret
        for key in shuffled:
            store(backend, key)
        found = names(backend)
        assert found == sorted(_IN_ORDER, key=str.encode)

    def test_L1_an_empty_container_lists_nothing(self, backend: Backend) -> None:
        assert names(backend) == []
        assert names(backend, "folder") == []

    def test_L1_a_prefix_takes_in_whole_segments_only(self, backend: Backend) -> None:
        """Case A23."""
        for key in ("foo-x", "foo.x", "foo/x", "foo/y/z", "foobar/x"):
            store(backend, key)
        assert names(backend, "foo") == ["foo/x", "foo/y/z"]
        assert names(backend, "foo/") == ["foo/x", "foo/y/z"]
        assert names(backend, "foo/y") == ["foo/y/z"]
        assert names(backend, "fo") == []
        assert names(backend, "foo-x") == []

    def test_L1_start_after_leaves_out_what_is_not_greater(self, backend: Backend) -> None:
        for key in _IN_ORDER:
            store(backend, key)
        ordered = sorted(_IN_ORDER, key=str.encode)
        if not backend.capabilities.ordered_listing:
            with pytest.raises(UnsupportedOperationError):
                names(backend, start_after="a")
            not_declared("ordered_listing", "a listing cannot start after a key (C1)")
        for index, key in enumerate(ordered):
            assert names(backend, start_after=key) == ordered[index + 1 :], f"after {key!r}"
        for between in ("a/b.", "dir", "dir/", "foo/x/y", "foo0", "\U0001f600"):
            greater = [key for key in ordered if key > between]
            assert names(backend, start_after=between) == greater, f"after {between!r}"
        assert names(backend, "foo", start_after="a") == ["foo/x"]
        assert names(backend, "foo", start_after="foo/x") == []
        assert names(backend, "foo", start_after="g") == []

    def test_L1_the_columns_of_a_page_are_its_rows(self, backend: Backend) -> None:
        for number in range(5):
            store(backend, f"folder/{number}", b"x" * number)
        for page in backend.list():
            rows = list(page)
            assert list(page.keys) == [row.key for row in rows]
            assert list(page.sizes) == [row.size for row in rows]
            assert list(page.fingerprints) == [row.fingerprint for row in rows]

    def test_L1_a_listing_says_what_stat_says(self, backend: Backend) -> None:
        store(backend, "object", b"seven b")
        [listed] = entries(backend)
        told = backend.stat("object")
        assert (listed.key, listed.size) == (told.key, told.size) == ("object", 7)
        assert listed.fingerprint in {told.fingerprint, ""}
        assert listed.attributes in (told.attributes, None)
        for digest in listed.digests:
            assert digest in told.digests

    def test_L1_prune_is_a_hint_that_hides_nothing_else(self, backend: Backend) -> None:
        for key in ("a/x", "b/c/x", "b/d/x", "c"):
            store(backend, key)
        found = {key for page in backend.list(prune=lambda folder: folder in {"a", "b/c"}) for key in page.keys}
        assert found >= {"b/d/x", "c"}
        assert found <= {"a/x", "b/c/x", "b/d/x", "c"}

    def test_L2_listing_a_missing_container_raises(self, missing_container: Backend) -> None:
        if self.no_missing_container:
            assert names(missing_container) == []
            pytest.skip(f"no container is missing: {self.no_missing_container}")
        with pytest.raises(ContainerNotFoundError):
            names(missing_container)
        with pytest.raises(ContainerNotFoundError):
            names(missing_container, "folder")

    def test_L2_every_verb_on_a_missing_container_raises(self, missing_container: Backend) -> None:
        if self.no_missing_container:
            store(missing_container, "object", b"the first put makes the container")
            assert names(missing_container) == ["object"]
            pytest.skip(f"no container is missing: {self.no_missing_container}")
        with pytest.raises(ContainerNotFoundError):
            missing_container.stat("object")
        with pytest.raises(ContainerNotFoundError), missing_container.get("object"):
            pass
        with pytest.raises(ContainerNotFoundError):
            store(missing_container, "object")
        with pytest.raises(ContainerNotFoundError):
            missing_container.delete("object")
        with contextlib.suppress(ContainerNotFoundError):
            [result] = missing_container.delete_many([("object", None)])
            assert isinstance(result.error, ContainerNotFoundError)

    def test_L3_a_long_listing_comes_whole(self, backend: Backend) -> None:
        """More than a page of most stores holds, of which one has every name exactly once."""
        wanted = [f"folder-{number % 3}/{number:05}" for number in range(_MANY)]
        store_many(backend, wanted)
        assert names(backend) == sorted(wanted)
        assert names(backend, "folder-1") == sorted(key for key in wanted if key.startswith("folder-1/"))
        if backend.capabilities.ordered_listing:
            after = "folder-1/00999"
            assert names(backend, start_after=after) == sorted(key for key in wanted if key > after)

    def test_L3_a_listing_that_is_left_early_harms_nothing(self, backend: Backend) -> None:
        store_many(backend, [f"{number:03}" for number in range(50)])
        for _ in range(3):
            next(iter(backend.list()))
        assert len(names(backend)) == 50

    @pytest.mark.parametrize("case", CORPUS, ids=str)
    def test_L4_keys_are_exact(self, backend: Backend, case: Case) -> None:
        """Cases C03-C06, C08-C12, C17-C19."""
        held: dict[str, bytes] = {}
        contradicts = case.contradictory and backend.capabilities.hierarchical
        for key in case.keys:
            by_rule = _refused_by_rule(backend, case, key)
            try:
                store(backend, key, case.content(key))
            except BackendError as error:
                if not (contradicts or (by_rule and isinstance(error, InvalidKeyError))):
                    self.refused(case, error)
            else:
                assert not by_rule, f"{key!r} was stored, which no backend of this kind can hold exactly"
                backend.check_key(key)
                held[key] = case.content(key)
        if case.name in self.refuses:
            assert len(held) < len(case.keys), f"it is not refused any more, although {self.refuses[case.name]}"
        assert names(backend) == sorted(held)
        for key, data in held.items():
            assert content(backend, key) == data
            assert backend.stat(key).key == key
        for key in set(case.keys) - set(held):
            with pytest.raises(BackendError):
                content(backend, key)

    def test_L4_keys_that_check_key_refuses_are_refused_by_put(self, backend: Backend) -> None:
        for key in {key for case in CORPUS for key in case.keys}:
            try:
                backend.check_key(key)
            except InvalidKeyError:
                with pytest.raises(InvalidKeyError):
                    store(backend, key)
        assert names(backend) == []

    @pytest.mark.parametrize(("there", "wanted"), [("a/b", "a"), ("a", "a/b"), ("a", "a/b/c"), ("a", "a/")])
    def test_L4_an_object_in_the_way_of_another_blocks_it_in_a_tree(
        self, backend: Backend, there: str, wanted: str
    ) -> None:
        """Case C07."""
        store(backend, there, b"first")
        if not backend.capabilities.hierarchical:
            assert names(backend) == [there]
            not_declared("hierarchical", "nothing is in the way of another name")
        with pytest.raises(KeyBlockedError):
            store(backend, wanted, b"" if wanted.endswith("/") else b"second")
        assert names(backend) == [there]
        assert content(backend, there) == b"first"
        backend.delete(there)
        store(backend, wanted, b"" if wanted.endswith("/") else b"second")
        assert names(backend) == [wanted]

    def test_L4_the_longest_key_is_held_and_no_longer_one(self, backend: Backend) -> None:
        most = backend.capabilities.max_key_bytes
        if most is None:
            not_declared("max_key_bytes", "nothing is known to be too long")
        segments = "/".join(["k" * 199] * (most // 200 + 1))
        longest = segments[:most].removesuffix("/").ljust(most, "k")
        store(backend, longest, b"the longest")
        assert names(backend) == [longest]
        assert content(backend, longest) == b"the longest"
        for longer in (f"{longest}k", f"{longest[:-1]}\u00e9"):
            with pytest.raises(InvalidKeyError):
                store(backend, longer)
        assert names(backend) == [longest]

    def test_L4_letter_case_matters(self, backend: Backend) -> None:
        """Case C08."""
        store(backend, "A.txt", b"upper")
        with pytest.raises(ObjectNotFoundError):
            backend.stat("a.txt")

    def test_L4_a_folder_without_objects_is_a_marker_in_a_tree(self, backend: Backend) -> None:
        store(backend, "x/", b"")
        assert names(backend) == ["x/"]
        assert backend.stat("x/").size == 0
        assert content(backend, "x/") == b""
        store(backend, "x/y/object")
        assert names(backend) == (["x/y/object"] if backend.capabilities.hierarchical else ["x/", "x/y/object"])
        assert backend.stat("x/").size == 0
        backend.delete("x/y/object")
        if not backend.capabilities.hierarchical:
            assert names(backend) == ["x/"]

    def test_L4_a_folder_goes_with_its_last_object_in_a_tree(self, backend: Backend) -> None:
        for key in ("a/b/one", "a/b/two", "a/c"):
            store(backend, key)
        backend.delete("a/b/one")
        assert names(backend) == ["a/b/two", "a/c"]
        backend.delete("a/b/two")
        assert names(backend) == ["a/c"]
        backend.delete("a/c")
        assert names(backend) == []


def _refused_by_rule(backend: Backend, case: Case, key: str) -> bool:
    """Tell whether the contract itself says that this backend cannot hold that object."""
    try:
        Backend.check_key(backend, key)
    except InvalidKeyError:
        return True
    return backend.capabilities.hierarchical and keys.is_marker(key) and case.filled
