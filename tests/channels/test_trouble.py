"""What is wrong with a store is told of a channel as of a mirror, and what passes is waited for."""

import pytest

from cloudsync_core import Channel
from cloudsync_core.errors import AccessDeniedError, ContainerNotFoundError, UnauthenticatedError
from tests.servers.proxy import error


def channel(server, url, **options):
    return Channel(url, publisher="here", **{**server.options, **options})


def received(channel, tmp_path):
    with channel.subscribe(name="me", state=tmp_path / "state.db", once=True) as updates:
        return [update.content for update in updates]


class TestWhatDoesNotPass:
    @pytest.fixture(params=["publish", "subscribe"])
    def use(self, request, tmp_path):
        """What fails: to publish, or to receive."""
        if request.param == "publish":
            return lambda channel: channel.publish("topic", "content")
        return lambda channel: received(channel, tmp_path)

    def test_a_container_that_does_not_exist(self, moto_s3, use):
        with (
            channel(moto_s3, "s3://no-such-bucket-at-all/channel") as place,
            pytest.raises(ContainerNotFoundError, match="no-such-bucket-at-all"),
        ):
            use(place)

    def test_credentials_that_are_wrong(self, rclone_s3, use):
        bucket = rclone_s3.make_bucket()
        with (
            channel(rclone_s3, f"s3://{bucket}/channel", secret_access_key="not-the-secret") as place,
            pytest.raises((AccessDeniedError, UnauthenticatedError), match=bucket) as caught,
        ):
            use(place)
        assert "not-the-secret" not in str(caught.value)


def test_a_store_that_asks_for_fewer_requests_is_given_time(moto_proxy, tmp_path):
    bucket = moto_proxy.server.make_bucket()
    with channel(moto_proxy.server, f"s3://{bucket}/channel") as place:
        moto_proxy.answer(
            lambda request: request.method in {"PUT", "GET"} and "/channel/" in request.path,
            error(503, "SlowDown", "Please reduce your request rate."),
            times=2,
        )
        place.publish("topic", "content")
        moto_proxy.answer(lambda request: "list-type" in request.query, error(503, "SlowDown", "Less."), times=2)
        assert received(place, tmp_path) == ["content"]
    assert len(moto_proxy.server.contents(bucket, "channel/updates/")) == 1
