"""Fetches feeds, and tells the other servers what it has fetched: one update a feed.

python fetcher.py URL...            addresses of feeds; file:/… and data:… will do, too
"""

import os
import sys
import urllib.request
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from cloudsync_core import Channel


def fetch(url: str) -> dict[str, str]:
    """Return a feed as the value that is published."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - whoever calls it chooses the address
        return {"url": url, "body": answer.read().decode()}


def main(urls: list[str]) -> None:
    """Publish what is at some addresses."""
    with Channel(os.environ["FEEDS_CHANNEL"], publisher=os.environ.get("FEEDS_SERVER")) as channel:
        for url in urls:
            name = PurePosixPath(urlsplit(url).path).stem or "index"
            update = channel.publish(f"feeds/{name}", fetch(url), {"source": url})
            print(f"published {update.topic} as {update.id}")


if __name__ == "__main__":
    main(sys.argv[1:])
