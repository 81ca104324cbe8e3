"""Moving one object the way a run does, for the tests of what comes of it."""

import threading

from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.transfer import Transfer, TransferRules
from cloudsync_core.errors import UnavailableError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.runs import Action
from tests.engine.stores import Shaped, bare, listed, without_digests
from tests.unit.layers.scripted import Fault

LOST = Fault(UnavailableError("the answer was lost"), answer_lost=True)
DOWN = Fault(UnavailableError("down"))


def transfer(source, target, *, rules=(), stop=None, progress=None, attempts=3, read_back=True, server_copy=False):
    return Transfer(
        source,
        target,
        TransferRules(
            retry=RetryPolicy(attempts=attempts, first_wait=0),
            attributes=AttributeRules(rules),
            read_back=read_back,
            server_copy=server_copy,
        ),
        progress or Progress(),
        stop or threading.Event(),
    )


def action(source, target, key="k"):
    """Return what a planner makes of the key."""
    first, second = listed(source).get(key), listed(target).get(key)
    return Action("add" if second is None else "update", key, "test", first, second)


def write(source, target, **options):
    return transfer(source, target, **options).write(action(source, target))


def blind(backend, **capabilities):
    """Return a store that confirms nothing."""
    return Shaped(backend, listed=bare, known=without_digests, **capabilities)
