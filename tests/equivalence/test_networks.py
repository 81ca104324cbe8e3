"""A server that answers badly, or not at all: every cloud comes to the same, as if nothing had happened."""

import itertools
import threading

import pytest

from cloudsync_core.body import Body
from cloudsync_core.models import Attributes
from cloudsync_core.testing.faults import Response, cut_answer, drop_request, lose_answer, refuse
from tests.equivalence.records import record
from tests.equivalence.runs import run_by_command, write_config
from tests.equivalence.script import made, noise
from tests.equivalence.stores import BOUNDARY, STORES
from tests.servers.proxy import proxy_before

CLOUDS = [name for name, store in STORES.items() if store.fixture]
FAULTS = {
    "500": refuse(Response(500, b"broken")),
    "503": refuse(Response(503, b"busy")),
    "no-answer": drop_request(),
    "lost-answer": lose_answer(),
    "cut-answer": cut_answer(after=1),
}
OBJECTS = {
    **{key: made(key, f"content of {key}") for key in ("a", "folder/b", "\u00e9 c", "d.html", "e")},
    "empty": made("empty", b""),
    "large": made("large", noise(2 * BOUNDARY + 1)),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_F01_every_request_goes_wrong_once_and_nothing_is_lost_or_told(cloud, fault, fresh_place, request, tmp_path):
    here, back = fresh_place("memory", "here"), fresh_place("memory", "back")
    with here.open() as backend:
        for key, found in OBJECTS.items():
            backend.put(key, Body(found.data), attributes=found.attributes)
    with proxy_before(request.getfixturevalue(STORES[cloud].fixture)) as proxy:
        (folder := tmp_path / "there").mkdir()
        there = STORES[cloud].place(proxy.server, folder)
        for number, (source, target) in enumerate(((here, there), (there, back), (here, there))):
            proxy.calm()
            disturbance = proxy.disturb(each_for_the_first_time(), FAULTS[fault])
            (job := tmp_path / str(number)).mkdir()
            report = mirrored(job, source, target)
            assert disturbance.met > 0
            wanted = {"status": "done", f"counts.{'unchanged' if number == 2 else 'added'}": len(OBJECTS)}
            told = {name: value for name, value in report.items() if name.startswith(("status", "counts", "failures"))}
            assert told == wanted, report.get("message")
    with back.open() as backend:
        assert contents(backend) == {key: (found.data, found.attributes) for key, found in OBJECTS.items()}


def each_for_the_first_time():
    """Return what chooses the first request of each method for each path."""
    seen, lock = set(), threading.Lock()

    def chosen(request):
        with lock:
            new = (request.method, request.path) not in seen
            seen.add((request.method, request.path))
            return new

    return chosen


def mirrored(folder, source, target):
    config = write_config(folder, source, target, {"retries": 8})
    with source.open() as left, target.open() as right:
        return record(*run_by_command(["run", str(config)]), left.location, right.location).report


def contents(backend):
    found = {}
    for key in itertools.chain.from_iterable(page.keys for page in backend.list()):
        with backend.get(key) as reader:
            found[key] = reader.read(), reader.info.attributes or Attributes()
    return found
