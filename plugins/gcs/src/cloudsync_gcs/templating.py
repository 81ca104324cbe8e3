"""What `cloudsync gcs setup` makes, by name; and the commands of gcloud that make the same, for who may run them.

https://cloud.google.com/storage/docs/reporting-changes and https://cloud.google.com/pubsub/docs/handling-failures.
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import Final

from cloudsync_core import keys

MARK: Final = ("created-by", "cloudsync")
"""The label, and the attribute of a notification, by which what was made here is known again."""

ACK_DEADLINE: Final = 60
RETENTION: Final = 7 * 24 * 60 * 60
"""Seconds for which a message is kept: as long as Pub/Sub keeps any
(https://cloud.google.com/pubsub/docs/subscription-properties)."""

ATTEMPTS: Final = 10
"""Deliveries of a message before it goes to the dead-letter topic: a few restarts are not the end of one."""

SOONEST_AGAIN: Final = 10
LATEST_AGAIN: Final = 600
"""Seconds between two deliveries of a message that nobody has acknowledged."""

PUBLISHER: Final = "roles/pubsub.publisher"
SUBSCRIBER: Final = "roles/pubsub.subscriber"


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """What belongs to one place that is watched.

    Attributes:
        project: of the topics and the subscriptions.
        name: of the topic and of the subscription.
        bucket: what is watched.
        prefix: only objects below it are told of; "" for all.
    """

    project: str
    name: str
    bucket: str
    prefix: str

    @property
    def dead(self) -> str:
        """The name of the dead-letter topic and of its subscription."""
        return f"{self.name}-dead"

    @property
    def root(self) -> str:
        """What the names of the objects begin with that are told of."""
        return keys.folder(self.prefix)

    def topic(self, name: str) -> str:
        """Return the full name of a topic."""
        return f"projects/{self.project}/topics/{name}"

    def subscription(self, name: str) -> str:
        """Return the full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{name}"


def creating(names: Names) -> str:
    """Return the commands of a shell that make everything."""
    project, mark = f"--project={_word(names.project)}", f"--labels={MARK[0]}={MARK[1]}"
    name, dead, bucket = _word(names.name), _word(names.dead), _word(f"gs://{names.bucket}")
    kept = f"--expiration-period=never --message-retention-duration={RETENTION}s {mark} {project}"
    prefix = f" --object-prefix={_word(names.root)}" if names.root else ""
    return f"""\
set -e
gcloud pubsub topics create {dead} {mark} {project}
gcloud pubsub subscriptions create {dead} --topic={dead} {kept}
gcloud pubsub topics create {name} {mark} {project}
gcloud pubsub subscriptions create {name} --topic={name} --ack-deadline={ACK_DEADLINE} \\
  --dead-letter-topic={_word(names.topic(names.dead))} --max-delivery-attempts={ATTEMPTS} \\
  --min-retry-delay={SOONEST_AGAIN}s --max-retry-delay={LATEST_AGAIN}s \\
  {kept}
OWNER=$(gcloud storage buckets describe {bucket} --raw --format='value(projectNumber)')
STORAGE=$(gcloud storage service-agent --project="$OWNER")
NUMBER=$(gcloud projects describe {_word(names.project)} --format='value(projectNumber)')
PUBSUB=service-$NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com
gcloud pubsub topics add-iam-policy-binding {name} --member="serviceAccount:$STORAGE" \\
  --role={PUBLISHER} {project}
gcloud pubsub topics add-iam-policy-binding {dead} --member="serviceAccount:$PUBSUB" \\
  --role={PUBLISHER} {project}
gcloud pubsub subscriptions add-iam-policy-binding {name} --member="serviceAccount:$PUBSUB" \\
  --role={SUBSCRIBER} {project}
gcloud storage buckets notifications create {bucket} --topic={_word(names.topic(names.name))} \\
  --payload-format=none --custom-attributes={MARK[0]}={MARK[1]} --skip-topic-setup{prefix}
"""


def removing(names: Names) -> str:
    """Return the commands of a shell that remove everything."""
    project, bucket = f"--project={_word(names.project)}", _word(f"gs://{names.bucket}")
    name, dead = _word(names.name), _word(names.dead)
    config = _word(f"projects/_/buckets/{names.bucket}/notificationConfigs/")
    chosen = shlex.quote(f"topic ~ /{names.topic(names.name)}$")
    return f"""\
set -e
gcloud storage buckets notifications list {bucket} --raw --filter={chosen} --format='value(id)' |
while read -r ID; do
  gcloud storage buckets notifications delete {config}"$ID"
done
gcloud pubsub subscriptions delete {name} {dead} {project}
gcloud pubsub topics delete {name} {dead} {project}
"""


def _word(text: str) -> str:
    return shlex.quote(text)
