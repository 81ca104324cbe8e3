"""The CloudFormation template of what `cloudsync s3 setup` makes, for whoever makes nothing by hand."""

from __future__ import annotations

import json
from typing import Final

from cloudsync_core import keys
from cloudsync_s3.setup import EVENTS, RECEIVES, RETENTION, VISIBILITY, filter_value, notification_id
from cloudsync_s3.source import default_queue

_TEMPLATE: Final = """\
# The queue by which cloudsync hears of changes in an S3 bucket.
#
# A stack cannot change the notifications of a bucket that it has not made. So, when this one is there, either run
#
#   cloudsync s3 setup {bucket}{arguments}
#
# which then adds the notification alone, or add this to the template that makes the bucket, with the ARN that this
# stack has as output:
#
#   NotificationConfiguration:
#     QueueConfigurations:
{configurations}
AWSTemplateFormatVersion: "2010-09-09"
Description: {description}
Resources:
  DeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {dead}
      MessageRetentionPeriod: {retention}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {queue}
      MessageRetentionPeriod: {retention}
      VisibilityTimeout: {visibility}
      ReceiveMessageWaitTimeSeconds: 20
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn
        maxReceiveCount: {receives}
  QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues:
        - !Ref Queue
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Sid: {sid}
            Effect: Allow
            Principal:
              Service: s3.amazonaws.com
            Action: sqs:SendMessage
            Resource: !GetAtt Queue.Arn
            Condition:
              ArnLike:
                aws:SourceArn: !Sub {source}
              StringEquals:
                aws:SourceAccount: !Ref AWS::AccountId
Outputs:
  QueueArn:
    Value: !GetAtt Queue.Arn
  QueueUrl:
    Value: !Ref Queue
"""


def template(bucket: str, prefix: str, queue: str | None) -> str:
    """Return the template, in YAML; the arguments are those of `cloudsync_s3.setup.Setup`."""
    name = queue or default_queue(bucket, prefix)
    root = keys.folder(prefix)
    given = [("--prefix", prefix), ("--queue", queue)]
    return _TEMPLATE.format(
        bucket=bucket,
        arguments="".join(f" {option} {json.dumps(value)}" for option, value in given if value),
        configurations="\n".join(_configurations(root)),
        description=json.dumps(f"cloudsync: events of the bucket {bucket} ({notification_id(name, root)})"),
        dead=json.dumps(f"{name}-dead"),
        queue=json.dumps(name),
        retention=RETENTION,
        visibility=VISIBILITY,
        receives=RECEIVES,
        sid=json.dumps(f"cloudsync-{bucket.replace('.', '_')}"),
        source=json.dumps(f"arn:${{AWS::Partition}}:s3:::{bucket}"),
    )


def _configurations(root: str) -> list[str]:
    """Return the lines of the bucket's notifications, one for each event, as comments."""
    lines = []
    for event in EVENTS:
        lines += [f"#       - Event: {json.dumps(event)}", "#         Queue: <QueueArn>"]
        if root:
            rule = f"{{Name: prefix, Value: {json.dumps(filter_value(root))}}}"
            lines.append(f"#         Filter: {{S3Key: {{Rules: [{rule}]}}}}")
    return lines
