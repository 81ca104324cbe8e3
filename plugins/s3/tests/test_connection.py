"""Which way requests go: the light one wherever it says the same, and s3fs only for the rest."""

import contextlib
import datetime as dt
import subprocess
import sys
import threading

import pytest
from botocore.exceptions import ClientError
from cloudsync_s3 import exact
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
from cloudsync_s3.errors import FAILURES, translate

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ConfigError,
    IntegrityError,
    UnauthenticatedError,
    UnavailableError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import Attributes
from tests.servers.proxy import Response

CARRIED = Attributes("text/x-demo", "no-cache", mtime_ns=5_000_000_000, metadata={"owner": "Zoë"})


def key_ids(requests):
    """Return the access keys with which requests were signed."""
    return [request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in requests]


def test_a_run_without_content_needs_no_s3fs(moto_s3):
    bucket = moto_s3.make_bucket()
    for key in ("a", "b", "c"):
        moto_s3.client.put_object(Bucket=bucket, Key=key, Body=b"content")
    code = f"""
import sys
from cloudsync_core.location import Location
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
from cloudsync_s3.errors import FAILURES, translate
with S3Backend(Location("s3", {bucket!r}), S3Options(**{moto_s3.options!r})) as backend:
    keys = [key for page in backend.list() for key in page.keys]
    info = backend.stat("a")
    backend.copy(backend, info, "copy")
    backend.delete("a")
    print(keys, [result.error for result in backend.delete_many([("b", None), ("c", None)])])
    print([key for page in backend.list() for key in page.keys])
print([name for name in ("s3fs", "aiobotocore", "aiohttp", "boto3") if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert finished.stdout.splitlines() == ["['a', 'b', 'c'] [None, None]", "['copy']", "[]"], finished.stderr


def test_s3fs_is_connected_once(moto_s3, open_s3, monkeypatch):
    backend = open_s3(moto_s3, moto_s3.make_bucket())
    made = []

    class Counted(exact.ExactClient):
        def __init__(self, options):
            made.append(threading.get_ident())
            super().__init__(options)

    monkeypatch.setattr(exact, "ExactClient", Counted)
    threads = [threading.Thread(target=backend.place.connection._exact) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


class TestSameWords:
    """What the two ways answer is the same, as far as the light one tells it."""

    @pytest.fixture
    def bucket(self, s3_server):
        return s3_server.make_bucket()

    @pytest.fixture
    def asked(self, s3_server, open_s3, bucket):
        """Return a function that makes the same request both ways and returns both outcomes."""
        backend = open_s3(s3_server, bucket)
        backend.put("ü b+c", Body(b"content"), attributes=CARRIED)

        def fully(operation, **parameters):
            return backend.place.connection._exact().start(operation, parameters).result(timeout=60)

        def ask(operation, **parameters):
            outcomes = []
            for request in (backend.place.connection.call, fully):
                try:
                    outcomes.append(request(operation, **{"Bucket": bucket, **parameters}))
                except ClientError as failure:
                    outcomes.append(failure.response)
            return outcomes

        return ask

    @staticmethod
    def compared(light, full):
        """Assert that all that the light way says is what botocore says."""
        assert light.pop("ResponseMetadata")["HTTPStatusCode"] == full["ResponseMetadata"]["HTTPStatusCode"]
        for name, value in light.items():
            if name == "CopyObjectResult":
                assert value["ETag"] == full[name]["ETag"]
            elif name != "ContentType" or name in full:
                assert {**full.get("CopyObjectResult", {}), "Metadata": {}, **full}[name] == value, name

    def test_of_an_object(self, asked):
        light, full = asked("head_object", Key="ü b+c")
        self.compared(light, full)
        assert light["ContentLength"] == 7
        assert light["LastModified"].tzinfo is not None
        assert light["LastModified"] > dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    @pytest.mark.parametrize("replaced", [{}, {"MetadataDirective": "REPLACE", "Metadata": {"a": "b"}}])
    def test_of_a_copy(self, asked, bucket, replaced):
        source = {"Bucket": bucket, "Key": "ü b+c"}
        light, full = asked("copy_object", Key="copy/ü b+c", CopySource=source, **replaced)
        self.compared(light, full)
        assert light["CopyObjectResult"]["ETag"] == '"9a0364b9e99bb480dd25e1f0284c8555"'

    def test_of_a_copy_of_nothing(self, asked, bucket):
        light, full = asked("copy_object", Key="copy", CopySource={"Bucket": bucket, "Key": "nowhere"})
        assert light["Error"]["Code"] == full["Error"]["Code"] == "NoSuchKey"

    def test_of_a_delete(self, asked):
        self.compared(*asked("delete_object", Key="nowhere"))

    @pytest.mark.parametrize("operation", ["delete_object", "head_object"])
    def test_of_a_missing_bucket(self, asked, operation):
        light, full = asked(operation, Bucket="no-such-bucket", Key="key")
        assert light["Error"]["Code"] == full["Error"]["Code"]
        assert light["ResponseMetadata"]["HTTPStatusCode"] == full["ResponseMetadata"]["HTTPStatusCode"] == 404

    def test_of_many_deletes(self, asked):
        wanted = {"Objects": [{"Key": "a&<b>"}, {"Key": "ü b+c"}], "Quiet": False}
        light, full = asked("delete_objects", Delete=wanted)
        assert [entry["Key"] for entry in light["Deleted"]] == [entry["Key"] for entry in full["Deleted"]]
        assert light["Errors"] == full.get("Errors", []) == []


class TestWhatTheWireHasNoWordsFor:
    @pytest.fixture
    def way(self, moto_proxy, open_s3):
        """Return a function that makes a light request and tells by which client it came."""

        def asked(bucket=None, **options):
            backend = open_s3(moto_proxy.server, bucket or moto_proxy.server.make_bucket(), **options)
            del moto_proxy.requests[:]
            for _ in range(2):
                with contextlib.suppress(BackendError):
                    backend.delete("key")
            return ["exact" if "amz-sdk-request" in request.headers else "wire" for request in moto_proxy.requests]

        return asked

    def test_ordinary_buckets_are_asked_over_the_wire(self, way):
        assert way() == ["wire", "wire"]

    def test_unusual_names_go_to_botocore(self, way):
        assert way("Upper_Case.bucket") == ["exact", "exact"]

    @pytest.mark.parametrize("kind", ["https://127.0.0.1:9", "socks5://127.0.0.1:9"])
    def test_unusual_proxies_are_left_to_it(self, way, monkeypatch, kind):
        monkeypatch.setenv("HTTP_PROXY", kind)
        # It reaches for the proxy, and not for the server.
        assert way("bucket") == []

    @pytest.mark.parametrize(
        ("status", "code"),
        [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")],
    )
    def test_bucket_in_another_region_is_found_there(self, moto_proxy, open_s3, status, code):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        backend.put("a", Body(b"content"))
        body = f"<Error><Code>{code}</Code><Region>eu-north-1</Region></Error>".encode()

        def elsewhere(request, forward):
            if "/eu-north-1/s3/" in request.headers["authorization"]:
                return forward()
            return Response(status, body, {"x-amz-bucket-region": "eu-north-1"})

        moto_proxy.rule = elsewhere
        assert [key for page in backend.list() for key in page.keys] == ["a"]
        backend.delete("a")
        del moto_proxy.requests[:]
        assert [key for page in backend.list() for key in page.keys] == []
        assert len(moto_proxy.requests) == 1, "the bucket's region is not learnt"


def test_stat_learns_the_reason_of_a_refusal_without_reading_the_object(moto_proxy, open_s3):
    """A server that ignores ranges would send all of it."""
    backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
    large = Response(200, bytes(50_000_000), {"content-type": "x/y"}, cut=1000)

    def refuses_heads(request, forward):
        if request.method == "HEAD":
            return Response(403)
        return large if request.method == "GET" else forward()

    moto_proxy.rule = refuses_heads
    with pytest.raises(AccessDeniedError):
        backend.stat("key")


class TestCredentials:
    @pytest.fixture
    def process(self, monkeypatch, tmp_path):
        """Return a function that makes a program the source of credentials, which last so many seconds."""
        script = tmp_path / "credentials.py"
        counted = tmp_path / "count"

        def lasting(seconds):
            script.write_text(f"""
import datetime, json, pathlib
count = pathlib.Path({str(counted)!r})
number = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(number))
until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds={seconds})
print(json.dumps({{"Version": 1, "AccessKeyId": f"KEY{{number}}", "SecretAccessKey": "secret",
                  "SessionToken": "token", "Expiration": until.isoformat()}}))
""")
            (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
            monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

        return lasting

    @pytest.mark.parametrize(("seconds", "fresh"), [(7200, False), (60, True)])
    def test_they_are_refreshed_before_they_expire(self, moto_proxy, process, seconds, fresh):
        process(seconds)
        bucket = moto_proxy.server.make_bucket()
        del moto_proxy.requests[:]
        options = S3Options(endpoint_url=moto_proxy.server.endpoint_url)
        with S3Backend(Location("s3", bucket), options) as backend:
            for _ in range(3):
                backend.delete("key")
        assert (len(set(key_ids(moto_proxy.requests))) > 1) is fresh
        assert {request.headers["x-amz-security-token"] for request in moto_proxy.requests} == {"token"}

    def test_program_that_fails_is_said(self, moto_s3, monkeypatch, tmp_path):
        (tmp_path / "config").write_text("[default]\ncredential_process = false\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        with pytest.raises((ConfigError, UnauthenticatedError)):
            list(S3Backend(Location("s3", "bucket"), S3Options(endpoint_url=moto_s3.endpoint_url)).list())


class TestCertificates:
    """What is behind TLS is reached with the authority that the options name, and with no other."""

    @pytest.fixture
    def bucket(self, moto_s3):
        bucket = moto_s3.make_bucket()
        moto_s3.client.put_object(Bucket=bucket, Key="key", Body=b"content")
        return bucket

    WAYS = pytest.mark.parametrize(
        "ask",
        [
            lambda backend: list(backend.list()),
            lambda backend: backend.stat("key"),
            lambda backend: backend.delete("key"),
            lambda backend: backend.place.call("key", "get_object"),
            lambda backend: backend.put("key", Body(b"content")),
        ],
        ids=["list", "stat", "delete", "exact", "put"],
    )

    @WAYS
    def test_bundle_is_trusted(self, secure_moto, open_s3, bucket, ask):
        ask(open_s3(secure_moto, bucket, ca_bundle=secure_moto.authority))

    @WAYS
    def test_bundle_of_the_environment_is_trusted(self, secure_moto, open_s3, bucket, ask, monkeypatch):
        monkeypatch.setenv("AWS_CA_BUNDLE", str(secure_moto.authority))
        ask(open_s3(secure_moto, bucket))

    @WAYS
    def test_unknown_authority_is_refused(self, secure_moto, open_s3, bucket, ask):
        with pytest.raises((UnavailableError, *FAILURES)):
            ask(open_s3(secure_moto, bucket))

    def test_certificate_of_another_name_is_refused(self, secure_moto, open_s3, bucket):
        url = secure_moto.endpoint_url.replace("127.0.0.1", "localhost")
        backend = open_s3(secure_moto, bucket, ca_bundle=secure_moto.authority, endpoint_url=url)
        with pytest.raises(UnavailableError, match="no secure connection"):
            list(backend.list())

    @WAYS
    def test_check_can_be_left_out(self, secure_moto, open_s3, bucket, ask):
        ask(open_s3(secure_moto, bucket, verify_tls=False))


class TestProxies:
    def test_plain_requests_go_through_the_proxy(self, moto_s3, moto_proxy, open_s3, monkeypatch):
        moto_proxy.rule = lambda request, forward: Response(204)
        host, _, port = moto_proxy.server.endpoint_url.removeprefix("http://").partition(":")
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@{host}:{port}")
        backend = open_s3(moto_s3, "bucket", endpoint_url="http://s3.example:9000")
        backend.delete("a b/ü")
        [request] = moto_proxy.requests
        assert request.target == "http://s3.example:9000/bucket/a%20b/%C3%BC"
        assert request.headers["host"] == "s3.example:9000"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert "proxy-authorization" not in request.headers["authorization"]

    def test_some_hosts_are_reached_without_it(self, moto_s3, open_s3, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert list(open_s3(moto_s3, moto_s3.make_bucket()).list()) == []

    def test_proxy_that_is_down_is_said(self, moto_s3, open_s3, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with pytest.raises(UnavailableError, match=r"the proxy cannot be reached(?s:.*)HTTP_PROXY"):
            list(open_s3(moto_s3, "bucket").list())

    def test_secure_requests_go_through_a_tunnel(self, secure_moto, open_s3, moto_s3, monkeypatch, tunnels):
        bucket = moto_s3.make_bucket()
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{tunnels.port}")
        backend = open_s3(secure_moto, bucket, ca_bundle=secure_moto.authority)
        assert list(backend.list()) == []
        assert tunnels.heads[0].startswith(f"CONNECT {secure_moto.endpoint_url.removeprefix('https://')} HTTP/1.")
        assert "Proxy-Authorization: Basic bWU6c2VjcmV0" in tunnels.heads[0].replace(
            "proxy-authorization", "Proxy-Authorization"
        )


def test_what_aiohttp_lets_through_is_judged_like_the_rest():
    import aiohttp
    from aiohttp.client_reqrep import ConnectionKey

    key = ConnectionKey("host", 443, True, True, None, None, None)
    for failure, kind in (
        (aiohttp.ClientPayloadError("cut"), IntegrityError),
        (aiohttp.ServerDisconnectedError(), UnavailableError),
        (aiohttp.ClientConnectorSSLError(key, OSError("no")), UnavailableError),
    ):
        with pytest.raises(FAILURES) as caught, exact._botocore_errors():
            raise failure
        assert type(translate(caught.value, operation="get", location="s3://b", key="k")) is kind
