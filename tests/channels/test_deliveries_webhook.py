"""Web servers that updates are sent to."""

import email.utils
import hashlib
import hmac
import socket
import time
from pathlib import Path

import pytest

from cloudsync_core.channels.deliveries import addresses, exchange
from cloudsync_core.channels.deliveries.webhook import WebhookDelivery
from cloudsync_core.errors import ConfigError, DeliveryError, IntegrityError
from tests.channels.updates import ID, damage_payload, large_update, update
from tests.channels.web import Server
from tests.docs.blocks import blocks
from tests.servers.certificates import certificates

PAGE = Path(__file__).parents[2] / "docs/deliveries.md"


@pytest.fixture
def server():
    with Server() as running:
        yield running


def to(server, *, allow_private=True, timeout=20, **options):
    return WebhookDelivery(server.url, allow_private=allow_private, timeout=timeout, **options)


class TestIsSent:
    def test_the_content_and_what_the_update_says(self, server):
        deliver = to(server)
        deliver(update("hello ü", topic="feeds/ü %/a"))
        [sent] = server.got
        assert sent.body == "hello ü".encode()
        assert sent.path == "/hooks/token-in-the-path?key=token-in-the-query"
        told = {name: sent.headers[name] for name in sent.headers if name.startswith(("Cloudsync", "Content"))}
        assert told == {
            "Cloudsync-Update-Id": ID,
            "Cloudsync-Topic": "feeds/%C3%BC%20%25/a",
            "Cloudsync-Publisher": "web1",
            "Cloudsync-Created": "2026-11-20T20:35:40.123456Z",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": "8",
        }
        assert sent.headers["Host"] == f"127.0.0.1:{server.port}"
        assert deliver.describe() == f"webhook {server.origin}"

    def test_large_content_whole_and_signed(self, server, memory_channel):
        content = bytes(range(256)) * 20_000
        to(server, secret="the secret")(large_update(memory_channel, content))
        [sent] = server.got
        assert sent.body == content
        assert verified(sent, "the secret")

    def test_nothing_of_content_that_is_damaged(self, server, memory_channel):
        found = large_update(memory_channel, b"x" * 100_000)
        damage_payload(memory_channel, found)
        with pytest.raises(IntegrityError):
            to(server)(found)
        assert server.got == []

    def test_past_proxies_of_the_environment(self, server, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        to(server)(update())
        assert len(server.got) == 1


class TestTheSignature:
    def test_proves_content_id_and_time(self, server):
        before = int(time.time())
        to(server, secret="geheim ü")(update({"a": 1}))
        [sent] = server.got
        assert verified(sent, "geheim ü")
        assert not verified(sent, "other")
        stamp = int(sent.headers["Cloudsync-Signature"].partition(",")[0].removeprefix("t="))
        assert before <= stamp <= time.time()

    def test_is_verified_as_the_documentation_says(self, server):
        [checking] = [block for block in blocks(PAGE) if block.language == "python" and "def is_genuine" in block.text]
        page = {}
        exec(checking.text, page)
        to(server, secret="of both")(update(b"\x00\xff"))
        [sent] = server.got
        assert page["is_genuine"](sent.headers, sent.body, "of both")
        assert not page["is_genuine"](sent.headers, sent.body, "another")
        assert not page["is_genuine"](sent.headers, sent.body + b"!", "of both")
        assert not page["is_genuine"]({**sent.headers, "Cloudsync-Update-Id": f"{ID}.0001"}, sent.body, "of both")
        assert not page["is_genuine"](sent.headers, sent.body, "of both", at_most=-1)

    def test_is_not_there_without_a_secret(self, server):
        to(server)(update())
        assert "Cloudsync-Signature" not in server.got[0].headers

    def test_is_never_by_an_empty_secret(self, server):
        with pytest.raises(ConfigError, match="secret is empty"):
            to(server, secret="")


def verified(sent, secret):
    stamp, signature = (part.partition("=")[2] for part in sent.headers["Cloudsync-Signature"].split(","))
    signed = f"{stamp}.{sent.headers['Cloudsync-Update-Id']}.".encode() + sent.body
    return hmac.compare_digest(hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest(), signature)


class TestAnAnswer:
    @pytest.mark.parametrize("status", [200, 201, 202, 204])
    def test_of_success_is_success(self, server, status):
        server.answers = [(status, {}, b"")]
        to(server)(update())
        assert len(server.got) == 1

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_that_says_later_is_retried(self, server, status):
        assert refused(server, status).retry

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422])
    def test_that_refuses_is_final(self, server, status):
        assert not refused(server, status).retry

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_redirects_is_final_and_not_followed(self, server, status):
        with Server() as elsewhere:
            error = refused(server, status, Location=elsewhere.url)
            assert elsewhere.got == []
        assert not error.retry
        assert "redirects are not followed" in str(error)
        assert len(server.got) == 1

    def test_can_ask_for_a_pause_in_seconds(self, server):
        assert refused(server, 503, **{"Retry-After": "120"}).retry_after == 120

    def test_can_ask_for_a_pause_until_a_moment(self, server):
        moment = email.utils.formatdate(time.time() + 100, usegmt=True)
        assert refused(server, 429, **{"Retry-After": moment}).retry_after == pytest.approx(100, abs=10)

    @pytest.mark.parametrize("said", ["soon", "-1", "", "Fri, 99 Nov 2026"])
    def test_can_ask_for_nonsense(self, server, said):
        assert refused(server, 503, **{"Retry-After": said}).retry_after in {None, 0.0}

    def test_is_not_read_to_its_end_where_it_is_huge(self, server):
        written = []

        def huge(handler):
            handler.rfile.read(int(handler.headers["Content-Length"]))
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            block = b"x" * 65536
            for _ in range(10_000):
                handler.wfile.write(block)
                written.append(len(block))

        server.answers = [huge]
        to(server)(update())
        assert sum(written) < 100_000_000

    def test_that_trickles_is_cut_off(self, server):
        def trickle(handler):
            while not server.ended.wait(0.05):
                handler.wfile.write(b"X")

        server.answers = [trickle]
        started = time.monotonic()
        with pytest.raises(DeliveryError, match="no answer in time") as caught:
            to(server, timeout=0.5)(update())
        assert caught.value.retry
        assert time.monotonic() - started < 10

    def test_that_never_comes_is_not_waited_for(self, server):
        server.answers = [lambda _: server.ended.wait(20)]
        with pytest.raises(DeliveryError, match="no answer in time"):
            to(server, timeout=0.3)(update())

    @pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n"])
    def test_that_is_none_is_retried(self, server, said):
        server.answers = [lambda handler: handler.wfile.write(said)]
        with pytest.raises(DeliveryError) as caught:
            to(server)(update())
        assert caught.value.retry

    def test_comes_through_where_the_server_hangs_up_before_it_has_everything(self, server, memory_channel):
        def full(handler):
            handler.wfile.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_WR)
            handler.rfile.read(300_000)

        server.answers = [full]
        with pytest.raises(DeliveryError) as caught:
            to(server)(large_update(memory_channel, bytes(400_000)))
        assert "answered 413" in str(caught.value)
        assert not caught.value.retry

    def test_is_quoted_nowhere(self, server):
        error = refused(server, 500, body=b"secret of the server")
        assert str(error) == f"webhook {server.origin} answered 500"


def refused(server, status, *, body=b"", **headers):
    server.answers = [(status, headers, body)]
    with pytest.raises(DeliveryError) as caught:
        to(server)(update())
    assert "token-in-the" not in str(caught.value)
    return caught.value


class TestTheNetwork:
    def test_that_fails_is_retried(self, server):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            deliver = WebhookDelivery(f"http://127.0.0.1:{free.getsockname()[1]}/", allow_private=True)
            with pytest.raises(DeliveryError, match="refused") as caught:
                deliver(update())
        assert caught.value.retry

    def test_is_spoken_to_by_tls_and_by_the_name_of_the_host(self, tmp_path, monkeypatch):
        authority, certificate = certificates(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with Server(certificate) as server:
            to(server)(update())
            assert server.got[0].body == b"hello"
            # The certificate is for 127.0.0.1: by another name the server is not who it says.
            by_name = WebhookDelivery(f"https://localhost:{server.port}/", allow_private=True)
            with pytest.raises(DeliveryError, match="certificate") as caught:
                by_name(update())
            assert caught.value.retry
            assert len(server.got) == 1

    def test_is_not_trusted_where_nobody_has_signed(self, tmp_path, monkeypatch):
        _, certificate = certificates(tmp_path)
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with Server(certificate) as server, pytest.raises(DeliveryError, match="certificate"):
            to(server)(update())
        assert server.got == []


class TestAnAddress:
    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:9/x",
            "http://localhost:9/x",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://224.0.0.1/",
            "http://[ff02::1]/",
            "http://100.64.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
        ],
    )
    def test_of_the_own_network_is_refused_at_the_start(self, url):
        with pytest.raises(ConfigError, match="address of the host is refused"):
            WebhookDelivery(url)

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("127.8.9.1", "this machine"),
            ("0.0.0.0", "this machine"),
            ("::", "this machine"),
            ("10.0.0.1", "private"),
            ("192.0.2.1", "private"),
            ("100.127.0.1", "reserved"),
            ("240.0.0.1", "private|reserved"),
            ("255.255.255.255", "private|reserved"),
            ("169.254.0.1", "link-local"),
            ("fe80::1%lo", "link-local"),
            ("fec0::1", "private|reserved"),
            ("fc00::1", "private"),
            ("239.1.1.1", "multicast"),
            ("ff05::1", "multicast"),
            ("::ffff:10.0.0.1", "private"),
            ("::ffff:169.254.169.254", "link-local"),
            ("2002:7f00:1::1", "this machine"),
            ("2002:a00:1::1", "private"),
            ("64:ff9b::7f00:1", "this machine"),
            ("64:ff9b::a9fe:a9fe", "link-local"),
            ("64:ff9b:1::a00:1", "private"),
            ("::127.0.0.1", "reserved"),
            ("x", "no address"),
        ],
    )
    def test_is_judged_by_where_it_leads(self, address, why):
        assert any(word in addresses.problem(address) for word in why.split("|"))

    @pytest.mark.parametrize(
        "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
    )
    def test_of_the_internet_is_none_of_them(self, address):
        assert addresses.problem(address) is None

    def test_that_a_name_leads_to_later_is_judged_again_and_never_connected_to(self, server, monkeypatch):
        """A name server of others may say one thing first and another then."""
        looked_up = []
        answers = ["93.184.216.34", "127.0.0.1"]

        def rebinding(host, port, **_):
            looked_up.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

        monkeypatch.setattr(exchange.socket, "getaddrinfo", rebinding)
        deliver = WebhookDelivery(f"http://rebound.example:{server.port}/")
        with pytest.raises(DeliveryError, match="address of the host is refused: it is this machine"):
            deliver(update())
        assert server.got == []
        assert looked_up == ["rebound.example"] * 2

    def test_is_looked_up_once_a_request_and_is_just_the_one_that_was_judged(self, server, monkeypatch):
        """Of several only those that are allowed are tried, and the server is told the name."""
        monkeypatch.setattr(addresses, "problem", {"127.0.0.2": "it is refused", "127.0.0.1": None}.get)
        looked_up = []

        def found(host, port, **_):
            looked_up.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(exchange.socket, "getaddrinfo", found)
        deliver = WebhookDelivery(f"http://some.example:{server.port}/")
        looked_up.clear()
        deliver(update())
        assert looked_up == ["some.example"]
        assert server.got[0].headers["Host"] == f"some.example:{server.port}"

    def test_that_cannot_be_found_is_looked_for_again(self, monkeypatch):
        def nobody(*_, **__):
            raise socket.gaierror(socket.EAI_AGAIN, "try again")

        monkeypatch.setattr(exchange.socket, "getaddrinfo", nobody)
        deliver = WebhookDelivery("https://hooks.example/")
        with pytest.raises(DeliveryError, match="the host has no address") as caught:
            deliver(update())
        assert caught.value.retry


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/", "https:// or http://"),
        ("hooks.example/x", "https:// or http://"),
        ("file:///etc/passwd", "https:// or http://"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://host:port/", "no URL"),
        ("https://host:0/", "names no host"),
        ("https://[::1/", "no URL"),
        ("https://user:hidden@hooks.example/", "user name or a password"),
        ("https://hooks.example/a hidden", "percent-encoded"),
        ("https://hooks.example/hidden\r\nX: y", "percent-encoded|no URL"),
    ],
)
def test_a_url_that_is_none_is_refused_and_not_repeated(url, why, monkeypatch):
    monkeypatch.setattr(addresses, "problem", lambda _: None)
    with pytest.raises(ConfigError) as caught:
        WebhookDelivery(url)
    assert any(words in str(caught.value) for words in why.split("|"))
    assert "hidden" not in str(caught.value)
