"""The numbers that a display reads while a run goes on."""

import threading

from cloudsync_core.engine.progress import Progress


def test_each_side_is_counted_for_itself():
    progress = Progress()
    progress.listed("source", 3)
    progress.listed("target", 2)
    progress.listed("source", 1)
    assert (progress.source_listed, progress.target_listed) == (4, 2)


def test_bytes_of_many_threads_add_up():
    progress = Progress()
    threads = [threading.Thread(target=lambda: [progress.add_bytes(1) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert progress.done_bytes == 8000
