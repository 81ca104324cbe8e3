"""A folder of a backend, taken for the whole of it."""

import pytest

from cloudsync_core.errors import ObjectNotFoundError
from cloudsync_core.layers.below import Below
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.models import Gap, Page
from tests.engine.stores import Shaped, content, contents, memory, store


@pytest.fixture
def whole():
    backend = memory()
    for key in ("a", "in/a", "in/deep/b", "in2/c", "in", "z"):
        store(backend, key, key.encode())
    return backend


def test_it_shows_the_folder_alone(whole):
    inside = Below(whole, "in")
    assert contents(inside) == {"a": b"in/a", "deep/b": b"in/deep/b"}
    assert [key for page in inside.list("deep") for key in page.keys] == ["deep/b"]
    assert [key for page in inside.list(start_after="a") for key in page.keys] == ["deep/b"]
    with pytest.raises(ObjectNotFoundError):
        inside.stat("z")


def test_what_it_writes_and_removes_is_in_the_folder(whole):
    inside = Below(whole, "in")
    assert store(inside, "new", b"1").key == "new"
    assert content(whole, "in/new") == b"1"
    assert [result.key for result in inside.delete_many([("new", None), ("deep/b", None)])] == ["new", "deep/b"]
    assert set(contents(whole)) == {"a", "in/a", "in2/c", "in", "z"}


def test_copies_go_between_folders_of_one_backend(whole):
    one, other = Below(Retry(whole, RetryPolicy()), "in"), Below(Retry(whole, RetryPolicy()), "out/x")
    assert other.can_copy_from(one)
    assert other.copy(one, one.stat("deep/b"), "b").key == "b"
    assert content(whole, "out/x/b") == b"in/deep/b"
    assert other.copy(whole, whole.stat("z"), "z").size == 1
    inner = Below(one, "deep")
    assert content(whole, "out/x/b") == content(inner, "b")
    assert other.copy(inner, inner.stat("b"), "again").size == len(b"in/deep/b")


def test_what_walks_directories_is_asked_about_its_own_folders():
    asked = []

    class Walking(Shaped):
        def list(self, prefix="", *, start_after=None, prune=None):
            asked.append(prune("in/deep"))
            yield Page.of((), (Gap("in/deep", "no"),))

    (page,) = Below(Walking(memory()), "in").list(prune=lambda folder: folder == "deep")
    assert (asked, page.gaps) == ([True], (Gap("deep", "no"),))


def test_closing_it_leaves_the_backend_open(whole):
    closed = []
    whole.close = lambda: closed.append(True)
    with Below(whole, "in"):
        pass
    assert closed == []


def test_it_knows_where_it_is(whole):
    inside = Below(whole, "in/deep")
    assert inside.location == f"{whole.location}/in/deep"
    assert inside.identity.root == f"{whole.identity.root}in/deep/"
    assert inside.identity.overlaps(whole.identity)
