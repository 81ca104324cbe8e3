"""Copies inside the account."""

import pytest
from cloudsync_azure.copies import Copier
from cloudsync_azure.operations import md5_of

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, IfMatch, Version
from plugins.azure.tests.answers import refusal
from plugins.azure.tests.test_puts import blob, patterned, unfinished

CARRIED = Attributes(
    content_type="text/x-demo", cache_control="no-cache", mtime_ns=1_500_000_000, metadata={"owner": "me", "a-b": "ä"}
)


@pytest.fixture
def bringing(bringing_proxy, open_azure):
    """A prefix of a container on a server that can make blocks of another object's bytes."""
    backend = open_azure(bringing_proxy.server, bringing_proxy.server.make_container(), "root")
    backend.proxy = bringing_proxy
    return backend


@pytest.fixture
def in_blocks(monkeypatch):
    """Let everything be copied in blocks of 70 KiB."""
    monkeypatch.setattr(Copier, "largest_copy", -1)
    monkeypatch.setattr(Copier, "copied_block", 70 * 1024)


def content(backend, key):
    with backend.get(key) as reader:
        return reader.read()


def copied(backend):
    """Return how the copies were asked for."""
    asked = [request for request in backend.proxy.requests if "x-ms-copy-source" in request.headers]
    return ["block" if request.query.get("comp") == "block" else "whole" for request in asked]


class TestWhole:
    def test_one_request_carries_everything_over(self, bringing):
        info = bringing.put("object", Body(b"content"), attributes=CARRIED)
        written = bringing.copy(bringing, info, "copy of it?")
        told = bringing.stat("copy of it?")
        assert copied(bringing) == ["whole"]
        assert (told.attributes, told.digests, told.version) == (CARRIED, info.digests, written.version)
        assert written.digests == info.digests
        assert content(bringing, "copy of it?") == b"content"

    def test_other_metadata_takes_no_more(self, bringing):
        info = bringing.put("object", Body(b"content"), attributes=CARRIED)
        wanted = Attributes("text/x-demo", "no-cache", mtime_ns=7, metadata={"new": "1"})
        bringing.copy(bringing, info, "copy", attributes=wanted)
        assert copied(bringing) == ["whole"]
        assert bringing.stat("copy").attributes == wanted

    @pytest.mark.parametrize(
        "wanted",
        [Attributes("text/x-other", "no-cache", mtime_ns=7), Attributes("text/x-demo", "no-cache"), Attributes()],
        ids=["another type", "no metadata", "nothing"],
    )
    def test_what_one_request_cannot_say_is_copied_in_blocks(self, bringing, wanted):
        info = bringing.put("object", Body(b"content"), attributes=CARRIED)
        bringing.copy(bringing, info, "copy", attributes=wanted)
        assert copied(bringing) == ["block"]
        told = bringing.stat("copy")
        assert (told.attributes, told.digests) == (wanted, info.digests)

    def test_server_that_cannot_do_that_says_so(self, backend):
        info = backend.put("object", Body(b"content"), attributes=CARRIED)
        with pytest.raises(UnsupportedOperationError, match="does not implement"):
            backend.copy(backend, info, "copy", attributes=Attributes("text/x-other"))
        assert [key for page in backend.list() for key in page.keys] == ["object"]

    def test_digest_goes_along_so_that_the_service_compares(self, bringing):
        info = bringing.put("object", Body(b"content"))
        bringing.copy(bringing, info, "copy")
        [request] = [request for request in bringing.proxy.requests if "x-ms-copy-source" in request.headers]
        assert request.headers["x-ms-source-content-md5"] == md5_of(b"content")
        assert request.headers["x-ms-source-if-match"] == f'"{info.version.etag}"'

    def test_from_another_container(self, azurite, open_azure, backend):
        info = backend.put("ä b", Body(b"content"))
        other = open_azure(azurite, azurite.make_container())
        assert other.can_copy_from(backend)
        other.copy(backend, info, "copy")
        assert content(other, "copy") == b"content"

    def test_not_with_other_credentials(self, azurite, open_azure, backend):
        info = backend.put("object", Body(b"content"))
        other = open_azure(azurite, backend.place.address.container, account_key=None, sas_token=azurite.sas_token())
        assert not other.can_copy_from(backend)
        with pytest.raises(UnsupportedOperationError, match="other credentials"):
            other.copy(backend, info, "copy")


class TestInBlocks:
    @pytest.mark.parametrize("size", [0, 1, 70 * 1024, 70 * 1024 + 1, 300_000])
    def test_D10_every_byte_and_everything_carried(self, bringing, in_blocks, size):
        info = bringing.put("object", Body(patterned(size)), attributes=CARRIED)
        written = bringing.copy(bringing, info, "copy")
        told = bringing.stat("copy")
        assert content(bringing, "copy") == patterned(size)
        assert (told.attributes, told.digests, told.size) == (CARRIED, info.digests, written.size)
        assert copied(bringing) == ["block"] * -(-size // (70 * 1024))

    def test_by_a_shared_access_signature(self, azurite, bringing_proxy, open_azure, in_blocks):
        by_token = open_azure(
            bringing_proxy.server, azurite.make_container(), account_key=None, sas_token=azurite.sas_token()
        )
        info = by_token.put("object", Body(patterned(100_000)))
        by_token.copy(by_token, info, "copy")
        assert content(by_token, "copy") == patterned(100_000)

    def test_G1_another_version_is_not_copied(self, bringing, in_blocks):
        info = bringing.put("object", Body(patterned(100_000)))
        bringing.put("object", Body(b"newer"))
        with pytest.raises(PreconditionFailedError, match="changed after it was listed"):
            bringing.copy(bringing, info, "copy")
        assert [key for page in bringing.list() for key in page.keys] == ["object"]

    def test_G1_D17_nor_one_that_changes_in_the_middle(self, bringing, in_blocks):
        info = bringing.put("object", Body(patterned(300_000)))
        rule = bringing.proxy.rule

        def change(request, forward):
            if request.headers.get("x-ms-source-range", "").startswith("bytes=71680"):
                blob(bringing, "object").upload_blob(b"y" * 300_000, overwrite=True)
            return rule(request, forward)

        bringing.proxy.rule = change
        with pytest.raises(PreconditionFailedError):
            bringing.copy(bringing, info, "copy")
        assert [key for page in bringing.list() for key in page.keys] == ["object"]

    def test_P4_conditions_are_on_the_list(self, bringing, in_blocks):
        info = bringing.put("object", Body(patterned(100_000)))
        there = bringing.put("copy", Body(b"there")).version
        with pytest.raises(ObjectExistsError):
            bringing.copy(bringing, info, "copy", condition=IF_ABSENT)
        with pytest.raises(PreconditionFailedError):
            bringing.copy(bringing, info, "copy", condition=IfMatch(Version("0x1")))
        assert content(bringing, "copy") == b"there"
        bringing.copy(bringing, info, "copy", condition=IfMatch(there))
        assert content(bringing, "copy") == patterned(100_000)

    def test_block_that_fails_leaves_nothing_to_see(self, bringing, in_blocks):
        info = bringing.put("object", Body(patterned(300_000)))
        rule = bringing.proxy.rule
        bringing.proxy.rule = lambda request, forward: (
            refusal(500, "InternalError")
            if request.headers.get("x-ms-source-range", "").startswith("bytes=143360")
            else rule(request, forward)
        )
        with pytest.raises(UnavailableError):
            bringing.copy(bringing, info, "copy")
        assert [key for page in bringing.list() for key in page.keys] == ["object"]
        bringing.proxy.rule = rule
        bringing.copy(bringing, info, "copy")
        assert unfinished(bringing, "copy") == 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (404, "CannotVerifyCopySource", ObjectNotFoundError),
            (403, "CannotVerifyCopySource", AccessDeniedError),
            (401, "CannotVerifyCopySource", AccessDeniedError),
            (412, "SourceConditionNotMet", PreconditionFailedError),
            (409, "BlobArchived", UnavailableError),
        ],
    )
    @pytest.mark.parametrize("condition", [IF_ABSENT, IfMatch(Version("0x1"))], ids=["if-absent", "if-match"])
    def test_trouble_with_the_source_is_not_taken_for_the_condition(self, bringing, status, code, kind, condition):
        info = bringing.put("object", Body(b"x"))
        bringing.proxy.answer(lambda request: "x-ms-copy-source" in request.headers, refusal(status, code))
        with pytest.raises(kind) as caught:
            bringing.copy(bringing, info, "copy", condition=condition)
        assert type(caught.value) is kind
