"""Signatures are those that botocore makes."""

import dataclasses
import datetime as dt
import hashlib
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from cloudsync_s3.signing import UNSIGNED_PAYLOAD, Signer, authorising
from hypothesis import example, given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.wire import Request, query_string

HOST = "bucket.example.com:9000"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
header_names = st.sampled_from(
    ["content-md5", "content-type", "if-match", "range", "x-amz-meta-a", "x-amz-copy-source"]
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
secrets = st.text("abcXYZ019/+", min_size=1, max_size=40)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request to be signed."""

    method: str
    key: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def path(self):
        return "/" + quote(self.key, safe="/-._~")


requests = st.builds(
    Asked,
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE"]),
    texts,
    st.dictionaries(texts.filter(bool), texts, max_size=4),
    st.dictionaries(header_names, header_values, max_size=4),
    st.binary(max_size=40),
)


def by_botocore(credentials, region, asked):
    query = query_string(asked.parameters)
    url = f"http://{HOST}{asked.path}" + (f"?{query}" if query else "")
    request = AWSRequest(asked.method, url, data=asked.body, headers=asked.headers)
    S3SigV4Auth(Credentials(*credentials), "s3", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    st.tuples(secrets, secrets, st.none() | secrets), st.sampled_from(["us-east-1", "eu-central-1", "auto"]), requests
)
@example(("a", "b", "c"), "us-east-1", Asked("GET", "a b//../%2F+é", {"prefix": "a/b c+~", "delete": ""}, {}, b""))
@example(("a", "b", None), "us-east-1", Asked("PUT", "k", {}, {"x-amz-meta-a": "  two   spaces  "}, b"body"))
def test_they_equal_those_of_botocore(credentials, region, asked):
    wanted = by_botocore(credentials, region, asked)
    stamp = dt.datetime.strptime(wanted["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    signed = Signer(region).sign(
        ReadOnlyCredentials(*credentials),
        asked.method,
        asked.path,
        query=query_string(asked.parameters),
        headers={"host": HOST, **asked.headers},
        payload=hashlib.sha256(asked.body).hexdigest(),
        moment=stamp.timestamp(),
    )
    assert signed == {"host": HOST, **wanted}


def test_a_key_is_derived_anew_for_another_day_and_another_secret():
    signer = Signer("us-east-1")

    def signed(signer, secret, moment):
        credentials = ReadOnlyCredentials("AKID", secret, None)
        headers = {"host": HOST}
        return signer.sign(credentials, "GET", "/", query="", headers=headers, payload=UNSIGNED_PAYLOAD, moment=moment)

    asked = [("one", 0), ("one", 0), ("one", 86400), ("two", 86400), ("one", 0)]
    assert [signed(signer, *what) for what in asked] == [signed(Signer("us-east-1"), *what) for what in asked]


REQUEST = Request("GET", "/key", {"a": "b c"}, {"range": "bytes=0-1"})
HEADERS = {"host": HOST, "range": "bytes=0-1"}


class TestAuthorising:
    def test_signed_request_says_whose_it_is(self):
        authorise = authorising(Signer("us-east-1"), lambda: ReadOnlyCredentials("AKID", "secret", "token"))
        query, headers = authorise(REQUEST, HEADERS)
        assert query == "a=b%20c"
        assert headers.items() >= HEADERS.items()
        assert headers.keys() >= {"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"}
        assert "AKID" in headers["authorization"]
        assert "secret" not in str(headers)
        assert headers["x-amz-content-sha256"] == hashlib.sha256(b"").hexdigest()

    def test_anonymous_request_is_as_it_was_asked(self):
        assert authorising(Signer("us-east-1"), lambda: None)(REQUEST, HEADERS) == ("a=b%20c", HEADERS)


def test_those_of_requests_to_queues_equal_those_of_botocore():
    body = b'{"QueueName": "q"}'
    digest = hashlib.sha256(body).hexdigest()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.GetQueueUrl"}
    request = AWSRequest("POST", f"http://{HOST}/", data=body, headers={**headers, "x-amz-content-sha256": digest})
    SigV4Auth(Credentials("a", "b", "c"), "sqs", "eu-central-1").add_auth(request)
    stamp = dt.datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    signed = Signer("eu-central-1", "sqs").sign(
        ReadOnlyCredentials("a", "b", "c"),
        "POST",
        "/",
        query="",
        headers={"host": HOST, **headers},
        payload=digest,
        moment=stamp.timestamp(),
    )
    assert signed["authorization"] == request.headers["Authorization"]
