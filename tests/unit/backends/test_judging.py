"""What goes wrong in a block is raised as what it means."""

import gc
import weakref

import pytest

from cloudsync_core.backends.judging import judging, named, naming
from cloudsync_core.errors import InvalidKeyError, UnavailableError


class Held:
    """Something that a block has open."""


def meaning(failure, key):
    return UnavailableError(f"about {key}") if isinstance(failure, OSError) else None


def test_judge_is_told_what_it_is_about():
    with (
        pytest.raises(LookupError, match="one two") as caught,
        judging(lambda error, a, b: LookupError(f"{a} {b}"), "one", "two"),
    ):
        raise OSError
    assert isinstance(caught.value.__cause__, OSError)


def test_what_is_not_judged_passes():
    with pytest.raises(ZeroDivisionError), judging(lambda error: None):
        raise ZeroDivisionError


def test_without_a_failure_nobody_is_asked():
    with judging(lambda error: LookupError()):
        pass


def test_what_was_open_is_let_go_with_the_exception():
    held = Held()
    gone = weakref.ref(held)
    gc.disable()
    try:
        with pytest.raises(UnavailableError), naming(meaning, "get", "memory://x", "k"):
            fail_with(held)
        del held
        assert gone() is None
    finally:
        gc.enable()


def fail_with(held):
    raise OSError


def test_E1_failure_becomes_an_error_that_says_what_was_done_to_which_object():
    with pytest.raises(UnavailableError) as caught, naming(meaning, "get", "memory://x", "k"):
        raise OSError
    assert str(caught.value) == "get memory://x/k: about k"
    assert isinstance(caught.value.__cause__, OSError)


def test_E1_error_of_ours_gets_its_place_once():
    with (
        pytest.raises(InvalidKeyError) as caught,
        naming(meaning, "list", "memory://y"),
        naming(meaning, "get", "m://x", "k"),
    ):
        raise InvalidKeyError("no")
    assert str(caught.value) == "get m://x/k: no"
    assert str(named(caught.value, "put", "memory://z")) == "get m://x/k: no"


def test_defects_of_the_program_pass():
    with pytest.raises(ZeroDivisionError), naming(meaning, "get", "memory://x", "k"):
        raise ZeroDivisionError
