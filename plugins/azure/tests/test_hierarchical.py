"""Accounts with a hierarchical namespace: their directories are no objects, and their order is another one.

No emulator has them. What such an account lists, as its users have seen and Microsoft confirmed
(https://github.com/Azure/azure-sdk-for-go/issues/24210), is made here of what Azurite lists.
"""

import re

import pytest

from cloudsync_core import mirror
from cloudsync_core.body import Body
from cloudsync_core.errors import KeyBlockedError, ObjectNotFoundError
from plugins.azure.tests.answers import refusal
from tests.servers.proxy import Response

KEYS = ("Path A/dat1", "Path A-B/dat2", "Path A-B-C", "Path A.C/dat3", "Path AB.txt", "Path AB/AB", "Path AB/dat4", "z")

_BLOB = re.compile(rb"<Blob>.*?</Blob>", re.DOTALL)
_NAME = re.compile(r"<Name>([^<]*)</Name>")


def as_listed_folder_by_folder(document):
    """Return a page as such an account lists it: with its directories, and each folder whole."""
    blobs = {_NAME.search(blob)[1]: blob for blob in map(bytes.decode, _BLOB.findall(document))}
    about = next(iter(blobs.values()), "")
    for name in list(blobs):
        segments = name.split("/")[:-1]
        for depth in range(1, len(segments) + 1):
            folder = "/".join(segments[:depth])
            made = _NAME.sub(f"<Name>{folder}</Name>", about).replace(
                "<Properties>", "<Properties><ResourceType>directory</ResourceType>"
            )
            blobs.setdefault(folder, re.sub(r"<Content-Length>\d+<", "<Content-Length>0<", made))
    ordered = "".join(blobs[name] for name in sorted(blobs, key=lambda name: name.split("/")))
    first, last = document.find(b"<Blob>"), document.rfind(b"</Blob>") + len(b"</Blob>")
    return document[:first] + ordered.encode() + document[last:] if blobs else document


@pytest.fixture
def hierarchical(proxied):
    """A prefix whose listings are those of such an account."""

    def rule(request, forward):
        answer = forward()
        if request.query.get("comp") != "list":
            return answer
        return Response(answer.status, as_listed_folder_by_folder(answer.body), answer.headers)

    proxied.proxy.rule = rule
    return proxied


@pytest.fixture
def options(hierarchical):
    """Return how a mirror reaches it."""
    return hierarchical.server.options


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_directories_are_not_listed_and_the_order_is_that_of_the_service(hierarchical):
    for key in KEYS:
        hierarchical.put(key, Body(key.encode()))
    listed = [key for page in hierarchical.list() for key in page.keys]
    assert sorted(listed) == sorted(KEYS)
    assert listed != sorted(KEYS)


@pytest.mark.parametrize("ordered", [True, False], ids=["noticed", "told"])
def test_a_mirror_comes_to_the_same(hierarchical, options, tmp_path, ordered):
    for key in KEYS:
        hierarchical.put(key, Body(key.encode()))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "stale").write_text("x")
    source = {"url": hierarchical.location, "options": {**options, "ordered_listing": ordered}}
    report = mirror(source, str(tmp_path / "site"), delete=True, max_delete="100%", state=str(tmp_path / "state.db"))
    assert (report.exit_code, report.counts.added, report.counts.deleted) == (0, len(KEYS), 1)
    assert contents(tmp_path / "site") == {key: key for key in KEYS}
    again = mirror(source, str(tmp_path / "site"), delete=True, state=str(tmp_path / "state.db"))
    assert (again.counts.unchanged, again.counts.added, again.counts.deleted) == (len(KEYS), 0, 0)


def test_directory_is_not_read_as_an_object(hierarchical):
    told = {"content-length": "0", "etag": '"1"', "x-ms-resource-type": "directory", "x-ms-meta-hdi_isfolder": "true"}
    hierarchical.proxy.rule = lambda request, forward: Response(200, b"", told)
    with pytest.raises(ObjectNotFoundError, match="it is a directory"):
        hierarchical.stat("folder")


@pytest.mark.parametrize("code", ["PathConflict", "ResourceTypeMismatch", "PathAlreadyExists"])
def test_object_in_the_way_of_another_is_said(hierarchical, code):
    hierarchical.proxy.rule = lambda request, forward: refusal(409, code)
    with pytest.raises(KeyBlockedError, match="is in the way"):
        hierarchical.put("folder", Body(b"x"))
