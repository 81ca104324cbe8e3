"""How long the random tests of this folder go on, and with which dice."""

import hypothesis
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

LONGER = 25
"""Times as many examples as a test of every change plays, where `--soak` asks for them."""


def settings(*, examples, soak, **more):
    """Return Hypothesis' settings: the same examples every time, many others under `--soak`."""
    return hypothesis.settings(
        max_examples=examples * (LONGER if soak else 1),
        derandomize=not soak,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def at_length(test, *, examples, soak, seed):
    """Run a test that is given random cases."""
    test = settings(examples=examples, soak=soak)(test)
    (hypothesis.seed(seed)(test) if soak else test)()


def play(machine, *, examples, steps, soak, seed):
    """Run a state machine."""
    factory = hypothesis.seed(seed)(machine) if soak else machine
    run_state_machine_as_test(factory, settings=settings(examples=examples, soak=soak, stateful_step_count=steps))
