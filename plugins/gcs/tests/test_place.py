"""The place of a location: what it is called, who else is there, and which names it cannot hold."""

import pytest
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions

from cloudsync_core.body import Body
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, InvalidKeyError, ObjectNotFoundError
from cloudsync_core.location import Location
from tests.servers.gcs import gcs_error


def place(text, **options):
    with GCSBackend(Location.parse(text), GCSOptions(anonymous=True, **options)) as backend:
        return backend


@pytest.mark.parametrize("text", ["gs://", "gs:///prefix"])
def test_a_location_without_a_bucket_is_refused(text):
    with pytest.raises(ConfigError, match="names no bucket"):
        place(text)


def test_two_ways_to_write_a_place_are_one_place():
    assert place("gs://b/p").identity == place("gcs://b/p/").identity
    private = place("gs://b/p", endpoint_url="https://storage-xyz.p.googleapis.com")
    assert private.identity == place("gs://b/p").identity
    emulator = place("gs://b/p", endpoint_url="http://localhost:4443")
    assert emulator.identity == place("gs://b/p", endpoint_url="http://127.0.0.1:4443").identity
    assert not emulator.identity.overlaps(place("gs://b/p").identity)
    assert place("gs://b/p").identity.overlaps(place("gs://b").identity)
    assert not place("gs://b/p").identity.overlaps(place("gs://b/pp").identity)


def test_C1_conditions_are_declared_of_google_and_of_who_is_said_to_honour_them():
    for options, honoured in (
        ({}, True),
        ({"endpoint_url": "https://storage.europe-west3.rep.googleapis.com"}, True),
        ({"endpoint_url": "http://127.0.0.1:4443"}, False),
        ({"endpoint_url": "https://googleapis.com.example.org"}, False),
        ({"endpoint_url": "http://127.0.0.1:4443", "preconditions": True}, True),
        ({"preconditions": False}, False),
    ):
        caps = place("gs://b", **options).capabilities
        assert [caps.put_if_absent, caps.put_if_match, caps.delete_if_match] == [honoured] * 3, options


class TestNames:
    """L4: what Google forbids is refused before anything is sent, everything else is kept."""

    @pytest.fixture
    def bucket(self, gcs):
        return gcs.make_bucket()

    @pytest.mark.parametrize(
        "key", ["a\nb", "a\rb", ".", "..", ".well-known/acme-challenge/x", "k" * 1025, "é" * 513, "", "a\udcff"]
    )
    def test_what_google_forbids_is_refused_without_a_request(self, gcs_proxy, open_gcs, bucket, key):
        backend = open_gcs(gcs_proxy.server, bucket)
        with pytest.raises(InvalidKeyError, match="put gs://"):
            backend.check_key(key)
        with pytest.raises(InvalidKeyError):
            backend.put(key, Body(b"content"))
        assert gcs_proxy.requests == []

    @pytest.mark.parametrize("key", [".", "..", ".well-known/acme-challenge/x"])
    def test_below_a_prefix_they_are_ordinary_names(self, gcs, open_gcs, bucket, key):
        backend = open_gcs(gcs, bucket, "prefix")
        backend.check_key(key)
        backend.put(key, Body(b"content"))
        assert gcs.contents(bucket) == {f"prefix/{key}": b"content"}

    def test_the_prefix_counts(self, gcs, open_gcs, bucket):
        backend = open_gcs(gcs, bucket, "p" * 100)
        assert backend.capabilities.max_key_bytes == 1024 - 101
        backend.put("k" * 923, Body(b"content"))
        with pytest.raises(InvalidKeyError, match="longer than 923 bytes"):
            backend.put("k" * 924, Body(b"content"))

    @pytest.mark.parametrize(
        "key", ["a#1614175995694567", "a?generation=1", "a/", "//a", "a b+c%2Fd", "a\x01\x7fb\u2028"]
    )
    def test_everything_else_is_a_name(self, gcs, open_gcs, bucket, key):
        backend = open_gcs(gcs, bucket)
        backend.put(key, Body(b"content"))
        assert list(gcs.contents(bucket)) == [key]
        assert [name for page in backend.list() for name in page.keys] == [key]
        assert backend.read(key, 100).read() == b"content"
        assert backend.copy(backend, backend.stat(key), "copy").size == 7
        backend.delete(key)
        assert list(gcs.contents(bucket)) == ["copy"]


class TestMissing:
    """L2: which of the two is missing, a bucket or an object."""

    @pytest.mark.parametrize("words", ["Not Found", ""])
    def test_a_server_of_few_words_is_asked_whether_the_bucket_is_there(self, gcs, gcs_proxy, open_gcs, words):
        gcs_proxy.rule = lambda request, forward: (
            gcs_error(404, "notFound", words) if (answer := forward()).status == 404 else answer
        )
        backend = open_gcs(gcs_proxy.server, gcs.make_bucket())
        missing = open_gcs(gcs_proxy.server, "no-such-bucket")
        backend.delete("key")
        with pytest.raises(ContainerNotFoundError):
            missing.delete("key")
        for verb in (lambda found: found.stat("key"), lambda found: found.get("key").__enter__()):
            with pytest.raises(ObjectNotFoundError):
                verb(backend)
            with pytest.raises(ContainerNotFoundError):
                verb(missing)
        with pytest.raises(ContainerNotFoundError):
            missing.put("key", Body(b"content"))
        [first, second] = missing.delete_many([("a", None), ("b", None)])
        assert isinstance(first.error, ContainerNotFoundError)
        assert isinstance(second.error, ContainerNotFoundError)

    def test_a_server_of_googles_words_is_not_asked_twice(self, gcs, gcs_proxy, open_gcs):
        backend = open_gcs(gcs_proxy.server, gcs.make_bucket())
        with pytest.raises(ObjectNotFoundError):
            backend.stat("key")
        assert gcs_proxy.count() == 1


def test_requester_pays_buckets_want_to_know_who_pays(gcs, open_gcs):
    from cloudsync_core.errors import AccessDeniedError

    bucket = gcs.make_bucket(billing={"requesterPays": True})
    with pytest.raises(AccessDeniedError, match="Set user_project"):
        open_gcs(gcs, bucket).put("key", Body(b"content"))
    backend = open_gcs(gcs, bucket, user_project="payer", resumable_threshold="300KiB", chunk_size="256KiB")
    for size in (10, 900_000):
        info = backend.put("key", Body(b"x" * size))
        assert backend.stat("key").version == info.version
        assert backend.read("key", 10**6).read() == b"x" * size
        backend.copy(backend, info, "copy")
        assert [key for page in backend.list() for key in page.keys] == ["copy", "key"]
        backend.delete("copy")
    results = list(backend.delete_many([("key", None), ("copy", None)]))
    assert [result.error for result in results] == [None, None]


def test_D1_holds_and_retention_are_said_as_they_are(gcs, open_gcs):
    from cloudsync_core.errors import AccessDeniedError

    held = gcs.make_bucket()
    gcs.put(held, "key", b"content", temporaryHold=True)
    backend = open_gcs(gcs, held)
    for verb in (lambda: backend.delete("key"), lambda: backend.put("key", Body(b"other"))):
        with pytest.raises(AccessDeniedError, match="a hold forbids"):
            verb()
    retained = gcs.make_bucket(retentionPolicy={"retentionPeriod": "3600"})
    backend = open_gcs(gcs, retained)
    backend.put("key", Body(b"content"))
    with pytest.raises(AccessDeniedError, match="retention policy forbids"):
        backend.delete("key")
    [first, second] = backend.delete_many([("key", None), ("other", None)])
    assert isinstance(first.error, AccessDeniedError)
    assert second.error is None
    assert gcs.contents(retained) == {"key": b"content"}
