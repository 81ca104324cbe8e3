"""No secret appears in any output, state file, plan or traceback: canaries in every place where a secret may stand."""

import pytest
import yaml

from tests.cli.canaries import search
from tests.cli.conftest import write_tree

CANARIES = {
    "key id": "AKIDCANARY0000000001",
    "from a file": "canary/from+a file=",
    "on the command line": "canary-on-the-command-line",
    "token": "canary-session-token",
}


@pytest.fixture
def watched(folder, tmp_path, cloudsync):
    """Run the command, and look for canaries in everything that it leaves behind."""

    def run(*args, code=0):
        result = cloudsync(*args, code=code)
        search(CANARIES, result, tmp_path, given={folder / "secret"})
        return result

    return run


@pytest.fixture
def bucket(moto_s3, folder, monkeypatch):
    """A config with canaries for a bucket that exists, and one for a bucket that does not."""
    write_tree(folder / "site", {f"{number}.txt": str(number) for number in range(5)})
    (folder / "site/link").symlink_to("0.txt")
    (folder / "secret").write_text(CANARIES["from a file"] + "\n")
    monkeypatch.setenv("KEY_ID", CANARIES["key id"])
    monkeypatch.setenv("TOKEN", CANARIES["token"])
    options = {
        **moto_s3.options,
        "access_key_id": "${env:KEY_ID}",
        "secret_access_key": "${file:secret}",
        "session_token": "${env:TOKEN}",
    }
    name = moto_s3.make_bucket()

    def job(target, **rules):
        return {
            "source": "./site",
            "target": {"url": target, "options": {**options, **rules.pop("options", {})}},
            **rules,
        }

    jobs = {
        "good": job(f"s3://{name}/x", delete=True, headers=[{"match": ["*"], "metadata": {"owner": "${env:TOKEN}"}}]),
        "missing": job("s3://no-such-bucket"),
        "wrong": job(f"s3://{name}/x", options={"${env:TOKEN}": "x"}),
        "mistyped": job(f"s3://{name}/x", options={"anonymous": "${env:TOKEN}"}),
        "unreachable": job(f"s3://{name}/x", options={"endpoint_url": "http://127.0.0.1:1"}, retries=1),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump({"version": 1, "jobs": jobs}))
    return name


VOLUMES = [("-vvv",), ("--json",)]
"""All that can be said, in words and in events; whoever asks for less gets a part of the words."""


@pytest.mark.parametrize("volume", VOLUMES, ids=str)
@pytest.mark.parametrize(
    ("job", "code"), [("good", 0), ("missing", 4), ("wrong", 2), ("mistyped", 2), ("unreachable", 4)]
)
def test_runs_that_succeed_and_runs_that_fail(watched, bucket, job, code, volume):
    watched("run", "config.yaml", "--job", job, *volume, code=code)


def test_a_plan_and_what_is_done_with_it(watched, bucket):
    watched("plan", "config.yaml", "--job", "good", "-o", "plan.jsonl")
    watched("apply", "plan.jsonl", "-v")
    watched("status", "config.yaml", "--json")
    watched("run", "config.yaml", "--job", "good", "--dry-run", "--json")


class TestOnTheCommandLine:
    @pytest.fixture
    def options(self, moto_s3):
        values = {**moto_s3.options, "secret_access_key": CANARIES["on the command line"]}
        return [part for name, value in values.items() for part in ("--target-option", f"{name}={value}")]

    @pytest.mark.parametrize("volume", VOLUMES, ids=str)
    def test_a_mirror_that_succeeds_and_ones_that_fail(self, watched, bucket, options, volume):
        watched("mirror", "site", f"s3://{bucket}/y", *options, *volume)
        watched("mirror", "site", "s3://no-such-bucket", *options, *volume, code=4)
        watched("mirror", "site", f"s3://{bucket}/y", *options, "--target-option", "nonsense=1", *volume, code=2)
        watched("mirror", "nowhere", f"s3://{bucket}/y", *options, *volume, code=4)

    def test_one_that_is_mistyped(self, watched, bucket):
        canary = CANARIES["on the command line"]
        watched("mirror", "site", f"s3://{bucket}/y", "--target-option", canary, code=2)
        watched("mirror", "site", f"s3://{bucket}/y", "--target-option", f"secret_access_kye={canary}", code=2)
        watched("mirror", "site", f"s3://{bucket}/y", "--target-option", f"path_style={canary}", code=2)
        watched("mirror", "site", f"s3://{bucket}/y", "--target-optoin", f"secret_access_key={canary}", code=2)
        watched("mirror", "site", f"s4://user:{canary}@{bucket}/y", code=2)
        watched("ls", f"s3://{bucket}/y", "--option", f"secret_access_key={canary}", code=2)

    def test_ls_and_check(self, watched, bucket, options):
        watched("check", "site", f"s3://{bucket}/y", *options, "-v", code=1)
        watched("ls", f"s3://{bucket}/y", *[part.replace("--target-", "--") for part in options], "-vv")


CARELESS = """
import os
from cloudsync_core.plugins import ComparatorInfo, hookimpl

@hookimpl
def cloudsync_register_comparators():
    return [ComparatorInfo("careless", "", "careless_plugin:Careless")]

@hookimpl
def cloudsync_resolve_secret(ref):
    return os.environ["TOKEN"] if ref == "vault:token" else None

@hookimpl
def cloudsync_run_started(run):
    print("hello from a plugin")

@hookimpl
def cloudsync_outcomes(run, outcomes):
    raise ValueError("cannot tell " + os.environ["TOKEN"])

class Careless:
    def quick(self, pair):
        raise ValueError("cannot compare " + os.environ["TOKEN"])
"""


class TestAPluginThatIsCareless:
    @pytest.fixture(autouse=True)
    def careless(self, tmp_path, monkeypatch):
        info = tmp_path / "plugins/careless-1.0.dist-info"
        info.mkdir(parents=True)
        (tmp_path / "plugins/careless_plugin.py").write_text(CARELESS)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: careless\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[cloudsync]\ncareless = careless_plugin\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))
        monkeypatch.setenv("TOKEN", CANARIES["token"])

    @pytest.fixture
    def arguments(self, folder):
        write_tree(folder / "site", {"a": "a"})
        write_tree(folder / "copy", {"a": "b"})
        (folder / "config.yaml").write_text(
            "version: 1\njobs: {site: {source: ./site, target: ./copy, "
            "headers: [{match: ['*'], cache_control: '${vault:token}'}]}}\n"
        )
        return "run", "config.yaml"

    def test_what_it_raises_in_a_hook(self, watched, arguments):
        result = watched(*arguments)
        assert (
            "warning: the plugin careless (careless 1.0) failed in outcomes: ValueError: cannot tell ***" in result.err
        )

    def test_what_it_prints_does_not_disturb_json(self, watched, arguments):
        result = watched(*arguments, "--json")
        assert result.report["status"] == "done"
        assert "hello from a plugin" in result.err

    @pytest.mark.parametrize("volume", VOLUMES, ids=str)
    def test_a_defect_of_it_ends_the_command(self, watched, arguments, folder, tmp_path, volume):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace("headers:", "compare: careless, headers:"))
        result = watched(*arguments, *volume, code=70)
        assert "error: cloudsync met an error that it does not know: ValueError" in result.err
        [report] = (tmp_path / "temporary").glob("cloudsync-error-*.txt")
        assert "ValueError: cannot compare ***" in report.read_text()
