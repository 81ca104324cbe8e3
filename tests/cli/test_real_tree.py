"""What is promised first: more files than a page of a listing go from a directory through buckets into a directory."""

import os
import shutil
import subprocess
import sysconfig
from itertools import islice
from pathlib import Path

import pytest
import yaml

FILES = 1_200
"""More than a page of a listing holds."""
LARGEST = 200_000
"""Bytes; files that are larger are left out, to keep the test short."""


def real_files(library):
    for folder, names, files in os.walk(library):
        names[:] = sorted(name for name in names if name not in {"site-packages", "__pycache__"})
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
                yield path


@pytest.fixture
def library(folder):
    """The standard library's files with their times, and names and folders that it does not have."""
    whole = Path(sysconfig.get_path("stdlib"))
    copy = folder / "library"
    for path in islice(real_files(whole), FILES):
        target = copy / path.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    for name in ("Überschrift/naïve ☕.txt", "日本語/文字.py", "a b/#1?x=%2F+&.txt"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(name)
    (copy / "nothing in here").mkdir()
    return copy


def difference(first, second):
    return subprocess.run(["diff", "-r", first, second], capture_output=True, text=True, check=False).stdout


@pytest.mark.timeout(300)
def test_a_real_tree_through_two_buckets_and_back(cloudsync, moto_s3, folder, library, monkeypatch):
    monkeypatch.setenv("THE_KEY", moto_s3.access_key_id)
    monkeypatch.setenv("THE_SECRET", moto_s3.secret_access_key)
    options = {**moto_s3.options, "access_key_id": "${env:THE_KEY}", "secret_access_key": "${env:THE_SECRET}"}
    first, second = (f"s3://{moto_s3.make_bucket()}/tree" for _ in range(2))
    on_first, on_second = ({"url": url, "options": options} for url in (first, second))
    jobs = {
        "up": {"source": "./library", "target": on_first, "delete": True},
        "across": {"source": on_first, "target": on_second, "delete": True},
        "down": {"source": on_second, "target": "./back", "delete": True},
    }
    Path("config.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": jobs}, sort_keys=False))

    reports = cloudsync("run", "config.yaml", "--json").of("report")
    assert min(report["counts"]["added"] for report in reports) >= FILES
    assert [report["counts"]["failed"] for report in reports] == [0, 0, 0]
    assert difference(library, folder / "back") == ""
    for path in library.rglob("*"):
        if path.is_file():
            assert abs(path.stat().st_mtime - (folder / "back" / path.relative_to(library)).stat().st_mtime) < 1

    for report in cloudsync("run", "config.yaml", "--json").of("report"):
        assert (report["counts"]["added"], report["counts"]["updated"], report["counts"]["deleted"]) == (0, 0, 0)
        assert {verb for verbs in report["requests"].values() for verb in verbs} == {"list"}

    changed, gone = library / "abc.py", library / "ast.py"
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + b"#")
    os.utime(changed, (1_000_000_000, 1_000_000_000))
    gone.unlink()
    for report in cloudsync("run", "config.yaml", "--json").of("report"):
        assert (report["counts"]["added"], report["counts"]["updated"], report["counts"]["deleted"]) == (0, 1, 1)
    assert (folder / "back" / "abc.py").read_bytes() == content[:-1] + b"#"
    assert not (folder / "back" / "ast.py").exists()

    files = [path for path in library.rglob("*") if path.is_file()]
    for path in files[: len(files) * 6 // 10]:
        path.unlink()
    refused = cloudsync("run", "config.yaml", "--job", "up", "--json", code=4).of("report")[-1]
    assert (refused["status"], refused["counts"]["deleted"]) == ("refused", 0)
    kept = cloudsync("run", "config.yaml", "--job", "across", "--json").of("report")[-1]
    assert kept["counts"]["unchanged"] >= FILES
