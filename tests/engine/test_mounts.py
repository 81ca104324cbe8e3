"""File systems that other machines may be on are told from those of this machine (H06)."""

import pytest

from cloudsync_core.engine import mounts, state
from cloudsync_core.engine.mounts import network_file_system
from cloudsync_core.engine.state import State
from cloudsync_core.errors import StateError

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


def test_a_link_leads_to_where_it_leads(mounted, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "share")
    assert network_file_system(tmp_path / "link/x", mounted((tmp_path / "share", "nfs4"))) == "nfs4"


def test_a_system_that_does_not_tell_has_none(tmp_path):
    assert network_file_system(tmp_path, tmp_path / "missing") is None


def test_this_machine_tells(tmp_path):
    assert mounts.MOUNTS.exists()
    assert network_file_system(tmp_path) is None


def test_H06_a_state_database_on_one_is_refused_with_the_way_out(mounted, tmp_path, monkeypatch):
    share = tmp_path / "share"
    listed = mounted((share, "nfs4"))
    monkeypatch.setattr(state, "network_file_system", lambda path: network_file_system(path, listed))
    with pytest.raises(StateError, match=r"state\.db: .* cannot be on a network file system \(nfs4\)") as caught:
        State(share / "cloudsync/state.db")
    assert "CLOUDSYNC_STATE_DIR" in caught.value.hint
    assert not (share / "cloudsync/state.db").exists()
    State(tmp_path / "local/state.db").close()
