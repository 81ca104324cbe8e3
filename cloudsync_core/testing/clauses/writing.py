"""P1-P3: what a put promises about the bytes and about readers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import IntegrityError, PreconditionFailedError, UnavailableError
from cloudsync_core.models import Attributes, Digest
from cloudsync_core.testing.clauses.setting import Setting, content, entries, names, store


class BodyBroke(Exception):  # noqa: N818 - it is what a test's body raises, not an error of the product
    """What a body's own iteration raises in these tests."""


def breaking(before: int) -> Iterator[bytes]:
    """Yield `before` bytes in chunks, then raise."""
    for at in range(0, before, CHUNK_SIZE):
        yield b"x" * min(CHUNK_SIZE, before - at)
    raise BodyBroke


class WritingClauses(Setting):
    """Clauses about put."""

    def test_P1_a_reader_sees_the_old_or_the_new_object(self, backend: Backend) -> None:
        """Cases D05, D07."""
        contents = {letter * size for letter, size in ((b"a", 200_000), (b"b", 300_000))}
        ordered = sorted(contents)
        store(backend, "object", ordered[0])
        done = threading.Event()
        seen: list[bytes] = []
        failures: list[Exception] = []

        def read_on() -> None:
            while not done.is_set():
                try:
                    seen.append(content(backend, "object"))
                except (PreconditionFailedError, IntegrityError, UnavailableError):
                    continue  # the change was noticed (G1)
                except Exception as error:  # noqa: BLE001 - a failure of a thread is raised by the test below
                    failures.append(error)
                    return

        reader = threading.Thread(target=read_on)
        reader.start()
        try:
            for turn in range(20):
                store(backend, "object", ordered[turn % 2])
        finally:
            done.set()
            reader.join()
        if failures:
            raise failures[0]
        assert set(seen) <= contents, "a reader saw a part of an object"
        assert content(backend, "object") == ordered[1]

    @pytest.mark.parametrize("promised", [1000, None], ids=["size-known", "size-unknown"])
    @pytest.mark.parametrize("before", [0, 10, CHUNK_SIZE, 6 * CHUNK_SIZE])
    @pytest.mark.parametrize("existing", [["folder/object"], []], ids=["overwrite", "new"])
    def test_P2_a_body_that_raises_leaves_nothing(
        self, backend: Backend, existing: list[str], before: int, promised: int | None
    ) -> None:
        """Cases D06, D08."""
        for key in existing:
            store(backend, key, b"old")
        with pytest.raises(BodyBroke):
            store(backend, "folder/object", breaking(before), size=promised and before + promised)
        assert [key for key in names(backend) if key != "folder/"] == existing
        for key in existing:
            assert content(backend, key) == b"old"
        assert list(self.leftovers(backend)) == []

    @pytest.mark.parametrize("size", [CHUNK_SIZE // 2, 6 * CHUNK_SIZE])
    @pytest.mark.parametrize("promised", [-1, 1], ids=["too-long", "too-short"])
    def test_P2_a_body_of_the_wrong_length_is_not_stored(self, backend: Backend, size: int, promised: int) -> None:
        """Case D16."""
        store(backend, "object", b"old")
        data = (b"x" * (size // 2) for _ in range(2))
        with pytest.raises(IntegrityError):
            store(backend, "object", data, size=size + promised)
        assert content(backend, "object") == b"old"
        assert list(self.leftovers(backend)) == []

    @pytest.mark.parametrize("size", [10, 6 * CHUNK_SIZE])
    def test_P2_a_body_of_the_wrong_digest_is_not_stored(self, backend: Backend, size: int) -> None:
        """Case D18."""
        wrong = Digest("sha256", hashlib.sha256(b"something else").hexdigest())
        with pytest.raises(IntegrityError):
            backend.put("object", Body(b"x" * size, expect=(wrong,)))
        assert names(backend) == []
        assert list(self.leftovers(backend)) == []

    def test_P3_put_returns_what_stat_and_listing_say(self, backend: Backend) -> None:
        written = store(backend, "folder/object", b"some bytes")
        told = backend.stat("folder/object")
        [listed] = entries(backend)
        assert (written.key, written.size) == ("folder/object", 10)
        assert written.fingerprint, "a put knows what it wrote"
        assert told.fingerprint in {written.fingerprint, ""}
        assert listed.fingerprint in {written.fingerprint, ""}
        assert told.version == written.version
        caps = backend.capabilities
        if caps.put_if_match or caps.delete_if_match:
            assert written.version, "a backend with conditions must return what they refer to"

    def test_P3_another_content_of_the_same_size_has_another_fingerprint(self, backend: Backend) -> None:
        seen = {store(backend, "object", b"content %d" % turn).fingerprint for turn in range(5)}
        assert len(seen) == 5

    def test_P3_digests_are_those_of_the_content(self, backend: Backend) -> None:
        data = b"digest me"
        body = Body(data)
        body.require("md5")
        known = {"md5": hashlib.md5(data, usedforsecurity=False), "sha256": hashlib.sha256(data)}
        for info in (backend.put("object", body), backend.stat("object"), *entries(backend)):
            for digest in info.digests:
                if digest.algorithm in known:
                    assert digest.value == known[digest.algorithm].hexdigest()

    def test_P3_the_time_of_the_origin_is_kept(self, backend: Backend) -> None:
        wanted = 1_234_567_890_123_456_789
        written = store(backend, "object", attributes=Attributes(mtime_ns=wanted))
        with backend.get("object") as reader:
            read = reader.info
        for info in (written, backend.stat("object"), read):
            assert info.attributes is not None
            if backend.capabilities.stores_mtime:
                assert info.attributes.mtime_ns == wanted
            else:
                assert info.attributes.mtime_ns != wanted, "the capability stores_mtime understates"

    def test_P3_attributes_are_kept(self, backend: Backend) -> None:
        given = Attributes(
            content_type="text/x-demo; charset=utf-8",
            cache_control="max-age=60, public",
            content_disposition='attachment; filename="x.txt"',
            content_language="de",
            metadata={"owner": "Jane Doe", "number": "1", "dash-ed": "a=b&c"},
        )
        store(backend, "object", attributes=given)
        with backend.get("object") as reader:
            read = reader.info
        for info in (backend.stat("object"), read):
            told = info.attributes
            assert told is not None
            if not backend.capabilities.user_metadata:
                assert dict(told.metadata) == {}, "the capability user_metadata understates"
                continue
            assert dict(told.metadata) == dict(given.metadata)
            assert told.content_type == given.content_type
            assert told.cache_control == given.cache_control
            assert told.content_disposition == given.content_disposition
            assert told.content_language == given.content_language

    def test_P3_an_overwrite_replaces_the_attributes(self, backend: Backend) -> None:
        store(backend, "object", attributes=Attributes(content_type="text/x-old", metadata={"old": "1"}))
        store(backend, "object", attributes=Attributes(content_type="text/x-new"))
        told = backend.stat("object").attributes
        assert told is not None
        assert dict(told.metadata) == {}
        assert told.content_type != "text/x-old"
