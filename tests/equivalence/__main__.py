"""`python -m tests.equivalence --write` runs every pair, and writes docs/support-matrix.md from what they came to.

Without `--write` the runs are held to the page instead.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from tests.equivalence.writing import PAGE, Writer


def main() -> int:
    """Return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.equivalence", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} anew")
    # The page comes last, from the pairs before it.
    tests = [
        str(Path(__file__).with_name(name))
        for name in ("test_names.py", "test_equivalence.py", "test_support_matrix.py")
    ]
    return pytest.main(tests, plugins=[Writer()] if parser.parse_args().write else [])


if __name__ == "__main__":
    sys.exit(main())
