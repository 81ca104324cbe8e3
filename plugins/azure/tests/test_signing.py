"""Signatures are those that Microsoft's SDK makes."""

import dataclasses
import datetime as dt
import types
from urllib.parse import quote

import pytest
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from cloudsync_azure import signing
from cloudsync_azure.signing import API_VERSION, Anonymous, Bearer, SharedAccess, SharedKey
from hypothesis import example, given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.wire import Request, query_string

KEY = "c2VjcmV0IGtleSBvZiBhbiBhY2NvdW50"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = st.text("abcxyz019_", min_size=1, max_size=12)
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
headers = st.dictionaries(
    st.sampled_from(
        [
            "content-md5", "content-type", "if-match", "if-none-match", "x-ms-range", "x-ms-blob-type",
            "x-ms-blob-content-type", "x-ms-blob-content-md5", "x-ms-blob-cache-control", "x-ms-copy-source",
            "x-ms-source-if-match", "x-ms-source-range", "x-ms-requires-sync", "x-ms-version",
        ]
    )
    | words.map("x-ms-meta-{}".format),
    values,
    max_size=6,
)  # fmt: skip
queries = st.dictionaries(st.sampled_from(["comp", "restype", "prefix", "marker", "include", "blockid"]), texts)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request to be signed."""

    method: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    size: int

    @property
    def request(self):
        return Request(self.method, "/box/" + quote(self.key, safe="/-._~"), self.query, self.headers, b"", self.size)


asked = st.builds(
    Asked, st.sampled_from(["GET", "HEAD", "PUT", "DELETE"]), texts, queries, headers, st.sampled_from([0, 1, 4096])
)


def by_microsoft(asked, sent):
    query = query_string(asked.query)
    url = f"http://host{asked.request.path}" + (f"?{query}" if query else "")
    request = HttpRequest(asked.method, url, headers={**sent, "content-length": str(asked.size)})
    context = types.SimpleNamespace(transport=None)
    SharedKeyCredentialPolicy("account", KEY).on_request(types.SimpleNamespace(http_request=request, context=context))
    return request.headers["Authorization"]


@given(asked)
@example(
    Asked("PUT", "ä b//+~%", {"comp": "block", "blockid": "a/b+c=="}, {"x-ms-meta-a_b": "1", "x-ms-meta-a1": "2"}, 5)
)
@example(Asked("GET", "", {"prefix": "a b&c", "marker": "2!96!MDA"}, {"x-ms-meta-_61_": "x", "x-ms-meta-_x": "y"}, 0))
def test_they_equal_those_of_microsoft(asked):
    query, sent = SharedKey("account", KEY)(asked.request, {"host": "host", **asked.headers})
    sent = dict(sent)
    authorization = sent.pop("authorization")
    assert query == query_string(asked.query)
    assert sent["x-ms-version"] == API_VERSION
    assert authorization == by_microsoft(asked, sent)


def test_key_that_is_none_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="not base64") as caught:
        SharedKey("account", "hush-hush!")
    assert "hush" not in str(caught.value)


def test_token_to_read_one_object_is_that_of_microsoft(monkeypatch):
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    monkeypatch.setattr(signing.time, "time", moment.timestamp)
    monkeypatch.setattr("azure.storage.blob._shared.shared_access_signature.X_MS_VERSION", API_VERSION)
    monkeypatch.setattr("azure.storage.blob._shared_access_signature.X_MS_VERSION", API_VERSION, raising=False)
    wanted = generate_blob_sas(
        "account",
        "box",
        "a b/ä?",
        account_key=KEY,
        permission=BlobSasPermissions(read=True),
        expiry=moment + dt.timedelta(seconds=60),
    )
    made = SharedKey("account", KEY).read_token("box", "a b/ä?", 60)
    assert sorted(made.split("&")) == sorted(wanted.split("&"))


@pytest.mark.parametrize("token", ["sv=1&sig=a%2Bb%3D", "?sv=1&sig=a%2Bb%3D", " ?sv=1&sig=a%2Bb%3D\n"])
def test_a_shared_access_signature_goes_into_the_query_as_it_is(token):
    authorise = SharedAccess(token)
    assert authorise(Request("GET", "/box/a"), {})[0] == "sv=1&sig=a%2Bb%3D"
    assert authorise(Request("GET", "/box", {"comp": "list"}), {})[0] == "comp=list&sv=1&sig=a%2Bb%3D"


def test_a_token_is_asked_for_each_request():
    tokens = iter(["first", "second"])
    authorise = Bearer(lambda: next(tokens))
    found = [authorise(Request("GET", "/box/a"), {})[1]["authorization"] for _ in range(2)]
    assert found == ["Bearer first", "Bearer second"]


def test_nobody_signs_nothing():
    query, headers = Anonymous()(Request("GET", "/box/a", {"b": "c d"}), {"host": "h"})
    assert query == "b=c%20d"
    assert set(headers) == {"host", "x-ms-date", "x-ms-version"}


def test_a_request_in_a_batch_names_no_version():
    _, headers = SharedKey("account", KEY).signed(Request("DELETE", "/box/a"), signing.dated({}))
    assert set(headers) == {"x-ms-date", "authorization"}
