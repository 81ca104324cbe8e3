"""The example for WebDAV over TLS: the example's own tests have no certificates."""

import os
import re

import pytest
from cloudsync_webdav.backend import WebdavBackend
from cloudsync_webdav.config import WebdavOptions

from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnavailableError
from cloudsync_core.location import Location
from tests.servers.certificates import certificates
from tests.servers.process import running
from tests.servers.s3 import rclone_binary


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """The location of a server with a certificate, and the authority that signed it."""
    folder = tmp_path_factory.mktemp("webdav")
    authority, server = certificates(folder)
    data = folder / "data"
    data.mkdir()
    command = [rclone_binary(), "serve", "webdav", data, "--addr", "127.0.0.1:0", "--cert", server, "--key", server]
    announces = re.compile(r"Server started on \[https://(127\.0\.0\.1:\d+)/?\]")
    env = {"RCLONE_CONFIG": os.devnull}
    # It announces itself when it listens.
    with running("rclone", command, announces=announces, ready=bool, log=folder / "log", env=env) as address:
        yield Location.parse(f"davs://{address}/made/by/a/put"), authority


def test_an_authority_can_be_named(secure):
    location, authority = secure
    with WebdavBackend(location, WebdavOptions(ca_bundle=authority, create=True)) as backend:
        backend.put("a/b", Body(b"content"))
        with backend.get("a/b") as reader:
            assert reader.read() == b"content"


def test_a_certificate_that_nobody_vouches_for_ends_the_run_with_a_way_out(secure):
    location, _ = secure
    with WebdavBackend(location, WebdavOptions()) as backend, pytest.raises(UnavailableError) as caught:
        list(backend.list())
    assert caught.value.disposition is Disposition.ABORT
    assert "set ca_bundle" in str(caught.value)
