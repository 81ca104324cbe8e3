"""Every failure on the way to a server becomes an error of the contract, with a reason and a way out."""

import inspect
import ssl

import pytest

from cloudsync_core import errors as core
from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore import rules, transport
from cloudsync_core.backends.objectstore.transport import TransportError, connecting, exchanging
from cloudsync_core.errors import Disposition

KINDS = [kind for _, kind in inspect.getmembers(transport, inspect.isclass) if issubclass(kind, TransportError)]
MEANT = {
    transport.TransportError: (core.UnavailableError, Disposition.RETRY),
    transport.UnreachableError: (core.UnavailableError, Disposition.RETRY),
    transport.ProxyUnreachableError: (core.UnavailableError, Disposition.RETRY),
    transport.TlsError: (core.UnavailableError, Disposition.RETRY),
    transport.NoAnswerError: (core.UnavailableError, Disposition.RETRY),
    transport.ConnectionLostError: (core.UnavailableError, Disposition.RETRY),
    transport.IncompleteAnswerError: (core.IntegrityError, Disposition.RETRY),
    transport.DamagedAnswerError: (core.UnexpectedBackendError, Disposition.RETRY),
    transport.UnsayableRequestError: (core.UnexpectedBackendError, Disposition.SKIP),
    ssl.SSLError: (core.UnavailableError, Disposition.RETRY),
    TimeoutError: (core.UnavailableError, Disposition.RETRY),
    ConnectionResetError: (core.UnavailableError, Disposition.RETRY),
}


def judge(failure, key):
    rule = rules.transport_rule(failure)
    return None if rule is None else rule.failure()


def test_no_failure_is_left_out():
    assert set(KINDS) <= MEANT.keys()


@pytest.mark.parametrize("kind", MEANT, ids=lambda kind: kind.__name__)
def test_E1_failures_become_errors(kind):
    with pytest.raises(core.BackendError) as caught, naming(judge, "get", "store://c", "k"):
        raise kind("http://user:secret@host")
    assert (type(caught.value), caught.value.disposition) == MEANT[kind]
    assert isinstance(caught.value.__cause__, kind)
    assert str(caught.value).startswith("get store://c/k: ")
    assert "secret" not in str(caught.value)


def test_defects_of_the_program_are_not_hidden():
    with pytest.raises(KeyError), naming(judge, "get", "store://c", "k"):
        raise KeyError
    with pytest.raises(KeyError), exchanging("http://host"):
        raise KeyError
    with pytest.raises(KeyError), connecting("http://host", None):
        raise KeyError


def test_it_is_said_that_the_proxy_is_what_cannot_be_reached():
    with pytest.raises(transport.ProxyUnreachableError) as caught, connecting("http://host", "proxy"):
        raise ConnectionRefusedError
    assert rules.transport_rule(caught.value).hint.count("PROXY") == 3
    with pytest.raises(transport.UnreachableError) as caught, connecting("http://host", None):
        raise ConnectionRefusedError
    assert "endpoint_url" in rules.transport_rule(caught.value).hint


@pytest.mark.parametrize("rule", [rule for _, rule in rules.TRANSPORT], ids=lambda rule: rule.reason)
def test_reasons_are_whole_sentences_without_their_end(rule):
    assert rule.reason[0].islower()
    assert not rule.reason.endswith(".")
    assert rule.hint is None or rule.hint.endswith(".")


def test_a_rule_may_be_told_more_precisely():
    rule = rules.Rule(core.ThrottledError, "reason", "Hint.", Disposition.ABORT)
    error = rule.failure("another", hint="Do.", retry_after=3)
    assert (error.reason, error.hint, error.retry_after, error.disposition) == ("another", "Do.", 3, Disposition.ABORT)
    plain = rule.failure()
    assert (plain.reason, plain.hint, plain.retry_after) == ("reason", "Hint.", None)


STATUSES = {400: rules.UNSAYABLE, 404: rules.DAMAGED, 500: rules.NO_ANSWER}


class TestStatuses:
    @pytest.mark.parametrize(("status", "meant"), [(404, 404), (418, 400), (503, 500)])
    def test_unknown_one_is_judged_by_its_hundred(self, status, meant):
        assert rules.of_status(STATUSES, status) is STATUSES[meant]

    def test_one_of_no_known_hundred_is_unexpected(self):
        assert rules.of_status(STATUSES, 302).error is core.UnexpectedBackendError


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers, seconds):
    assert rules.retry_after(headers) == seconds


def test_retry_after_may_be_a_date_to_come():
    assert rules.retry_after({"retry-after": "Wed, 21 Oct 2415 07:28:00 GMT"}) > 1e9


def test_the_servers_own_words_are_kept_short_and_on_one_line():
    words = rules.own_words("Odd", None, "", "line\nbreak \x1b[31m" + "x" * 1000)
    assert words.startswith("Odd: line\\nbreak \\x1b")
    assert len(words) <= 300
