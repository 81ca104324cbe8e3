"""File systems that other machines may be on are told from those of this machine (H06)."""

import contextlib
import sqlite3

import pytest

from cloudsync_core import mounts
from cloudsync_core.engine import state
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.state import State
from cloudsync_core.mounts import network_file_system, without_events

ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"


@pytest.fixture
def mounted(tmp_path):
    """Return a function that writes a list of mounts: the root's, and others as mount points and their kinds."""

    def write(*others):
        lines = [
            f"{number} 27 0:{number} / {str(point).replace(' ', chr(92) + '040')} rw shared:1 - {kind} host:/x rw"
            for number, (point, kind) in enumerate(others, 40)
        ]
        path = tmp_path / "mountinfo"
        path.write_text("\n".join([ROOT, *lines]) + "\n")
        return path

    return write


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre"])
def test_H06_what_is_below_a_network_mount_is_on_it(mounted, tmp_path, kind):
    share = tmp_path / "a share"
    listed = mounted((share, kind))
    assert network_file_system(share / "folder/state.db", listed) == kind
    assert network_file_system(tmp_path / "a share of mine", listed) is None
    assert network_file_system(tmp_path, listed) is None


def test_the_deepest_mount_counts_and_of_two_on_one_place_the_last(mounted, tmp_path):
    share = tmp_path / "share"
    assert network_file_system(share / "disk/x", mounted((share / "disk", "ext4"), (share, "nfs"))) is None
    assert network_file_system(share / "x", mounted((share, "nfs"), (share, "tmpfs"))) is None
    assert network_file_system(share / "x", mounted((share, "tmpfs"), (share, "nfs"))) == "nfs"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "fuse.rclone", "fuse", "9p", "virtiofs"])
def test_what_others_write_to_has_no_events(mounted, tmp_path, kind):
    assert without_events(tmp_path / "share/folder", mounted((tmp_path / "share", kind))) == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuseblk"])
def test_what_this_machine_alone_writes_to_has_events(mounted, tmp_path, kind):
    assert without_events(tmp_path / "disk", mounted((tmp_path / "disk", kind))) is None


def test_a_link_leads_to_where_it_leads(mounted, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "share")
    assert network_file_system(tmp_path / "link/x", mounted((tmp_path / "share", "nfs4"))) == "nfs4"


def test_a_system_that_does_not_tell_has_none(tmp_path):
    assert network_file_system(tmp_path, tmp_path / "missing") is None


def test_this_machine_tells(tmp_path):
    assert mounts.MOUNTS.exists()
    assert network_file_system(tmp_path) is None


class TestTheStateDatabase:
    @pytest.fixture
    def share(self, mounted, tmp_path, monkeypatch):
        """A directory that is said to be on a server, or not, as `share.kind` is."""
        share = Share(tmp_path / "share")
        monkeypatch.setattr(
            state, "network_file_system", lambda path: network_file_system(path, mounted((share.path, share.kind)))
        )
        return share

    def test_H06_on_one_is_not_written_ahead_of(self, share):
        share.kind = "nfs4"
        assert share.journal() == "delete"
        assert {path.suffix for path in share.path.iterdir()} == {".db", ".lock"}

    def test_H06_on_a_disk_of_this_machine_is(self, share):
        assert share.journal() == "wal"

    def test_H06_that_is_moved_to_one_changes_its_ways(self, share):
        assert share.journal() == "wal"
        share.kind = "smb3"
        assert share.journal() == "delete"


class Share:
    def __init__(self, path):
        self.path = path
        self.kind = "ext4"

    def journal(self):
        """Use a state database there as a run does, and return how it was kept."""
        with State(self.path / "state.db") as opened:
            job = opened.open_job("site", "file:///a/", "memory://b/")
            rows = {f"{number:05}": BaseRow("s", "t", None) for number in range(3000)}
            for key, row in rows.items():
                job.record(key, row)
            job.save()
            pages = job.pages()
            seen = [*next(pages).keys]
            # In the middle of reading, as where the listings are compared with the base while outcomes come in.
            job.record("zz", BaseRow("s", "t", None))
            job.save()
            seen += [key for page in pages for key in page.keys]
            assert set(seen) - {"zz"} == set(rows)
            job.close()
        with contextlib.closing(sqlite3.connect(self.path / "state.db")) as connection:
            return connection.execute("PRAGMA journal_mode").fetchone()[0]
