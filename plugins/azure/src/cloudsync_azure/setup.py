"""What has to be there so that changes of a container are heard of: a storage queue, and a subscription of Event Grid.

The queue is made here. The subscription is made by Azure's management interface, to which the credentials of a storage
account do not lead: whoever may do that gets commands of `az`, or a template, which need nothing filled in.
"""

from __future__ import annotations

import dataclasses
from typing import Final
from urllib.parse import quote

from cloudsync_azure.queue import Queue, meaning_of
from cloudsync_core.backends.judging import naming
from cloudsync_core.errors import ConfigError

MAKER: Final = "cloudsync"
"""The name of the metadata by which a queue says for what it was made; others are left alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be heard of, and where.

    Attributes:
        account: the storage account.
        container: in it.
        folder: what the names of the objects begin with: empty, or with a slash at its end.
        queue: the name of the queue, in the same account.
    """

    account: str
    container: str
    folder: str
    queue: str

    @property
    def purpose(self) -> str:
        """What the queue is for, as its metadata has it."""
        return quote(f"{self.container}/{self.folder}", safe="/-._~$")

    @property
    def subject(self) -> str:
        """What the subjects of the events begin with."""
        return f"/blobServices/default/containers/{self.container}/blobs/{self.folder}"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with the queue.

    Attributes:
        text: what it is, for the user.
        verb: `create` or `remove`; `None` where nothing is to be done.
    """

    text: str
    verb: str | None


def plan(queue: Queue, wanted: Wanted, *, remove: bool) -> Step:
    """Return what has to be done; nothing is changed.

    Raises:
        BackendError: the queue service cannot be asked.
        ConfigError: there is a queue of that name which was made for something else.
    """
    with naming(meaning_of, "look up", _shown(wanted)):
        found = queue.describe()
    name = f"queue {wanted.queue} in the storage account {wanted.account}"
    if found is None:
        return Step(f"no {name}", None) if remove else Step(f"create the {name}", "create")
    metadata, messages = found
    if metadata.get(MAKER) != wanted.purpose:
        raise ConfigError(
            f"the {name} was made for something else",
            hint="Choose another name by --queue: a queue serves one container, one prefix and one job.",
        )
    if remove:
        return Step(f"delete the {name}, with about {messages} messages", "remove")
    return Step(f"keep the {name}", None)


def perform(queue: Queue, wanted: Wanted, step: Step) -> None:
    """Do it.

    Raises:
        BackendError: it cannot be done.
    """
    with naming(meaning_of, step.verb or "", _shown(wanted)):
        if step.verb == "create":
            queue.create({MAKER: wanted.purpose})
        elif step.verb == "remove":
            queue.remove()


def _shown(wanted: Wanted) -> str:
    return f"queue {wanted.queue} of {wanted.account}"
