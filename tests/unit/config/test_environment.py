"""What is taken from the surroundings: where state lives without a file, and what `~` means."""

import os
from pathlib import Path

import pytest

from cloudsync_core.config.environment import default_state_path, local_path, prepare_state_directory
from cloudsync_core.errors import ConfigError


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


class TestDefaultStatePath:
    def test_is_in_the_users_state_directory(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.delenv("CLOUDSYNC_STATE_DIR", raising=False)
        assert default_state_path("a", "b").parent == tmp_path / "cloudsync"

    def test_is_where_the_variable_says(self, tmp_path):
        path = default_state_path("a", "b", environ={"CLOUDSYNC_STATE_DIR": str(tmp_path / "deep/state")})
        assert path.parent == tmp_path / "deep/state"

    def test_is_the_same_for_the_same_locations_only(self, tmp_path):
        environ = {"CLOUDSYNC_STATE_DIR": str(tmp_path)}
        pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("ab", ""), ("a\n", "b"), ("a", "\nb")]
        assert len({default_state_path(*pair, environ=environ) for pair in pairs}) == len(pairs)
        assert default_state_path("a", "b", environ=environ) == default_state_path("a", "b", environ=environ)

    def test_its_directory_is_for_its_owner(self, tmp_path, umask):
        path = default_state_path("a", "b", environ={"CLOUDSYNC_STATE_DIR": str(tmp_path / "deep/state")})
        assert path.parent.stat().st_mode & 0o777 == 0o700

    def test_a_directory_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError) as caught:
            default_state_path("a", "b", environ={"CLOUDSYNC_STATE_DIR": str(tmp_path / "file/state")})
        assert str(caught.value).splitlines() == [
            f"{tmp_path}/file/state: the directory of the state database cannot be made: File exists",
            "  name another place by 'state:' in the configuration, --state, or CLOUDSYNC_STATE_DIR",
        ]


class TestPrepareStateDirectory:
    def test_one_that_exists_is_left_as_it_is(self, tmp_path):
        tmp_path.chmod(0o755)
        prepare_state_directory(tmp_path / "state.db")
        assert tmp_path.stat().st_mode & 0o777 == 0o755


class TestLocalPath:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("a/b", "/base/a/b"),
            ("./a", "/base/a"),
            ("/a", "/a"),
            ("~", "/home/x"),
            ("~/a", "/home/x/a"),
            ("~user/a", "/base/~user/a"),
        ],
    )
    def test_means(self, monkeypatch, text, path):
        monkeypatch.setenv("HOME", "/home/x")
        assert local_path(text, Path("/base")) == Path(path)
