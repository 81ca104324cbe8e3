"""A package that the core has never heard of serves as source and target of mirrors, once pip has installed it."""

import os

import pytest

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def environment(make_environment):
    return make_environment("cloudsync-core", "cloudsync-sqlite")


@pytest.fixture
def tree(tmp_path):
    """A directory with what tends to go wrong: folders, odd names, empty and binary files, old dates."""
    files = {
        "index.html": b"<p>hello</p>",
        "empty": b"",
        "deep/er/still/data.bin": bytes(range(256)) * 5000,
        "na\u00efve \u2603/100% [x] #1?.txt": b"odd",
        "deep/.hidden": b"hidden",
    }
    for number, (name, content) in enumerate(files.items()):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    return tmp_path / "tree"


def snapshot(folder):
    """What a directory holds: content and modification time, in seconds, of every file."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), int(path.stat().st_mtime)) for path in paths}


def counts(events):
    return events[-1]["counts"]


def test_it_is_listed(environment):
    listed = environment.plugins()
    assert listed.keys() == {"cloudsync-core", "cloudsync-sqlite"}
    plugin = listed["cloudsync-sqlite"]
    assert (plugin["name"], plugin["version"], plugin["status"]) == ("sqlite", "1.0", "active")
    assert plugin["schemes"] == ["sqlite"]
    assert plugin["hooks"] == ["register_backends"]


def test_it_is_the_target_and_the_source_of_a_mirror(environment, tree, tmp_path):
    there = ("cloudsync", "mirror", tree, f"sqlite://{tmp_path}/store.db", "--json")
    back = ("cloudsync", "mirror", f"sqlite://{tmp_path}/store.db", tmp_path / "back", "--json")
    assert counts(environment.events(*there))["added"] == 5
    assert counts(environment.events(*back))["added"] == 5
    assert snapshot(tmp_path / "back") == snapshot(tree)
    for command in (there, back):
        again = counts(environment.events(*command))
        assert {name: count for name, count in again.items() if count} == {"unchanged": 5}


def test_what_is_deleted_here_is_deleted_there(environment, tree, tmp_path):
    store = f"sqlite://{tmp_path}/store.db"
    environment.run("cloudsync", "mirror", tree, store)
    (tree / "empty").unlink()
    environment.run("cloudsync", "mirror", tree, store, "--delete")
    environment.run("cloudsync", "mirror", store, tmp_path / "back")
    assert snapshot(tmp_path / "back") == snapshot(tree)


def test_its_missing_container_is_an_error_and_no_empty_source(environment, tmp_path):
    environment.run("cloudsync", "mirror", f"sqlite://{tmp_path}/none.db", tmp_path / "back", exit_code=4)
    assert not (tmp_path / "none.db").exists()


def test_its_options_are_checked_by_its_own_model(environment, tree, tmp_path):
    environment.run(
        "cloudsync", "mirror", tree, f"sqlite://{tmp_path}/x.db", "--target-option", "craete=1", exit_code=2
    )


def test_its_scheme_is_unknown_where_it_is_not_installed(make_environment, tree, tmp_path):
    elsewhere = make_environment("cloudsync-core", "cloudsync-s3")
    elsewhere.run("cloudsync", "mirror", tree, f"sqlite://{tmp_path}/x.db", exit_code=2)
