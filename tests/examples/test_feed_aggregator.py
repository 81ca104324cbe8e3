"""The example of servers that share feeds, as its README says: three processes and one bucket."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/feed_aggregator"
CLOUDSYNC = Path(sys.executable).with_name("cloudsync")


@pytest.fixture
def server(tmp_path, moto_s3):
    """A folder with the example in it, and the environment that its README sets."""
    folder = tmp_path / "server"
    shutil.copytree(EXAMPLE, folder)
    (folder / "feeds").mkdir()
    env = {
        **os.environ,
        "AWS_ENDPOINT_URL": moto_s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": moto_s3.access_key_id,
        "AWS_SECRET_ACCESS_KEY": moto_s3.secret_access_key,
        "AWS_REGION": "us-east-1",
        "HOME": str(tmp_path),
        "FEEDS_CHANNEL": f"s3://{moto_s3.make_bucket()}/feeds",
        "FEEDS_SERVER": "fetcher",
        "FEEDS_INTERVAL": "0.3",
    }
    return Server(folder, env)


class Server:
    def __init__(self, folder, env):
        self.folder = folder
        self.env = env

    def run(self, *command):
        ran = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    @contextlib.contextmanager
    def running(self, *command):
        """A process that goes on until the block ends, and then ends well when it is told to."""
        name = self.folder / f"{Path(command[1]).stem}.log"
        with name.open("w") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
            try:
                yield
                assert process.poll() is None, f"it ended: {name.read_text()}"
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(30)
            assert code == 0, name.read_text()

    def items(self):
        """What the reader has kept: topics, publishers and contents."""
        with contextlib.closing(sqlite3.connect(self.folder / "items.db")) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'item'").fetchone():
                return []
            return database.execute("SELECT topic, publisher, content FROM item ORDER BY topic").fetchall()

    def published(self):
        """Who has published what the channel holds, in order."""
        listed = self.run(CLOUDSYNC, "channel", "ls", self.env["FEEDS_CHANNEL"])
        return [line.split()[-1] for line in listed.splitlines()]

    def until(self, what, seconds=30):
        until = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < until, (self.items(), [log.read_text() for log in self.folder.glob("*.log")])
            time.sleep(0.05)


def test_three_processes_share_feeds_through_one_bucket(server):
    (server.folder / "news.xml").write_text("<rss>news</rss>")
    said = server.run(sys.executable, "fetcher.py", (server.folder / "news.xml").as_uri())
    assert said.startswith("published feeds/news as ")
    with (
        server.running(sys.executable, "reader.py", "items.db"),
        server.running(CLOUDSYNC, "run", "aggregator.yaml"),
    ):
        (server.folder / "feeds/europe").mkdir()
        (server.folder / "feeds/europe/sport.feed").write_text("<rss>sport</rss>")
        (server.folder / "feeds/europe/sport.tmp").write_text("not a feed")
        server.until(lambda: len(server.items()) == 2)
        server.until(lambda: list((server.folder / "inbox").rglob("*.json")))
    assert [(topic, publisher) for topic, publisher, _ in server.items()] == [
        ("feeds/europe/sport", "aggregator"),
        ("feeds/news", "fetcher"),
    ]
    assert server.items()[0][2] == b"<rss>sport</rss>"
    # Its own updates are not among them.
    assert [path.parent.name for path in (server.folder / "inbox").rglob("*") if path.is_file()] == ["news"]
    channel = server.env["FEEDS_CHANNEL"]
    assert server.published() == ["fetcher", "aggregator"]
    server.run(CLOUDSYNC, "channel", "prune", channel, "--max-age", "24h")
    assert server.published() == ["fetcher", "aggregator"]
    server.run(CLOUDSYNC, "channel", "prune", channel, "--max-age", "0s", "--force")
    assert server.published() == []
