"""Programs save, copy and move files in many ways: the target follows each, and nothing that is there is deleted.

The installed command watches a directory and pushes it into a store. Each test does what some program does, many times,
and looks at what became of the store, and at every delete that reached it.
"""

import os
import shutil
import subprocess
import time

import pytest
import yaml

from tests.watch.history import Removals
from tests.watch.machines import running, tree, until

TIMES = 5
RULES = {"workflow": "watch", "delete": True, "max_delete": "100%", "settle": 0.1, "grace": 1.0, "reconcile": 1.0}
"""Everything is looked at all the time, too: that also sees files that are gone for a moment."""


class Desk:
    """A directory with documents that is pushed into a store.

    Attributes:
        folder: the directory.
        cloud: the store.
        removals: what was deleted there.
    """

    def __init__(self, folder, cloud):
        self.folder = folder
        self.cloud = cloud
        self.removals = Removals()
        self.removals.watch_store(cloud)

    @property
    def deleted(self):
        """The keys that were deleted, but for those of empty folders."""
        return sorted({key for key, _ in self.removals.found if not key.endswith("/")})

    def write(self, files):
        for key, text in files.items():
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def is_followed(self):
        return self.cloud.contents() == tree(self.folder)

    def settles(self):
        """Wait until the store is what the directory is."""
        until(self.is_followed)


@pytest.fixture
def desk(cloud, tmp_path):
    """A directory of three documents that is being pushed."""
    (folder := tmp_path / "work/desk").mkdir(parents=True)
    [place] = cloud("s3")
    desk = Desk(folder, place)
    desk.write({"letter": "dear", "notes/one": "1", "notes/two": "2"})
    config = tmp_path / "work/config.yaml"
    job = {**RULES, "source": str(folder), "target": place.config}
    config.write_text(yaml.safe_dump({"version": 1, "state": "./state.db", "jobs": {"desk": job}}))
    with running(config):
        desk.settles()
        yield desk


def in_place(path, text):
    """As nano does: the same file is opened and written."""
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


def truncate_and_write(path, text):
    """As a shell's redirection does: it is empty for a moment."""
    with path.open("w") as file:
        file.flush()
        time.sleep(0.05)
        file.write(text)


def atomic_replace(path, text):
    """As most programs do today: a new file, synced, takes the place of the old one."""
    new = path.with_name(f".{path.name}.swp")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def rename_over_with_backup(path, text):
    """As vim and Emacs do: the old one becomes a backup, a new one is written, and the backup is removed."""
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    time.sleep(0.05)
    path.write_text(text)
    backup.unlink()


def remove_and_write(path, text):
    """As some do: it is gone for a while."""
    path.unlink()
    time.sleep(0.3)
    path.write_text(text)


SAVES = [in_place, truncate_and_write, atomic_replace, rename_over_with_backup, remove_and_write]


def test_however_a_file_is_saved_it_is_never_deleted(desk):
    for number, save in enumerate(SAVES * TIMES):
        save(desk.folder / "letter", f"version {number}")
        time.sleep(0.11)
    desk.settles()
    assert desk.cloud.contents()["letter"] == f"version {number}".encode()
    assert set(desk.deleted) <= {".letter.swp", "letter~"}


def test_copies_of_trees(desk, tmp_path):
    for number in range(40):
        (path := tmp_path / f"original/{number % 7}/{number}").parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(number))
    for number in range(3):
        subprocess.run(["cp", "-a", tmp_path / "original", desk.folder / f"copy {number}"], check=True, timeout=30)
    desk.settles()
    assert len(desk.cloud.contents()) == 3 + 3 * 40
    subprocess.run(["cp", "-a", f"{tmp_path}/original/.", desk.folder / "copy 1"], check=True, timeout=30)
    desk.settles()
    assert desk.deleted == []


def git(folder, *args):
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    people = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *args]
    subprocess.run(command, cwd=folder, env={**os.environ, **settings, **people}, check=True, timeout=30)


def test_branches_that_are_checked_out_by_git(desk):
    git(desk.folder, "init", "--quiet")
    for name in ("main", "other"):
        if name != "main":
            git(desk.folder, "checkout", "--quiet", "-b", name)
        shared = {f"same/{number}": "same" for number in range(10)}
        desk.write({**shared, **{f"both/{number}": f"{name} {number}" for number in range(10)}, f"only/{name}": name})
        if name != "main":
            (desk.folder / "only/main").unlink()
        git(desk.folder, "add", "--all")
        git(desk.folder, "commit", "--quiet", "--message", name)
    for _ in range(TIMES):
        git(desk.folder, "checkout", "--quiet", "main")
        time.sleep(0.2)
        git(desk.folder, "checkout", "--quiet", "other")
    desk.settles()
    gone = {key for key in desk.deleted if not key.startswith(".git/")}
    assert gone <= {"only/main", "only/other"}
    git(desk.folder, "checkout", "--quiet", "main")
    desk.settles()
    assert desk.cloud.contents()["only/main"] == b"main"
    assert "only/other" not in desk.cloud.contents()


def test_folders_that_are_renamed_with_all_that_is_in_them(desk):
    desk.write({f"album/{number // 10}/{number}": f"photo {number}" for number in range(60)})
    desk.settles()
    (desk.folder / "album").rename(desk.folder / "archive")
    desk.settles()
    assert len(desk.cloud.contents()) == 3 + 60
    assert desk.deleted == sorted(f"album/{number // 10}/{number}" for number in range(60))
    del desk.removals.found[:]
    for there, name in [("archive", "x"), ("x", "y"), ("y", "archive")]:
        (desk.folder / there).rename(desk.folder / name)
    desk.settles()
    shutil.copytree(desk.folder / "archive", desk.folder / "album")
    desk.settles()
    assert not {key for key in desk.deleted if key.startswith("archive/")}
