"""Runs the Google Cloud Storage test server by itself; the first line of its output is its URL.

`python -m tests.servers.gcs_main`, from the root of the repository.
"""

from __future__ import annotations

import argparse
import gc
import signal

from tests.servers.gcs_http import HttpServer
from tests.servers.gcs_service import Service


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.gcs_main", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args()
    # Every thread inherits the mask, so that the signals stay for this one to wait for.
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    service = Service()
    listener = HttpServer(service.answer, options.port)
    service.url = listener.url
    gc.freeze()
    listener.start()
    print(listener.url, flush=True)
    signal.sigwait(ending)
    listener.stop()


if __name__ == "__main__":
    main()
