"""The standard AWS environment and files work, and an explicit option wins over each."""

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
from cloudsync_s3.environment import queue_url

from cloudsync_core.body import Body
from cloudsync_core.errors import ConfigError, UnauthenticatedError, UnavailableError
from cloudsync_core.location import Location

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """Return a function that sets variables, the shared files among them by their content."""

    def set_variables(*, config=None, credentials=None, **variables):
        for name, content in (("AWS_CONFIG_FILE", config), ("AWS_SHARED_CREDENTIALS_FILE", credentials)):
            if content is not None:
                path = tmp_path / name
                path.write_text(content)
                monkeypatch.setenv(name, str(path))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


@pytest.fixture
def keys(rclone_s3):
    """The environment's names for the credentials of rclone, which checks signatures."""
    return {"AWS_ACCESS_KEY_ID": rclone_s3.access_key_id, "AWS_SECRET_ACCESS_KEY": rclone_s3.secret_access_key}


def works(server, **options):
    """Tell whether a backend with only these options reaches the server and is let in."""
    bucket = server.make_bucket()
    with S3Backend(Location("s3", bucket), S3Options(**options)) as backend:
        backend.put("key", Body(b"content"))
    return server.contents(bucket) == {"key": b"content"}


class TestEndpoint:
    @pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
    def test_variable_is_honoured(self, rclone_s3, environ, keys, name):
        environ(**keys, **{name: rclone_s3.endpoint_url})
        assert works(rclone_s3)

    def test_variable_of_the_service_wins_over_the_general_one(self, rclone_s3, environ, keys):
        environ(**keys, AWS_ENDPOINT_URL=NOWHERE, AWS_ENDPOINT_URL_S3=rclone_s3.endpoint_url)
        assert works(rclone_s3)

    def test_option_wins(self, rclone_s3, environ, keys):
        environ(**keys, AWS_ENDPOINT_URL=NOWHERE, AWS_ENDPOINT_URL_S3=NOWHERE)
        assert works(rclone_s3, endpoint_url=rclone_s3.endpoint_url)

    def test_profile_may_name_it(self, rclone_s3, environ, keys):
        environ(**keys, config=f"[profile here]\nendpoint_url = {rclone_s3.endpoint_url}\n", AWS_PROFILE="here")
        assert works(rclone_s3)

    def test_without_any_it_is_amazon(self):
        with S3Backend(Location("s3", "bucket"), S3Options(region="eu-west-1")) as backend:
            assert backend.place.connection.endpoint == "s3.eu-west-1.amazonaws.com"
            assert backend.place.connection.is_amazon


class TestCredentials:
    def test_variables_are_honoured(self, rclone_s3, environ, keys):
        environ(**keys)
        assert works(rclone_s3, endpoint_url=rclone_s3.endpoint_url)

    def test_options_win_over_variables(self, rclone_s3, environ):
        environ(AWS_ACCESS_KEY_ID="wrong", AWS_SECRET_ACCESS_KEY="wrong", AWS_PROFILE="wrong")
        environ(config="[profile wrong]\n")
        assert works(rclone_s3, **rclone_s3.options)

    @pytest.mark.parametrize("how", ["variable", "option"])
    def test_profile_is_honoured(self, rclone_s3, environ, how):
        lines = f"aws_access_key_id={rclone_s3.access_key_id}\naws_secret_access_key={rclone_s3.secret_access_key}\n"
        environ(credentials="[default]\naws_access_key_id=x\naws_secret_access_key=x\n[mine]\n" + lines)
        environ(AWS_ENDPOINT_URL=rclone_s3.endpoint_url)
        if how == "variable":
            environ(AWS_PROFILE="mine")
            assert works(rclone_s3)
        else:
            environ(AWS_PROFILE="default")
            assert works(rclone_s3, profile="mine")

    def test_session_token_is_sent(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), session_token="the-token")
        del moto_proxy.requests[:]
        backend.put("key", Body(b"x"))
        assert [request.headers["x-amz-security-token"] for request in moto_proxy.requests] == ["the-token"]

    def test_anonymous_requests_are_not_signed(self, moto_proxy):
        bucket = moto_proxy.server.make_bucket()
        del moto_proxy.requests[:]
        options = S3Options(anonymous=True, endpoint_url=moto_proxy.server.endpoint_url)
        with S3Backend(Location("s3", bucket), options) as backend:
            assert list(backend.list()) == []
        assert [request.headers.get("authorization") for request in moto_proxy.requests] == [None]

    def test_none_at_all_is_said(self, rclone_s3):
        bucket = rclone_s3.make_bucket()
        with (
            S3Backend(Location("s3", bucket), S3Options(endpoint_url=rclone_s3.endpoint_url)) as backend,
            pytest.raises(UnauthenticatedError, match="no credentials were found"),
        ):
            list(backend.list())

    @pytest.mark.parametrize("wrong", ["access_key_id", "secret_access_key"])
    def test_wrong_ones_are_said_and_not_shown(self, rclone_s3, open_s3, wrong):
        bucket = rclone_s3.make_bucket()
        backend = open_s3(rclone_s3, bucket, **{wrong: "an-entirely-wrong-value"})
        for attempt in (lambda: list(backend.list()), lambda: backend.stat("k"), lambda: backend.put("k", Body(b"x"))):
            with pytest.raises(UnauthenticatedError) as caught:
                attempt()
            assert rclone_s3.secret_access_key not in str(caught.value)
            assert "an-entirely-wrong-value" not in str(caught.value)

    def test_unknown_profile_is_a_config_error(self):
        with pytest.raises(ConfigError, match=r"s3://bucket.*nobody"):
            S3Backend(Location("s3", "bucket"), S3Options(profile="nobody"))

    def test_half_a_pair_in_a_profile_is_a_config_error(self, environ):
        environ(credentials="[default]\naws_access_key_id=x\n")
        with pytest.raises(ConfigError, match="aws_secret_access_key"):
            S3Backend(Location("s3", "bucket"), S3Options())


class TestCertificates:
    def test_bundle_that_does_not_exist_is_a_config_error(self, environ):
        environ(AWS_CA_BUNDLE="/no/such/bundle")
        with pytest.raises(ConfigError, match="no file /no/such/bundle of certificate authorities"):
            S3Backend(Location("s3", "bucket"), S3Options())

    def test_bundle_that_holds_no_certificates_is_said_when_it_matters(self, environ, tmp_path, moto_s3):
        (tmp_path / "bundle.pem").write_text("this is no certificate")
        environ(AWS_CA_BUNDLE=str(tmp_path / "bundle.pem"))
        options = S3Options(**{**moto_s3.options, "endpoint_url": "https://127.0.0.1:9"})
        with S3Backend(Location("s3", "bucket"), options) as backend, pytest.raises(UnavailableError):
            list(backend.list())


class TestRegion:
    @pytest.fixture
    def region(self):
        def of(**options):
            with S3Backend(Location("s3", "bucket"), S3Options(endpoint_url=NOWHERE, **options)) as backend:
                return backend.place.connection.region

        return of

    def test_variable_is_honoured(self, environ, region):
        environ(AWS_DEFAULT_REGION="eu-central-1")
        assert region() == "eu-central-1"

    def test_option_wins(self, environ, region):
        environ(AWS_DEFAULT_REGION="eu-central-1")
        assert region(region="eu-north-1") == "eu-north-1"


class TestNetwork:
    def test_refused_connection_is_said_at_once(self, open_s3, moto_s3):
        backend = open_s3(moto_s3, "bucket", endpoint_url=NOWHERE)
        for attempt in (lambda: list(backend.list()), lambda: backend.stat("k"), lambda: backend.put("k", Body(b"x"))):
            with pytest.raises(UnavailableError, match=r"cannot be reached(?s:.*)endpoint_url"):
                attempt()

    def test_unknown_host_is_said_at_once(self, open_s3, moto_s3):
        backend = open_s3(moto_s3, "bucket", endpoint_url="http://no-such-host.invalid")
        with pytest.raises(UnavailableError, match="cannot be reached"):
            list(backend.list())

    def test_silent_server_is_given_up_after_the_timeout(self, open_s3, moto_s3, silent_server):
        backend = open_s3(moto_s3, "bucket", endpoint_url=silent_server, read_timeout=0.2)
        with pytest.raises(UnavailableError, match="did not answer"):
            list(backend.list())

    def test_plain_server_behind_https_is_said(self, open_s3, moto_s3):
        backend = open_s3(moto_s3, "bucket", endpoint_url=moto_s3.endpoint_url.replace("http:", "https:"))
        with pytest.raises(UnavailableError, match="no secure connection"):
            list(backend.list())

    @pytest.fixture
    def silent_server(self):
        """A server that takes connections and says nothing."""
        import socket

        with socket.create_server(("127.0.0.1", 0)) as listening:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class TestTheServerOfTheQueues:
    def test_is_amazons_of_the_region(self):
        assert queue_url(S3Options(), "eu-central-1") == "https://sqs.eu-central-1.amazonaws.com"
        assert queue_url(S3Options(), "cn-north-1") == "https://sqs.cn-north-1.amazonaws.com.cn"

    def test_is_amazons_where_the_bucket_is_on_an_endpoint_of_amazons(self):
        options = S3Options(endpoint_url="https://s3.eu-west-1.amazonaws.com")
        assert queue_url(options, "eu-west-1") == "https://sqs.eu-west-1.amazonaws.com"

    def test_is_that_of_the_bucket_where_it_is_not_amazons(self):
        assert queue_url(S3Options(endpoint_url=NOWHERE), "us-east-1") == NOWHERE

    def test_is_what_the_environment_says(self, environ):
        environ(AWS_ENDPOINT_URL="http://127.0.0.1:8")
        assert queue_url(S3Options(), "us-east-1") == "http://127.0.0.1:8"
        environ(AWS_ENDPOINT_URL_SQS="http://127.0.0.1:7")
        assert queue_url(S3Options(endpoint_url=NOWHERE), "us-east-1") == "http://127.0.0.1:7"

    def test_is_told_where_it_is_none(self, environ):
        environ(AWS_ENDPOINT_URL_SQS="nowhere")
        with pytest.raises(ValueError, match="no URL of a server"):
            queue_url(S3Options(), "us-east-1")
