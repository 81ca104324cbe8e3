"""Subscribe: deliver the updates of a channel, those that are there and those that come."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from cloudsync_core.backend import Backend
from cloudsync_core.channels import events, names
from cloudsync_core.channels.deliveries.deliverer import Deliverer
from cloudsync_core.channels.deliveries.hook import HookDelivery
from cloudsync_core.channels.subscriber import Subscriber
from cloudsync_core.config.jobs.subscribe import SubscribeJob
from cloudsync_core.engine.events import SubscriberTold
from cloudsync_core.engine.probing import find_out
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import CancelledError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.throttle import Throttle
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.runs import Action, Outcome, RunReport
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.supervision import run_of, supervise


def subscribe(name: str, job: SubscribeJob, context: Context) -> RunReport:
    """Deliver the updates of a channel until the context is stopped; with `context.once`, what is there.

    Args:
        name: the job's name, which is that of the subscriber unless the job gives it another.
        job: what to do.
        context: with what.

    Returns:
        The report: updates that were delivered are counted as added, parked ones as failed. What ended the job, if not
        its user, is in its `error`.

    Raises:
        ConfigError, PluginError: the job cannot start.
    """
    counts = RequestCounts()
    with _channel(job, context, counts) as channel, _deliverers(context, channel) as deliverers:
        target = ", ".join(one.describe() for one in deliverers)
        run = run_of(name, "watch", context, source=channel.location, target=target)

        def work(tally: Tally) -> None:
            told = _Told(tally, context)
            if job.register_:
                find_out(channel, context.state)
            subscriber = Subscriber(
                channel,
                job.name or name,
                context.state,
                deliverers,
                topics=job.topics,
                skip_own=(job.publisher or names.host_name()) if job.skip_own else None,
                start=job.start,
                attempts=job.attempts,
                register=job.register_,
                stop=context.stop,
                told=told,
                redact=context.state.redact,
            )
            with subscriber:
                subscriber.run(job.interval, once=context.once)
            if context.stop.interrupted:
                raise CancelledError("interrupted")

        return supervise(run, context, work, requests=lambda: {"source": counts.as_dict()})


@contextlib.contextmanager
def _channel(job: SubscribeJob, context: Context, counts: RequestCounts) -> Iterator[Backend]:
    with context.open("source", job.register_) as backend:
        traced = Trace(backend, counts)
        paced = traced if job.tpslimit is None else Throttle(traced, job.tpslimit, context.stop)
        yield Retry(paced, RetryPolicy(attempts=job.retries), stop=context.stop)


@contextlib.contextmanager
def _deliverers(context: Context, channel: Backend) -> Iterator[Sequence[Deliverer]]:
    """Open what updates are delivered to, plugins that want to hear of them at last; for the length of the block."""
    with contextlib.ExitStack() as stack:
        found = [*context.open_deliverers()]
        for one in found:
            stack.callback(one.close)
        if context.plugins.hears_updates:
            found.append(HookDelivery(context.plugins.update_received, channel.location))
        yield found


class _Told:
    """Counts what a subscriber tells, and passes it on."""

    def __init__(self, tally: Tally, context: Context) -> None:
        self._tally = tally
        self._listener = context.listener

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.Delivered():
                self._tally.counts.added += 1
            case events.ParkedAway(key=key, error=error):
                self._tally.finished(Outcome(_action(key), "failed", error=error, cause="ParkedAway"))
            case events.Skipped(key=key, kind=kind, reason=reason):
                self._tally.finished(Outcome(_action(key), "skipped", error=f"{key}: {reason}", cause=kind))
        self._listener(SubscriberTold(event))


def _action(key: str) -> Action:
    return Action("add", key, "update")
