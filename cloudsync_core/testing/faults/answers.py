"""Faults of HTTP that are ready to use, for `Proxy.rule` and `Proxy.disturb`; each function returns a rule."""

from __future__ import annotations

import dataclasses
import email.utils
import time

from cloudsync_core.testing.faults.http import Forward, Request, Response, Rule
from cloudsync_core.testing.faults.troubles import flipped


def refuse(response: Response) -> Rule:
    """Answer so, instead of the server, which hears nothing of the request."""
    return lambda _, __: response


def asking_to_wait(response: Response, seconds: int, *, by_date: bool = False) -> Response:
    """Return an answer that asks to wait, by the header Retry-After.

    Args:
        response: the answer.
        seconds: how long.
        by_date: say the time at which the wait ends, instead of how long it is (RFC 9110, 10.2.3).
    """
    value = email.utils.formatdate(time.time() + seconds, usegmt=True) if by_date else str(seconds)
    return dataclasses.replace(response, headers={**response.headers, "retry-after": value})


def drop_request() -> Rule:
    """End the connection without an answer; the server hears nothing of the request."""
    return lambda _, __: None


def lose_answer() -> Rule:
    """Let the server do what is asked, and end the connection without its answer."""

    def fault(_: Request, forward: Forward) -> None:
        forward()

    return fault


def delay_answer(seconds: float) -> Rule:
    """Let time pass before the first byte of the answer."""
    return lambda _, forward: dataclasses.replace(forward(), delay=seconds)


def stall_answer(after: int, seconds: float) -> Rule:
    """Send so many bytes of the content, and then none, for so many seconds."""
    return lambda _, forward: dataclasses.replace(forward(), cut=after, hold=seconds)


def cut_answer(after: int) -> Rule:
    """Close the connection after so many bytes of the content, of which the answer has promised more."""
    return lambda _, forward: dataclasses.replace(forward(), cut=after)


def reset_answer(after: int = 0) -> Rule:
    """Reset the connection after so many bytes of the content. `Proxy.breaks_off` does so on the way to the server."""
    return lambda _, forward: dataclasses.replace(forward(), cut=after, reset=True)


def shorten_answer(by: int) -> Rule:
    """Leave out so many bytes at the end of the content, in an answer that says that it is whole."""

    def fault(_: Request, forward: Forward) -> Response:
        answer = forward()
        return dataclasses.replace(answer, body=answer.body[: max(0, len(answer.body) - by)])

    return fault


def flip_answer(at: int = 0, bit: int = 0) -> Rule:
    """Turn one bit of the answer's content round.

    Args:
        at: the byte; a negative place counts from the end.
        bit: which of its eight.
    """

    def fault(_: Request, forward: Forward) -> Response:
        answer = forward()
        return dataclasses.replace(answer, body=flipped(answer.body, at, bit)) if answer.body else answer

    return fault


def flip_request(at: int = 0, bit: int = 0) -> Rule:
    """Turn one bit of the request's content round, on its way to the server; see `flip_answer`."""

    def fault(request: Request, forward: Forward) -> Response:
        if not request.body:
            return forward()
        return forward(dataclasses.replace(request, body=flipped(request.body, at, bit)))

    return fault
