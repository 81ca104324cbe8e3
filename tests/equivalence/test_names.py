"""The history leaves out the names that some store refuses, and no other."""

from cloudsync_core.testing.corpus import CORPUS
from tests.equivalence.names import LEFT_OUT, refusal
from tests.equivalence.stores import STORES


def test_what_is_left_out_is_what_some_store_refuses(fresh_place):
    refused = set()
    for name in STORES:
        with fresh_place(name, name).open() as backend:
            refused |= {case.name for case in CORPUS if refusal(backend, case) is not None}
    assert refused == LEFT_OUT
