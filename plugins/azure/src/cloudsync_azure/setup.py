"""What has to be there so that changes of a container are heard of: a storage queue, and a subscription of Event Grid.

The queue is made here. The subscription is made by Azure's management interface, to which the credentials of a storage
account do not lead: whoever may do that gets commands of `az`, or a template, which need nothing filled in.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from typing import Any, Final
from urllib.parse import quote

from cloudsync_azure.events import TYPES
from cloudsync_azure.queue import Queue, meaning_of
from cloudsync_core import keys
from cloudsync_core.backends.judging import naming
from cloudsync_core.errors import ConfigError

MAKER: Final = "cloudsync"
"""The name of the metadata by which a queue says for what it was made; others are left alone."""

LONGEST_NAME: Final = 63
"""Characters of a queue's name (https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata)."""

_SECONDS_TO_LIVE: Final = 7 * 24 * 3600
_PROVIDER: Final = "az provider register --namespace Microsoft.EventGrid --wait"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be heard of, and where.

    Attributes:
        account: the storage account.
        container: in it.
        prefix: of the names of the objects; may be empty.
        queue: the name of the queue, in the same account.
    """

    account: str
    container: str
    prefix: str
    queue: str

    @property
    def purpose(self) -> str:
        """What the queue is for, as its metadata has it."""
        return quote(f"{self.container}/{keys.folder(self.prefix)}", safe="/-._~$")

    @property
    def subject(self) -> str:
        """What the subjects of the events begin with."""
        return f"/blobServices/default/containers/{self.container}/blobs/{keys.folder(self.prefix)}"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with the queue.

    Attributes:
        text: what it is, for the user.
        verb: `create` or `remove`; `None` where nothing is to be done.
    """

    text: str
    verb: str | None


def queue_name(container: str) -> str:
    """Return the name that the queue of a container has by default.

    Raises:
        ConfigError: it would be too long.
    """
    name = f"cloudsync-{container.lstrip('$')}"
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"the name of a queue has at most {LONGEST_NAME} characters", hint="Choose one by --queue.")
    return name


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
    return Step(f"the {name} is there", None)


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


def commands(wanted: Wanted, *, remove: bool = False) -> list[str]:
    """Return the commands of `az` that make or remove the subscription; they need nothing filled in."""
    account = f"account=$(az storage account show --name {wanted.account} --query id --output tsv)"
    name = f"--name {wanted.queue}"
    if remove:
        return [account, f'az eventgrid event-subscription delete {name} --source-resource-id "$account"']
    lines = [
        f"az eventgrid event-subscription create {name}",
        '--source-resource-id "$account"',
        "--endpoint-type storagequeue",
        f'--endpoint "$account/queueservices/default/queues/{wanted.queue}"',
        "--event-delivery-schema cloudeventschemav1_0",
        f"--storage-queue-msg-ttl {_SECONDS_TO_LIVE}",
        f"--included-event-types {' '.join(TYPES)}",
        f"--subject-begins-with {shlex.quote(wanted.subject)}",
        "--subject-case-sensitive true",
    ]
    return [account, _PROVIDER, " \\\n  ".join(lines)]


def template(wanted: Wanted) -> str:
    """Return a template of Azure Resource Manager that makes the queue and the subscription, as JSON."""
    account = "resourceId('Microsoft.Storage/storageAccounts', parameters('account'))"
    kind = "Microsoft.Storage/storageAccounts/queueServices/queues"
    queue = f"resourceId('{kind}', parameters('account'), 'default', parameters('queue'))"
    found: dict[str, Any] = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "account": {"type": "string", "defaultValue": wanted.account},
            "queue": {"type": "string", "defaultValue": wanted.queue},
        },
        "resources": [
            {
                "type": kind,
                "apiVersion": "2023-01-01",
                "name": "[format('{0}/default/{1}', parameters('account'), parameters('queue'))]",
                "properties": {"metadata": {MAKER: wanted.purpose}},
            },
            {
                "type": "Microsoft.EventGrid/eventSubscriptions",
                "apiVersion": "2022-06-15",
                "name": "[parameters('queue')]",
                "scope": "[format('Microsoft.Storage/storageAccounts/{0}', parameters('account'))]",
                "dependsOn": [f"[{queue}]"],
                "properties": {
                    "destination": {
                        "endpointType": "StorageQueue",
                        "properties": {
                            "resourceId": f"[{account}]",
                            "queueName": "[parameters('queue')]",
                            "queueMessageTimeToLiveInSeconds": _SECONDS_TO_LIVE,
                        },
                    },
                    "eventDeliverySchema": "CloudEventSchemaV1_0",
                    "filter": {
                        "includedEventTypes": list(TYPES),
                        "subjectBeginsWith": wanted.subject,
                        "isSubjectCaseSensitive": True,
                    },
                },
            },
        ],
    }
    return json.dumps(found, indent=2)


def _shown(wanted: Wanted) -> str:
    return f"queue {wanted.queue} of {wanted.account}"
