"""The subscription of Event Grid, as commands of `az` and as a template: for whoever may make one."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from cloudsync_azure.events import TYPES
from cloudsync_azure.setup import MAKER, Wanted

_SECONDS_TO_LIVE: Final = 7 * 24 * 3600
_PROVIDER: Final = "az provider register --namespace Microsoft.EventGrid --wait"


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
