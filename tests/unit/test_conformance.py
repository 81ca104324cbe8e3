"""The conformance suite finds what it is there to find: each backend here breaks one promise, and one test says so."""

import contextlib
import dataclasses
import fnmatch
import inspect
import itertools
import re
import time
import uuid
from dataclasses import replace
from typing import ClassVar

import pytest

from cloudsync_core import backend as contract
from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import (
    InvalidKeyError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import ALWAYS, ByteRange, DeleteResult, IfAbsent, IfMatch, Page
from cloudsync_core.testing import CORPUS, BackendContract
from cloudsync_core.testing.wholeness import GUARD
from cloudsync_core.unfinished import Leftover

CASES = {case.name: case for case in CORPUS}


class Unordered(MemoryBackend):
    def list(self, prefix="", **hints):
        for page in super().list(prefix, **hints):
            yield Page.of(list(page)[::-1])


class OrderedByUtf16(MemoryBackend):
    def list(self, prefix="", **hints):
        for page in super().list(prefix, **hints):
            yield Page.of(sorted(page, key=lambda entry: entry.key.encode("utf-16-be")))


class MatchesPrefixByCharacters(MemoryBackend):
    def list(self, prefix="", **hints):
        for page in super().list("", **hints):
            yield Page.of([entry for entry in page if entry.key.startswith(prefix)])


class StartsAtStartAfter(MemoryBackend):
    def list(self, prefix="", *, start_after=None, prune=None):
        for page in super().list(prefix):
            yield Page.of([entry for entry in page if start_after is None or entry.key >= start_after])


class MissingIsEmpty(MemoryBackend):
    def __init__(self, location, options):
        super().__init__(location, MemoryOptions(create=True))


class CollapsesSlashes(MemoryBackend):
    def put(self, key, body, **how):
        return super().put(key.replace("//", "/"), body, **how)


class DropsMarkers(MemoryBackend):
    def list(self, prefix="", **hints):
        for page in super().list(prefix, **hints):
            yield Page.of([entry for entry in page if not entry.key.endswith("/")])


class DecodesTwice(MemoryBackend):
    def list(self, prefix="", **hints):
        for page in super().list(prefix, **hints):
            yield Page.of([replace(entry, key=entry.key.replace("%2F", "/")) for entry in page])


class RefusesMuch(MemoryBackend):
    def check_key(self, key):
        if not key.isalnum():
            raise InvalidKeyError("no")


class SaysOtherInPut(MemoryBackend):
    def check_key(self, key):
        if "*" in key:
            raise InvalidKeyError("no")

    def put(self, key, body, **how):
        self.check_key = lambda key: None
        return super().put(key, body, **how)


class ReadsShort(MemoryBackend):
    def get(self, key, **how):
        @contextlib.contextmanager
        def short():
            with super(ReadsShort, self).get(key, **how) as reader:
                data = reader.read()[:-1]
                yield ObjectReader(reader.info, (data,), len(data))

        return short()


class ReadsOneByteLess(MemoryBackend):
    def read(self, key, limit):
        reader = super().read(key, limit)
        return reader and ObjectReader(reader.info, reader.read()[:-1], len(reader.read()) - 1)


class ReadsWhateverItsSize(MemoryBackend):
    def read(self, key, limit):
        return super().read(key, limit + 1)


class ReadsWithoutAttributes(MemoryBackend):
    def read(self, key, limit):
        reader = super().read(key, limit)
        return reader and ObjectReader(dataclasses.replace(reader.info, attributes=None), reader.read())


class IgnoresIfMatch(MemoryBackend):
    def get(self, key, *, byte_range=None, if_match=None):
        return super().get(key, byte_range=byte_range)

    def delete(self, key, *, if_match=None):
        super().delete(key)


class ReadsWhatIsThereNow(MemoryBackend):
    def get(self, key, **how):
        @contextlib.contextmanager
        def live():
            with super(ReadsWhatIsThereNow, self).get(key, **how) as opened:
                # Without digests nothing but the backend can notice.
                info = dataclasses.replace(opened.info, digests=())

            def chunks():
                for at in range(0, info.size, 1_000_000):
                    with super(ReadsWhatIsThereNow, self).get(key) as now:
                        yield now.read()[at : at + 1_000_000]

            yield ObjectReader(info, chunks())

        return live()


class WritesInPlace(MemoryBackend):
    def put(self, key, body, **how):
        data = b""
        for chunk in body.chunks():
            data += chunk
            written = super().put(key, Body(data), **how)
        return written


class WritesHalfFirst(MemoryBackend):
    def put(self, key, body, **how):
        data = body.read()
        super().put(key, Body(data[: len(data) // 2]), **how)
        time.sleep(0.005)
        return super().put(key, Body(data), **how)


class RemovesFirst(MemoryBackend):
    def put(self, key, body, **how):
        super().delete(key)
        return super().put(key, body, **how)


class CommitsOnError(MemoryBackend):
    def put(self, key, body, **how):
        received = bytearray()
        try:
            for chunk in body.chunks():
                received += chunk
        finally:
            written = super().put(key, Body(bytes(received)), **how)
        return written


class ForgetsAttributes(MemoryBackend):
    def put(self, key, body, *, attributes=NO_ATTRIBUTES, condition=ALWAYS):
        return super().put(key, body, condition=condition)


class KeepsOldAttributes(MemoryBackend):
    def put(self, key, body, *, attributes=NO_ATTRIBUTES, condition=ALWAYS):
        with contextlib.suppress(ObjectNotFoundError):
            attributes = self.stat(key).attributes
        return super().put(key, body, attributes=attributes, condition=condition)


class FingerprintsBySize(MemoryBackend):
    def put(self, key, body, **how):
        written = super().put(key, body, **how)
        return replace(written, fingerprint=str(written.size))


class ChecksBeforeItWrites(MemoryBackend):
    def put(self, key, body, *, attributes=NO_ATTRIBUTES, condition=ALWAYS):
        if isinstance(condition, IfAbsent):
            with contextlib.suppress(ObjectNotFoundError):
                self.stat(key)
                raise ObjectExistsError("there is one")
            time.sleep(0.1)
        return super().put(key, body, attributes=attributes)


class ChecksTheVersionBeforeItWrites(MemoryBackend):
    def put(self, key, body, *, attributes=NO_ATTRIBUTES, condition=ALWAYS):
        if isinstance(condition, IfMatch):
            if self.stat(key).version != condition.version:
                raise PreconditionFailedError("it is another version")
            time.sleep(0.1)
        return super().put(key, body, attributes=attributes)


class ChecksTheVersionBeforeItDeletes(MemoryBackend):
    def delete(self, key, *, if_match=None):
        if if_match is not None and self.stat(key).version != if_match:
            raise PreconditionFailedError("it is another version")
        time.sleep(0.002)
        super().delete(key)


class CopiesWhateverIsThere(MemoryBackend):
    def copy(self, source, info, key, **how):
        return super().copy(source, source.stat(info.key), key, **how)


class CopiesAPartOfAnotherVersion(MemoryBackend):
    def copy(self, source, info, key, **how):
        if source.stat(info.key).version != info.version:
            self.put(key, Body(b"new"))
            raise PreconditionFailedError("it is another version")
        return super().copy(source, info, key, **how)


class ListsOnePage(MemoryBackend):
    def list(self, prefix="", **hints):
        yield from itertools.islice(super().list(prefix, **hints), 1)


class ListsTheFirstOfAPageAgain(MemoryBackend):
    def list(self, prefix="", **hints):
        for number, page in enumerate(super().list(prefix, **hints)):
            yield Page.of([*page, page[0]] if number else list(page))


class DeletesAHundred(MemoryBackend):
    def delete_many(self, items):
        yield from super().delete_many(items[:100])
        yield from (DeleteResult(key) for key, _ in items[100:])


class LosesAByteOfEachPart(MemoryBackend):
    boundaries = (5000, 10_000)

    def put(self, key, body, **how):
        data = body.read()
        return super().put(key, Body(data[:9999] + data[10_000:]), **how)


class ReadsRangesWithinOnePart(MemoryBackend):
    boundaries = (5000,)

    def get(self, key, *, byte_range=None, if_match=None):
        if byte_range is not None and byte_range.start < 5000:
            byte_range = ByteRange(byte_range.start, min(byte_range.end or 5000, 5000))
        return super().get(key, byte_range=byte_range, if_match=if_match)


class CutsLongKeys(MemoryBackend):
    capabilities = replace(MemoryBackend(Location.parse("memory://any")).capabilities, max_key_bytes=900)

    def check_key(self, key):
        pass

    def put(self, key, body, **how):
        return super().put(key[:900], body, **how)


class DeletesByPattern(MemoryBackend):
    def delete(self, key, **how):
        for page in list(self.list()):
            for entry in page:
                if fnmatch.fnmatch(entry.key, key):
                    super().delete(entry.key)


class DeletesBelow(MemoryBackend):
    def delete(self, key, **how):
        for page in list(self.list(key)):
            for entry in page:
                super().delete(entry.key)
        super().delete(key, **how)


class MissesMissing(MemoryBackend):
    def delete(self, key, **how):
        self.stat(key)
        super().delete(key, **how)


class ReportsFailuresOnly(MemoryBackend):
    def delete_many(self, items):
        return (result for result in super().delete_many(items) if result.error)


class ReportsSuccessAlways(MemoryBackend):
    def delete_many(self, items):
        return [DeleteResult(result.key) for result in super().delete_many(items)]


class LetsKeyErrorsOut(MemoryBackend):
    def stat(self, key):
        if key == "":
            raise KeyError(key)
        return super().stat(key)


class Understates(MemoryBackend):
    capabilities = Capabilities(ordered_listing=True)


class SharesOnePlace(MemoryBackend):
    def __init__(self, location, options):
        super().__init__(Location.parse("memory://one-place-for-all"), options)
        for page in list(self.list()):
            for entry in page:
                self.delete(entry.key)


class Severed(MemoryBackend):
    """Within `cut` its store cannot be reached, and every verb says so; the classes below say something else."""

    severed = False
    capabilities = replace(MemoryBackend(Location.parse("memory://any")).capabilities, max_key_bytes=1024)

    @contextlib.contextmanager
    def cut(self):
        self.severed = True
        try:
            yield
        finally:
            self.severed = False

    def reached(self):
        if self.severed:
            raise UnavailableError("the store cannot be reached")

    def list(self, prefix="", **hints):
        self.reached()
        for page in super().list(prefix, **hints):
            yield page
            self.reached()

    def stat(self, key):
        self.reached()
        return super().stat(key)

    def get(self, key, **how):
        self.reached()
        return super().get(key, **how)

    def put(self, key, body, **how):
        data = body.read()
        self.reached()
        return super().put(key, Body(data), **how)

    def delete(self, key, **how):
        self.reached()
        super().delete(key, **how)


class EndsAListingEarly(Severed):
    def list(self, prefix="", **hints):
        with contextlib.suppress(UnavailableError):
            yield from super().list(prefix, **hints)


class ReadsWhatItGot(Severed):
    @contextlib.contextmanager
    def get(self, key, **how):
        with super().get(key, **how) as reader:
            data = reader.read()
        first = data[: 2**20]

        def chunks():
            yield first
            if not self.severed:
                yield data[2**20 :]

        reader = ObjectReader(dataclasses.replace(reader.info, digests=()), chunks())
        reader.chunks = chunks
        yield reader


class KeepsWhatItGot(Severed):
    def put(self, key, body, **how):
        received = bytearray()
        for chunk in body.chunks():
            received += chunk
            if self.severed:
                MemoryBackend.put(self, key, Body(bytes(received)), **how)
                self.reached()
        return super().put(key, Body(bytes(received)), **how)


class DeletesNobodyKnowsWhat(Severed):
    def delete(self, key, **how):
        if not self.severed:
            super().delete(key, **how)


class BelievesTokens(MemoryBackend):
    """Takes what it had for what it gets, and never forgets."""

    def put(self, key, body, **how):
        if body.resumption is None:
            return super().put(key, body, **how)
        had = body.resumption.token
        if had is not None:
            return super().put(key, Body(had.encode()), **how)
        body.resumption.save("what it had")
        return super().put(key, body, **how)


class DiscardsObjects(MemoryBackend):
    def put(self, key, body, **how):
        if body.resumption is not None:
            body.resumption.save("token")
        return super().put(key, body, **how)

    def discard(self, key, token):
        self.stat(key)
        self.delete(key)


class FindsWhatIsNotThere(DiscardsObjects):
    def leftovers(self, recorded=()):
        return (Leftover("unfinished upload", *one) for one in recorded)


BREACHES = [
    (ListsOnePage, "test_L3_a_long_listing_comes_whole", {}),
    (ListsTheFirstOfAPageAgain, "test_L3_a_long_listing_comes_whole", {}),
    (CutsLongKeys, "test_L4_the_longest_key_is_held_and_no_longer_one", {}),
    (LosesAByteOfEachPart, "test_G2_every_byte_comes_back_around_every_boundary", {}),
    (LosesAByteOfEachPart, "test_G2_chunks_of_unknown_number_are_stored_whole_around_every_boundary", {}),
    (ReadsRangesWithinOnePart, "test_G1_a_range_across_every_boundary_is_exactly_those_bytes", {}),
    (ChecksTheVersionBeforeItWrites, "test_P4_of_many_writers_if_match_lets_one_in", {}),
    (ChecksTheVersionBeforeItDeletes, "test_D2_a_delete_of_a_version_never_takes_the_one_that_replaces_it", {}),
    (CopiesWhateverIsThere, "test_G1_a_copy_of_another_version_raises", {}),
    (CopiesAPartOfAnotherVersion, "test_G1_a_copy_of_another_version_raises", {}),
    (DeletesAHundred, "test_D3_a_bulk_delete_of_many_objects_removes_them", {}),
    (EndsAListingEarly, "test_L3_a_listing_that_is_cut_off_raises", {}),
    (ReadsWhatItGot, "test_G2_a_get_that_is_cut_off_raises", {}),
    (KeepsWhatItGot, "test_P2_a_put_that_is_cut_off_leaves_what_was_there", {"existing": []}),
    (KeepsWhatItGot, "test_P2_a_put_that_is_cut_off_leaves_what_was_there", {"existing": ["object"]}),
    (DeletesNobodyKnowsWhat, "test_E1_what_cannot_reach_the_store_raises", {"verb": "delete"}),
    (Unordered, "test_L1_listing_is_in_the_order_of_utf8_bytes", {}),
    (OrderedByUtf16, "test_L1_listing_is_in_the_order_of_utf8_bytes", {}),
    (MatchesPrefixByCharacters, "test_L1_a_prefix_takes_in_whole_segments_only", {}),
    (StartsAtStartAfter, "test_L1_start_after_leaves_out_what_is_not_greater", {}),
    (MissingIsEmpty, "test_L2_listing_a_missing_container_raises", {}),
    (MissingIsEmpty, "test_L2_every_verb_on_a_missing_container_raises", {}),
    (CollapsesSlashes, "test_L4_keys_are_exact", {"case": CASES["two-slashes"]}),
    (CollapsesSlashes, "test_L4_keys_are_exact", {"case": CASES["two-slashes-twin"]}),
    (DropsMarkers, "test_L4_keys_are_exact", {"case": CASES["marker"]}),
    (DecodesTwice, "test_L4_keys_are_exact", {"case": CASES["percent-slash"]}),
    (RefusesMuch, "test_L4_keys_are_exact", {"case": CASES["hash"]}),
    (SaysOtherInPut, "test_L4_keys_that_check_key_refuses_are_refused_by_put", {}),
    (ReadsShort, "test_G2_every_byte_comes_back", {"size": 4095}),
    (ReadsOneByteLess, "test_G2_read_returns_every_byte_of_a_small_object", {"size": 4095}),
    (ReadsWhateverItsSize, "test_G2_read_returns_nothing_of_a_larger_one", {"size": 1}),
    (ReadsWithoutAttributes, "test_G1_read_describes_what_get_describes", {}),
    (IgnoresIfMatch, "test_G1_if_match_reads_that_version_only", {}),
    (IgnoresIfMatch, "test_D2_a_refused_delete_deletes_nothing", {}),
    (ReadsWhatIsThereNow, "test_G1_an_object_overwritten_in_mid_read_is_one_version_or_an_error", {"size": 4 * 2**20}),
    (WritesHalfFirst, "test_P1_a_reader_sees_the_old_or_the_new_object", {}),
    (
        WritesInPlace,
        "test_P2_a_body_that_raises_leaves_nothing",
        {"existing": [], "before": 6 * 2**20, "promised": None},
    ),
    (
        RemovesFirst,
        "test_P2_a_body_that_raises_leaves_nothing",
        {"existing": ["folder/object"], "before": 0, "promised": None},
    ),
    (CommitsOnError, "test_P2_a_body_that_raises_leaves_nothing", {"existing": [], "before": 10, "promised": None}),
    (CommitsOnError, "test_P2_a_body_of_the_wrong_digest_is_not_stored", {"size": 10}),
    (CommitsOnError, "test_P2_a_body_of_the_wrong_length_is_not_stored", {"size": 2**19, "promised": 1}),
    (BelievesTokens, "test_P5_a_put_after_one_that_broke_off_stores_its_own_content", {"changed": False}),
    (BelievesTokens, "test_P5_a_put_after_one_that_broke_off_stores_its_own_content", {"changed": True}),
    (BelievesTokens, "test_P5_a_token_that_means_nothing_is_not_believed", {"token": "a word"}),
    (DiscardsObjects, "test_D4_discarding_touches_no_object", {}),
    (FindsWhatIsNotThere, "test_D4_what_is_gone_already_is_no_error", {}),
    (ForgetsAttributes, "test_P3_attributes_are_kept", {}),
    (ForgetsAttributes, "test_P3_the_time_of_the_origin_is_kept", {}),
    (KeepsOldAttributes, "test_P3_an_overwrite_replaces_the_attributes", {}),
    (FingerprintsBySize, "test_P3_another_content_of_the_same_size_has_another_fingerprint", {}),
    (FingerprintsBySize, "test_P3_put_returns_what_stat_and_listing_say", {}),
    (ChecksBeforeItWrites, "test_P4_of_many_writers_if_absent_lets_one_in", {}),
    (DeletesByPattern, "test_D1_deleting_takes_exactly_that_key", {}),
    (DeletesBelow, "test_D1_deleting_a_folders_name_or_marker_spares_what_is_below", {}),
    (MissesMissing, "test_D1_deleting_a_missing_key_succeeds", {}),
    (ReportsFailuresOnly, "test_D3_a_bulk_delete_reports_every_key", {}),
    (ReportsSuccessAlways, "test_D3_a_bulk_delete_reports_what_was_refused", {}),
    (
        LetsKeyErrorsOut,
        "test_E1_what_is_no_key_is_no_object",
        {"operation": lambda backend, key: backend.stat(key), "key": ""},
    ),
    (Understates, "test_P4_if_absent_that_meets_an_object_raises", {}),
    (Understates, "test_G1_a_range_is_exactly_those_bytes", {"start": 0, "end": 1}),
    (Understates, "test_P3_attributes_are_kept", {}),
    (Understates, "test_P3_the_time_of_the_origin_is_kept", {}),
    (SharesOnePlace, "test_T1_two_roots_are_apart", {}),
]


class Suite(BackendContract):
    __test__ = False

    def cut_off(self, backend):
        return backend.cut()


def run(backend_class, test, arguments):
    """Run one test of the suite on fresh roots of that class of backend."""
    name = uuid.uuid4().hex

    def make_backend(root="first"):
        return backend_class(Location.parse(f"memory://{name}-{root}"), MemoryOptions(create=root != "missing"))

    fixtures = {
        "backend": make_backend,
        "missing_container": lambda: make_backend("missing"),
        "make_backend": lambda: make_backend,
    }
    method = getattr(Suite(), test)
    wanted = inspect.signature(method).parameters
    method(**{name: make() for name, make in fixtures.items() if name in wanted}, **arguments)


@pytest.mark.parametrize(
    ("breach", "test", "arguments"),
    [pytest.param(*breach, id=f"{breach[0].__name__}-{breach[1]}-{number}") for number, breach in enumerate(BREACHES)],
)
class TestBreaches:
    def test_a_broken_promise_is_found(self, breach, test, arguments):
        with pytest.raises((Exception, pytest.fail.Exception)):
            run(breach, test, arguments)

    def test_a_kept_one_is_not_complained_of(self, breach, test, arguments):
        run(Severed, test, arguments)


class TestCompleteness:
    def test_every_clause_has_a_test(self):
        clauses = re.findall(r"^([A-Z]\d)  ", contract.__doc__, re.MULTILINE)
        assert len(clauses) == 19
        tests = {name for name in dir(BackendContract) if name.startswith("test_")} - {GUARD}
        assert {name.split("_")[1] for name in tests} == set(clauses)

    def test_the_cases_of_the_corpus_have_names_of_their_own(self):
        assert len(CASES) == len(CORPUS)

    def test_a_declared_refusal_that_does_not_happen_is_found(self):
        class Dialect(BackendContract):
            refuses: ClassVar = {"hash": "this server is said to cut names at #"}

        with pytest.raises(AssertionError, match="it is not refused any more"):
            Dialect().test_L4_keys_are_exact(
                MemoryBackend(Location.parse(f"memory://{uuid.uuid4().hex}")), CASES["hash"]
            )

    def test_without_the_fixture_the_suite_says_what_is_missing(self):
        with pytest.raises(NotImplementedError, match="make_backend"):
            BackendContract.make_backend.__wrapped__(BackendContract())
