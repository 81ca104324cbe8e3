"""What the entry point names: records and commands. Nothing of the SDK is imported before it is needed."""

from __future__ import annotations

import click

from cloudsync_core.plugins import BackendInfo, EventSourceInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `s3://` locations."""
    return [
        BackendInfo(
            schemes=("s3",),
            summary="Amazon S3 and every server that speaks its protocol",
            factory="cloudsync_s3.backend:S3Backend",
            options="cloudsync_s3.config:S3Options",
            install_hint="pip install cloudsync-s3",
        )
    ]


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    """Offer the event source for `s3://` locations."""
    return [
        EventSourceInfo(
            "sqs",
            "what a bucket tells of its objects through a queue of Amazon SQS",
            "cloudsync_s3.source:SqsEvents",
            schemes=("s3",),
            options="cloudsync_s3.source:SqsOptions",
            install_hint="pip install cloudsync-s3",
        )
    ]


@hookimpl
def cloudsync_register_commands(cli: click.Group) -> None:
    """Add `cloudsync s3`."""
    from cloudsync_s3.commands import s3  # noqa: PLC0415 - every command imports this module, and few are this one

    cli.add_command(s3)
