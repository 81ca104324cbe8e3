"""The Python interface: one call a workflow, a report or an error that holds it."""

import uuid

import pydantic
import pytest

import cloudsync_core
from cloudsync_core import api
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    ContainerNotFoundError,
    DeleteLimitExceededError,
    EmptySourceError,
    OptionsError,
    OverlappingLocationsError,
    UnknownBackendError,
)
from cloudsync_core.runs import Counts


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with a source of two files; the user's state directory lies beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUDSYNC_STATE_DIR", str(tmp_path / "state"))
    tmp_path.joinpath("source").mkdir()
    tmp_path.joinpath("source/a").write_bytes(b"1")
    tmp_path.joinpath("source/b").write_bytes(b"2")
    return tmp_path


@pytest.fixture
def url():
    return f"memory://{uuid.uuid4()}"


class TestMirror:
    def test_returns_the_report(self, here, url):
        report = cloudsync_core.mirror("source", url, state=None)
        assert (report.status, report.counts) == ("done", Counts(added=2))

    def test_makes_a_target_directory(self, here):
        api.mirror("source", "target/deep", state=None)
        assert here.joinpath("target/deep/a").read_bytes() == b"1"

    def test_remembers_by_itself(self, here, url):
        api.mirror("source", url)
        again = api.mirror(str(here / "source"), url)
        assert again.counts == Counts(unchanged=2)
        assert {verb for verbs in again.requests.values() for verb in verbs} == {"list"}
        assert len(list(here.joinpath("state").glob("*.db"))) == 1

    def test_remembers_where_it_is_told_to(self, here, url):
        api.mirror("source", url, state=here / "own" / "my.db")
        assert here.joinpath("own/my.db").exists()
        assert not here.joinpath("state").exists()

    def test_remembers_nothing_when_told_so(self, here, url):
        api.mirror("source", url, state=None)
        assert [path.name for path in here.iterdir()] == ["source"]

    def test_takes_the_rules_of_a_job(self, here, url):
        report = api.mirror("source", url, state=None, exclude=["b"], compare="checksum", transfers=1)
        assert report.counts == Counts(added=1)

    def test_tells_the_listener(self, here, url):
        events = []
        api.mirror("source", url, state=None, listener=events.append)
        names = [type(event).__name__ for event in events]
        assert names == ["RunStarted", "ActionFinished", "ActionFinished", "RunFinished"]

    def test_P12_a_dry_run_writes_nothing_anywhere(self, here, url):
        report = api.mirror("source", "target", dry_run=True)
        assert (report.counts, report.run.dry_run) == (Counts(added=2), True)
        assert [path.name for path in here.iterdir()] == ["source"]


class TestErrors:
    @pytest.mark.parametrize(
        ("rules", "error"),
        [({}, EmptySourceError), ({"allow_empty_source": True, "max_delete": 1}, DeleteLimitExceededError)],
    )
    def test_a_refused_run_raises_with_its_report(self, here, url, rules, error):
        api.mirror("source", url, state=None)
        here.joinpath("empty").mkdir()
        with pytest.raises(error) as caught:
            api.mirror("empty", url, state=None, delete=True, **rules)
        assert (caught.value.report.status, caught.value.exit_code) == ("refused", 4)
        assert caught.value.report.deletes_withheld == 2

    def test_L2_a_missing_source_is_no_empty_one(self, here, url):
        api.mirror("source", url, state=None)
        with pytest.raises(ContainerNotFoundError) as caught:
            api.mirror("sauce", url, state=None, delete=True, allow_empty_source=True)
        assert caught.value.report.status == "aborted"
        assert "sauce" in str(caught.value)

    def test_failed_objects_raise_nothing(self, here, url):
        backend = api.open_backend(url)
        backend.put("a//b", Body(b"1"))
        report = api.mirror(url, "target", state=None)
        assert (report.status, report.counts) == ("partial", Counts(unknown=1))

    def test_H07_a_place_inside_the_other_is_refused(self, here):
        with pytest.raises(OverlappingLocationsError):
            api.mirror("source", "source/backup", state=None)

    def test_a_wrong_rule_is_named(self, here, url):
        with pytest.raises(pydantic.ValidationError, match="max_delete"):
            api.mirror("source", url, state=None, max_delete="lots")
        with pytest.raises(pydantic.ValidationError, match="deleet"):
            api.mirror("source", url, state=None, deleet=True)

    def test_an_unknown_scheme_is_named(self, here):
        with pytest.raises(UnknownBackendError, match="nosuchthing"):
            api.mirror("source", "nosuchthing://x", state=None)


class TestOpenBackend:
    def test_opens_any_place_for_use(self, url):
        with api.open_backend(url) as backend:
            backend.put("k", Body(b"1"))
            with backend.get("k") as reader:
                assert reader.read() == b"1"

    def test_takes_the_options_of_the_backend(self, tmp_path):
        with api.open_backend(str(tmp_path), fsync=False, symlinks="follow") as backend:
            assert backend.location.startswith("file://")
        with pytest.raises(OptionsError, match="symlinks"):
            api.open_backend(str(tmp_path), symlinks="sometimes")

    def test_L2_a_missing_place_is_an_error_unless_it_may_be_made(self, tmp_path):
        with api.open_backend(str(tmp_path / "x")) as backend, pytest.raises(ContainerNotFoundError):
            list(backend.list())
        with api.open_backend(str(tmp_path / "x"), create=True) as backend:
            assert list(backend.list()) == []
