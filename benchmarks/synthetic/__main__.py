"""Runs the server until it is ended; the first line of its output is its URL."""

from __future__ import annotations

import argparse
import asyncio
import gc

import benchmarks.synthetic
from benchmarks.synthetic.buckets import Bucket, Written, rendered
from benchmarks.synthetic.service import Service
from benchmarks.synthetic.wire import Connection


async def serve(port: int, latency: float, buckets: dict[str, Bucket]) -> None:
    service = Service(buckets)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(service, latency), "127.0.0.1", port, backlog=1024)
    # What was rendered stays; looking at it again and again would be charged to the clients.
    gc.freeze()
    print(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", flush=True)
    await listener.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.synthetic",
        description=benchmarks.synthetic.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--bucket", action="append", default=[], help="an empty bucket; repeatable")
    parser.add_argument("--rendered", action="append", default=[], metavar="NAME=KEYS", help="a listing; repeatable")
    options = parser.parse_args()
    buckets: dict[str, Bucket] = {name: Written() for name in options.bucket}
    for text in options.rendered:
        name, _, count = text.partition("=")
        buckets[name] = rendered(int(count))
    asyncio.run(serve(options.port, options.latency, buckets))


if __name__ == "__main__":
    main()
