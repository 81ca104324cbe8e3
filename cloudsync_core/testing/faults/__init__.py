"""What goes wrong with stores and networks, on purpose: for tests of backends and of what drives them. Needs no pytest.

Two tools, for two kinds of tests. `Faulty` wraps any backend and disturbs calls of its verbs: it shows what a run makes
of errors, and runs anywhere. `Proxy` stands before a real server and disturbs requests over HTTP: it shows what a
backend makes of answers.
"""

from cloudsync_core.testing.faults.answers import (
    asking_to_wait,
    cut_answer,
    delay_answer,
    drop_request,
    flip_answer,
    flip_request,
    lose_answer,
    refuse,
    reset_answer,
    shorten_answer,
    stall_answer,
)
from cloudsync_core.testing.faults.faulty import Call, Choose, Faulty, at, at_random
from cloudsync_core.testing.faults.http import Forward, Request, Response, Rule
from cloudsync_core.testing.faults.listings import (
    Dialect,
    empty_page,
    end_early,
    further_page,
    omit_token,
    repeat_token,
)
from cloudsync_core.testing.faults.proxy import Disturbance, Proxy
from cloudsync_core.testing.faults.troubles import (
    CutOff,
    Delay,
    EmptyPage,
    EndEarly,
    FailOnPage,
    Flip,
    LoseAnswer,
    Raise,
    RepeatPage,
    Shorten,
    Trouble,
    Verb,
)

__all__ = [
    "Call",
    "Choose",
    "CutOff",
    "Delay",
    "Dialect",
    "Disturbance",
    "EmptyPage",
    "EndEarly",
    "FailOnPage",
    "Faulty",
    "Flip",
    "Forward",
    "LoseAnswer",
    "Proxy",
    "Raise",
    "RepeatPage",
    "Request",
    "Response",
    "Rule",
    "Shorten",
    "Trouble",
    "Verb",
    "asking_to_wait",
    "at",
    "at_random",
    "cut_answer",
    "delay_answer",
    "drop_request",
    "empty_page",
    "end_early",
    "flip_answer",
    "flip_request",
    "further_page",
    "lose_answer",
    "omit_token",
    "refuse",
    "repeat_token",
    "reset_answer",
    "shorten_answer",
    "stall_answer",
]
