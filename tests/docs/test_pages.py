"""Every page is executed from top to bottom, as a reader would follow it, and its links lead somewhere."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import EXECUTED, SHOWN, blocks, execute
from tests.servers.azurite import AzureServer, QueueServer
from tests.servers.gcs import running_gcs
from tests.servers.pubsub import connect, running_pubsub
from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "plugins/*/*.md", "examples/*/*.md", "changelog.d/README.md")
    for page in ROOT.glob(pattern)
)
BUCKET = "my-bucket"
CONTAINER = "my-container"
"""What pages call the reader's own."""

STORES = {"s3": "s3_bucket", "az": "azure_container", "gs": "gcs_bucket"}
"""What a page needs that names a scheme."""

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the reader works: a copy of the quickstart, in a home of its own."""
    shutil.copytree(
        ROOT / "examples/quickstart", tmp_path / "work", ignore=shutil.ignore_patterns(".cloudsync", "mirrored")
    )
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "work"


@pytest.fixture
def terminal(monkeypatch):
    """A plain terminal of a fixed width, with the `cloudsync` under test first on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def s3_bucket(moto_s3: S3Server, monkeypatch):
    """The reader's bucket, empty, reached through the environment as the SDKs do."""
    moto_s3.client.create_bucket(Bucket=BUCKET)
    for key in moto_s3.contents(BUCKET):
        moto_s3.client.delete_object(Bucket=BUCKET, Key=key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_s3.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto_s3.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto_s3.secret_access_key)


@pytest.fixture
def azure_container(azurite: AzureServer, azurite_queues: QueueServer, monkeypatch):
    """The reader's container on Azure, empty, reached in the same way, and the queues of the same account."""
    container = azurite.client.get_container_client(CONTAINER)
    if not container.exists():
        container.create_container()
    for key in azurite.contents(CONTAINER):
        container.delete_blob(key)
    queues = f"QueueEndpoint={azurite_queues.account_url};"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string + queues)


@pytest.fixture
def gcs_bucket(monkeypatch):
    """The reader's bucket on Google Cloud Storage, likewise, and a Pub/Sub that it can tell of changes."""
    with running_gcs() as server, running_pubsub() as pubsub:
        connect(server, pubsub)
        server.make_bucket(BUCKET)
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint_url)
        yield


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(ROOT / page)], ids=str)
def test_a_page_does_what_it_says(page, folder, terminal, request):
    found = [block for block in blocks(ROOT / page) if not block.excuse]
    for scheme, fixture in STORES.items():
        if any(f"{scheme}://" in block.text for block in found):
            request.getfixturevalue(fixture)
    namespace = {"__name__": "page"}
    for block in found:
        if block.language in EXECUTED or block.title:
            execute(block, folder, os.environ, namespace)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_says_of_each_block_what_it_is(page):
    unknown = [str(block) for block in blocks(ROOT / page) if block.language not in EXECUTED | SHOWN]
    assert not unknown, f"the languages of blocks are {sorted(EXECUTED | SHOWN)}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page):
    broken = [
        f"{path}#{anchor}" if anchor else path
        for path, anchor in LINK.findall(prose(ROOT / page))
        if not reachable((ROOT / page).parent / path if path else ROOT / page, anchor)
    ]
    assert not broken


@pytest.mark.parametrize("folder", ["docs", "docs/adr"])
def test_the_index_of_a_folder_names_every_page(folder):
    index = ROOT / folder / "index.md"
    linked = {path for path, _ in LINK.findall(index.read_text())}
    pages = {page.name for page in index.parent.glob("*.md")} - {"index.md"}
    assert not pages - linked


def prose(page):
    """The page without its blocks and code: a `](` in an example is no link."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def reachable(target, anchor):
    if not target.exists():
        return False
    if not anchor:
        return True
    headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
