"""Directories and buckets, as a user mirrors them: both dialects, and what goes wrong with a provider."""

import socket

import pytest
import yaml

from tests.cli.conftest import read_tree, write_tree
from tests.servers.s3 import rclone_check

SITE = {"index.html": "<h1>hello</h1>", "images/logo.svg": "<svg/>", "notes/été and more.txt": "leek", "empty": ""}
PRECIOUS = {"precious": "precious"}


class User:
    """Somebody with a directory ./site, whose credentials are kept out of the configuration."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self._monkeypatch = monkeypatch
        write_tree(folder / "site", SITE)

    def location(self, server, url, *, secret=None, **options):
        """Describe a place on a server as a configuration does, its credentials by reference."""
        self._monkeypatch.setenv("THE_KEY", server.access_key_id)
        (self.folder / "the-secret").write_text(f"{secret or server.secret_access_key}\n")
        references = {"access_key_id": "${env:THE_KEY}", "secret_access_key": "${file:the-secret}"}
        return {"url": url, "options": {**server.options, **references, **options}}

    def write(self, **jobs):
        (self.folder / "config.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": jobs}, sort_keys=False))

    def write_both_ways(self, bucket):
        """Write the jobs `up` and `down`; the second one may delete all of ./back, which holds something precious."""
        write_tree(self.folder / "back", PRECIOUS)
        ruthless = {"delete": True, "max_delete": "100%", "allow_empty_source": True}
        self.write(
            up={"source": "./site", "target": bucket, "retries": 2},
            down={"source": bucket, "target": "./back", "retries": 2, **ruthless},
        )


@pytest.fixture
def user(folder, monkeypatch):
    return User(folder, monkeypatch)


class TestThereAndBack:
    def test_a_directory_to_a_bucket_to_a_bucket_to_a_directory(self, cloudsync, s3_server, user, folder):
        first, second = s3_server.make_bucket(), s3_server.make_bucket()
        there = user.location(s3_server, f"s3://{first}/site")
        on = user.location(s3_server, f"s3://{second}/copy/of")
        user.write(
            up={"source": "./site", "target": there, "delete": True},
            across={"source": there, "target": on, "delete": True},
            down={"source": on, "target": "./back", "delete": True},
        )
        reports = cloudsync("run", "config.yaml", "--json").of("report")
        assert [report["counts"]["added"] for report in reports] == [4, 4, 4]
        assert read_tree(folder / "back") == SITE
        rclone_check(folder / "site", s3_server, first, "site")
        for name in SITE:
            before, after = (folder / side / name for side in ("site", "back"))
            assert abs(before.stat().st_mtime - after.stat().st_mtime) < 1

        again = cloudsync("run", "config.yaml", "--json").of("report")
        assert [report["counts"]["unchanged"] for report in again] == [4, 4, 4]
        for report in again:
            assert report["bytes_transferred"] == 0
            assert all(set(verbs) == {"list"} for verbs in report["requests"].values()), report["requests"]

    def test_the_command_line_alone(self, cloudsync, moto_s3, user):
        bucket = moto_s3.make_bucket()
        options = user.location(moto_s3, "")["options"] | {"path_style": "true", "connect_timeout": "5"}
        arguments = [part for name, value in options.items() for part in ("--target-option", f"{name}={value}")]
        cloudsync("mirror", "site", f"s3://{bucket}/x", *arguments)
        assert moto_s3.contents(bucket, "x/") == {f"x/{key}": text.encode() for key, text in SITE.items()}
        cloudsync("check", "site", f"s3://{bucket}/x", *arguments)
        listed = [part.replace("--target-option", "--option") for part in arguments]
        assert cloudsync("ls", f"s3://{bucket}/x", *listed).out.splitlines() == sorted(SITE)


@pytest.mark.parametrize("job", ["up", "down"])
class TestWhatGoesWrong:
    def test_a_bucket_that_is_missing_is_not_an_empty_one(self, invoke, s3_server, user, job):
        user.write_both_ways(user.location(s3_server, "s3://no-such-bucket"))
        result = invoke("run", "config.yaml", "--job", job, code=4)
        assert result.err.startswith(f"error: job {job}: list s3://no-such-bucket: ")
        assert read_tree(user.folder / "back") == PRECIOUS

    def test_wrong_credentials(self, invoke, rclone_s3, user, job):
        bucket = rclone_s3.make_bucket()
        user.write_both_ways(user.location(rclone_s3, f"s3://{bucket}", secret="not-the-secret-of-this-server"))
        result = invoke("run", "config.yaml", "--job", job, code=4)
        assert result.err.startswith(f"error: job {job}: list s3://{bucket}: ")
        assert "not-the-secret-of-this-server" not in result.err + result.out
        assert rclone_s3.contents(bucket) == {}
        assert read_tree(user.folder / "back") == PRECIOUS

    def test_no_network(self, invoke, moto_s3, user, job):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
            user.write_both_ways(user.location(moto_s3, "s3://bucket", endpoint_url=endpoint))
            result = invoke("run", "config.yaml", "--job", job, code=4)
        assert result.err.startswith(f"error: job {job}: list s3://bucket: ")
        assert read_tree(user.folder / "back") == PRECIOUS
