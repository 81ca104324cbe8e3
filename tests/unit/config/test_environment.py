"""What is taken from the surroundings: where state lives without a file, and what `~` means."""

from pathlib import Path

import pytest

from cloudsync_core.config.environment import default_state_path, local_path


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

    def test_a_path_is_the_same_place_from_every_directory(self, tmp_path, monkeypatch):
        environ = {"CLOUDSYNC_STATE_DIR": str(tmp_path)}
        monkeypatch.chdir(tmp_path)
        here = default_state_path("./public", "demo://b", environ=environ)
        assert here == default_state_path(str(tmp_path / "public"), "demo://b", environ=environ)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert here != default_state_path("./public", "demo://b", environ=environ)

    def test_nothing_is_made(self, tmp_path):
        default_state_path("a", "b", environ={"CLOUDSYNC_STATE_DIR": str(tmp_path / "deep/state")})
        assert not list(tmp_path.iterdir())


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
    def test_C15_means(self, monkeypatch, text, path):
        monkeypatch.setenv("HOME", "/home/x")
        assert local_path(text, Path("/base")) == Path(path)
