"""list and stat: pages that continue each other, and what is not taken for an object."""

import re

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    ContainerNotFoundError,
    Disposition,
    ObjectNotFoundError,
    UnavailableError,
    UnexpectedBackendError,
)
from plugins.azure.tests.answers import TIME, document, entry, refusal
from tests.servers.proxy import Response


def is_listing(request):
    return request.query.get("comp") == "list"


def names(backend, prefix="", **more):
    return [key for page in backend.list(prefix, **more) for key in page.keys]


def put(backend, *keys):
    for key in keys:
        backend.put(key, Body(b"x"))


@pytest.fixture
def pages(proxied):
    """Return a function that lets the server answer listings by these documents, by their markers."""

    def serve(documents):
        def rule(request, forward):
            return Response(200, documents[request.query.get("marker", "")]) if is_listing(request) else forward()

        proxied.proxy.rule = rule
        return proxied

    return serve


class TestPages:
    def test_L3_small_pages_come_whole(self, proxied):
        """Every border of a page once: the emulator's pages have five thousand objects unless it is told otherwise."""
        wanted = [f"folder/{number:02}" for number in range(23)]
        put(proxied, *wanted)
        for size in (1, 2, 22, 23, 24):
            proxied.proxy.rule = _pages_of(proxied.proxy, size)
            del proxied.proxy.requests[:]
            assert names(proxied) == wanted
            assert len(proxied.proxy.requests) == -(-23 // size)
            assert names(proxied, start_after="folder/10") == wanted[11:]

    def test_L3_twelve_thousand_objects_in_large_pages(self, pages):
        entries = [entry(f"root/{number:05}", number) for number in range(12_345)]
        backend = pages(
            {
                "": document(*entries[:5000], marker="<NextMarker>1</NextMarker>"),
                "1": document(*entries[5000:10_000], marker="<NextMarker>2</NextMarker>"),
                "2": document(marker="<NextMarker>3</NextMarker>"),
                "3": document(*entries[10_000:]),
            }
        )
        found = [(info.key, info.size) for page in backend.list() for info in page]
        assert found == [(f"{number:05}", number) for number in range(12_345)]

    def test_the_next_page_is_on_its_way_while_one_is_used(self, pages):
        backend = pages(
            {"": document(entry("root/a"), marker="<NextMarker>1</NextMarker>"), "1": document(entry("root/b"))}
        )
        listed = backend.list()
        assert list(next(listed).keys) == ["a"]
        backend.place.connection.submit(lambda: None).result()
        while len(backend.proxy.requests) < 2:
            pass
        assert list(next(listed).keys) == ["b"]

    @pytest.mark.parametrize(
        ("documents", "complaint"),
        [
            (
                {"": document(marker="<NextMarker>1</NextMarker>"), "1": document(marker="<NextMarker>1</NextMarker>")},
                "circle",
            ),
            ({"": document(entry("elsewhere/a"))}, "'elsewhere/a', which is not under the prefix"),
            ({"": document(entry("root/a"))[:-5]}, "damaged"),
        ],
        ids=["circle", "stray", "cut"],
    )
    def test_L3_pages_that_do_not_continue_the_listing_raise(self, pages, documents, complaint):
        with pytest.raises(UnexpectedBackendError, match=complaint):
            names(pages(documents))

    @pytest.mark.parametrize("length", [1, 2, 3, 7])
    @pytest.mark.parametrize("ordered", [True, False])
    def test_L3_A13_a_circle_of_any_length_ends(self, azurite_proxy, open_azure, length, ordered):
        """Also one that begins after some pages, and where nobody looks at the order."""
        backend = open_azure(azurite_proxy.server, "box", ordered_listing=ordered)
        following = {"": "0", "0": "1", **{str(at): str(1 + at % length) for at in range(1, length + 1)}}

        def rule(request, forward):
            marker = request.query.get("marker", "")
            body = document(entry(f"{marker or 'first'}"), marker=f"<NextMarker>{following[marker]}</NextMarker>")
            return Response(200, body)

        azurite_proxy.rule = rule
        with pytest.raises(UnexpectedBackendError, match="turns in a circle"):
            names(backend)
        assert len(azurite_proxy.requests) < 4 * (length + 2)

    def test_L3_a_refused_page_in_the_middle_raises(self, pages):
        backend = pages({"": document(entry("root/a"), marker="<NextMarker>1</NextMarker>")})
        answer = backend.proxy.rule
        backend.proxy.rule = lambda request, forward: (
            refusal(503, "ServerBusy", **{"retry-after": "3"})
            if request.query.get("marker")
            else answer(request, forward)
        )
        listed = backend.list()
        next(listed)
        with pytest.raises(Exception, match="fewer requests") as caught:
            next(listed)
        assert (caught.value.disposition, caught.value.retry_after) == (Disposition.RETRY, 3.0)

    def test_time_that_is_none_is_said_of_its_object(self, pages):
        backend = pages({"": document(entry("root/a").replace(TIME, "soon"))})
        [page] = backend.list()
        with pytest.raises(UnexpectedBackendError, match=r"list az://.*/root/a: the server's answer is damaged"):
            page[0]

    def test_marker_of_the_root_itself_is_no_object(self, backend):
        put(backend, "a")
        backend.server.client.get_blob_client(backend.place.address.container, "root/").upload_blob(b"")
        assert names(backend) == ["a"]

    def test_name_that_is_no_unicode_is_a_gap(self, pages):
        [page] = pages({"": document(entry("root/a%FF", name_more=' Encoded="true"'), entry("root/b"))}).list()
        assert list(page.keys) == ["b"]
        assert [(gap.key, gap.reason) for gap in page.gaps] == [("a\\udcff", "the name is not valid Unicode")]


class TestOrder:
    KEYS = ("a", "a/\uff01", "a/\U0001f600", "b\U00010000", "b\ue000", "c", "\uffee", "\U0001f600/x", "\ue000")

    def test_L1_A12_what_the_server_sorts_by_utf16_comes_by_utf8(self, proxied):
        put(proxied, *self.KEYS)
        for size in (1, 3, 100):
            proxied.proxy.rule = _pages_of(proxied.proxy, size)
            assert names(proxied) == sorted(self.KEYS)
            assert names(proxied, start_after="b\ue000") == [key for key in sorted(self.KEYS) if key > "b\ue000"]

    def test_without_a_promise_it_comes_as_the_server_has_it(self, azurite, open_azure):
        backend = open_azure(azurite, azurite.make_container(), ordered_listing=False)
        put(backend, *self.KEYS)
        found = names(backend)
        assert found == sorted(self.KEYS, key=lambda key: key.encode("utf-16-be"))
        assert found != sorted(self.KEYS)


class TestNoObjects:
    """Snapshots, deleted objects, unfinished uploads and directories."""

    def blob(self, backend, name):
        return backend.server.client.get_blob_client(backend.place.address.container, f"root/{name}")

    def test_snapshots_are_not_listed(self, backend):
        put(backend, "a")
        self.blob(backend, "a").create_snapshot()
        assert names(backend) == ["a"]

    def test_blocks_that_nobody_has_listed_are_no_object(self, backend):
        self.blob(backend, "unfinished").stage_block("MDA=", b"x")
        assert names(backend) == []
        with pytest.raises(ObjectNotFoundError):
            backend.stat("unfinished")

    def test_directories_are_neither_listed_nor_read(self, backend):
        self.blob(backend, "folder").upload_blob(b"", metadata={"hdi_isfolder": "true"})
        put(backend, "folder/object")
        assert names(backend) == ["folder/object"]
        for ask in (backend.stat, lambda key: backend.read(key, 10), lambda key: backend.get(key).__enter__()):
            with pytest.raises(ObjectNotFoundError, match="a directory, and no object"):
                ask("folder")

    def test_listing_digests_are_those_of_the_content_unless_they_may_be_anything(self, azurite, open_azure, backend):
        put(backend, "a")
        [[listed]] = backend.list()
        assert [str(digest) for digest in listed.digests] == ["md5:9dd4e461268c8034f5c8564e155c67a6"]
        wary = open_azure(azurite, backend.place.address.container, "root", content_md5=False)
        [[listed]] = wary.list()
        assert listed.digests == wary.stat("a").digests == ()


class TestStat:
    def test_missing_container_is_told_from_a_missing_object(self, azurite, open_azure):
        with pytest.raises(ContainerNotFoundError):
            open_azure(azurite, "no-such-container").stat("a")

    def test_server_that_does_not_tell_the_size_is_said(self, proxied):
        proxied.proxy.rule = lambda request, forward: Response(200, b"", {"content-length": "", "etag": '"1"'})
        with pytest.raises((UnexpectedBackendError, UnavailableError)):
            proxied.stat("a")


def _pages_of(proxy, size):
    """Make the server's pages so large: it takes the number from the request, which must be signed without it."""
    signature = proxy.server.sas_token()

    def rule(request, forward):
        if not is_listing(request):
            return forward()
        target = f"{request.target}&maxresults={size}&{signature}"
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        answer = proxy.forward(type(request)(request.method, target, headers, request.body))
        assert answer.status == 200, re.sub(r"\s+", " ", answer.body.decode())
        return answer

    return rule
