"""The conformance suite cannot be weakened without a word: the guard in the class itself finds each way to try."""

import os
import subprocess
import sys
import textwrap
from typing import ClassVar

import pytest

from cloudsync_core.testing import BackendContract
from cloudsync_core.testing.clauses.listing import ListingClauses
from cloudsync_core.testing.wholeness import GUARD, case_names, weaknesses

REASON = "the server of this test is known for it"
CLAUSE = "test_D1_deleting_removes_the_object"


class TestWeaknesses:
    def test_a_class_that_only_says_how_to_open_a_backend_is_whole(self):
        class Whole(BackendContract):
            departures: ClassVar = {CLAUSE: REASON, "test_L4_keys_are_exact[marker]": REASON}
            refuses: ClassVar = {"nul": REASON}
            no_missing_container = REASON

            @pytest.fixture
            def make_backend(self):
                raise NotImplementedError

            def leftovers(self, backend):
                return ()

            def test_of_my_own(self):
                pass

        assert weaknesses(Whole) == []

    def test_an_override_is_found(self):
        class Weak(BackendContract):
            def test_D1_deleting_removes_the_object(self, backend):
                pass

        [found] = weaknesses(Weak)
        assert found.startswith(f"Weak.{CLAUSE} overrides a clause: name it in `departures`")

    def test_an_override_in_a_class_that_is_mixed_in_is_found(self):
        class Mixin:
            def test_D1_deleting_removes_the_object(self, backend):
                pass

        class Weak(Mixin, BackendContract):
            pass

        [found] = weaknesses(Weak)
        assert found.startswith(f"Mixin.{CLAUSE} overrides")

    def test_a_clause_that_is_taken_away_is_found(self):
        weak = type("Weak", (BackendContract,), {CLAUSE: None})
        assert weaknesses(weak) == [f"Weak.{CLAUSE} removes a clause"]

    def test_a_part_of_the_suite_is_found(self):
        class Part(ListingClauses):
            pass

        assert weaknesses(Part) == ["Part takes some of the clauses: subclass BackendContract, which has all of them"]

    @pytest.mark.parametrize("name", ["backend", "missing_container"])
    def test_another_fixture_is_found(self, name):
        weak = type("Weak", (BackendContract,), {name: pytest.fixture(lambda self: None)})
        assert weaknesses(weak) == [f"Weak.{name} overrides what the suite works with"]

    def test_an_override_that_is_expected_to_fail_is_a_declaration(self):
        class Declared(BackendContract):
            @pytest.mark.xfail(strict=True, reason=REASON)
            def test_D1_deleting_removes_the_object(self, backend):
                super().test_D1_deleting_removes_the_object(backend)

        assert weaknesses(Declared) == []

    @pytest.mark.parametrize(
        "mark",
        [
            pytest.mark.xfail(reason=REASON),
            pytest.mark.xfail(strict=True),
            pytest.mark.xfail(strict=True, reason=" "),
            pytest.mark.xfail(True, strict=True, reason=REASON),
            pytest.mark.xfail(strict=True, reason=REASON, run=False),
            pytest.mark.skip(reason=REASON),
        ],
        ids=["not-strict", "without-reason", "blank", "conditional", "not-run", "skip"],
    )
    def test_an_override_with_a_weaker_mark_is_none(self, mark):
        class Weak(BackendContract):
            @mark
            def test_D1_deleting_removes_the_object(self, backend):
                super().test_D1_deleting_removes_the_object(backend)

        assert len(weaknesses(Weak)) == 1

    def test_an_override_that_is_expected_to_fail_at_something_else_is_none(self):
        class Weak(BackendContract):
            @pytest.mark.xfail(strict=True, reason=REASON)
            def test_D1_deleting_removes_the_object(self, backend):
                raise AssertionError

        assert len(weaknesses(Weak)) == 1

    @pytest.mark.parametrize("attribute", ["departures", "refuses"])
    def test_a_declaration_of_what_does_not_exist_is_found(self, attribute):
        weak = type("Weak", (BackendContract,), {attribute: {"no-such-thing": REASON}})
        assert weaknesses(weak) == [f"{attribute}: there is no 'no-such-thing'"]

    @pytest.mark.parametrize(("attribute", "name"), [("departures", CLAUSE), ("refuses", "nul")])
    def test_a_declaration_without_a_reason_is_found(self, attribute, name):
        weak = type("Weak", (BackendContract,), {attribute: {name: " "}})
        assert weaknesses(weak) == [f"{attribute}: {name} has no reason"]

    def test_the_guard_cannot_be_a_departure(self):
        weak = type("Weak", (BackendContract,), {"departures": {GUARD: REASON}})
        assert weaknesses(weak) == [f"departures: there is no {GUARD!r}"]

    @pytest.mark.parametrize("name", [GUARD, "_kept_whole"])
    def test_the_guard_cannot_be_overridden(self, name):
        with pytest.raises(TypeError, match=f"Weak overrides {name}"):
            type("Weak", (BackendContract,), {name: lambda self: None})


AUTHORS = """
    import uuid

    import pytest

    from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
    from cloudsync_core.location import Location
    from cloudsync_core.testing import BackendContract

    class InMemory(BackendContract):
        @pytest.fixture
        def make_backend(self):
            name = uuid.uuid4().hex

            def make(root="first"):
                options = MemoryOptions(create=root != "missing")
                return MemoryBackend(Location.parse(f"memory://{name}-{root}"), options)

            return make
"""


@pytest.fixture
def author(tmp_path):
    """Run pytest on a module as the author of a plugin does, far from this project; returns its output."""

    def run(classes, *arguments):
        module = tmp_path / "test_theirs.py"
        module.write_text(textwrap.dedent(AUTHORS) + textwrap.dedent(classes))
        command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", *arguments, module.name]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        # Nothing that happens to be installed here takes part, nor has to be imported.
        environ |= {"COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False).stdout

    return run


class TestAsAuthorsRunIt:
    def test_departures_are_reported_with_their_reasons_and_fail_once_they_are_kept(self, author):
        output = author(
            """
            class Forgetful(MemoryBackend):
                def delete(self, key, *, if_match=None):
                    pass

            class TestIt(InMemory):
                departures = {
                    "test_D1_deleting_removes_the_object": "it forgets to",
                    "test_D1_deleting_a_missing_key_succeeds": "it is said to",
                    "test_L4_keys_are_exact[hash]": "hashes are said to be lost",
                }

                @pytest.fixture
                def make_backend(self):
                    return lambda root="first": Forgetful(Location.parse(f"memory://{uuid.uuid4()}"))
            """,
            *("-k", "test_suite_is_whole or D1_deleting_removes or D1_deleting_a_missing or hash"),
        )
        assert "XFAIL test_theirs.py::TestIt::test_D1_deleting_removes_the_object - it forgets to" in output
        assert "FAILED test_theirs.py::TestIt::test_D1_deleting_a_missing_key_succeeds" in output
        assert "[XPASS(strict)] it is said to" in output
        assert "FAILED test_theirs.py::TestIt::test_L4_keys_are_exact[hash]" in output
        assert "2 failed, 1 passed" in output

    def test_a_capability_that_is_not_declared_is_reported_as_skipped(self, author):
        output = author("class TestIt(InMemory): pass", "-k", "TestIt and in_the_way_of_another")
        assert "SKIPPED [4]" in output
        assert "the capability hierarchical is not declared" in output

    def test_a_fixture_that_skips_fails_the_clause(self, author):
        output = author(
            """
            class TestIt(InMemory):
                @pytest.fixture
                def make_backend(self):
                    pytest.skip("there is no server")
            """,
            *("-k", "D1_deleting_removes or suite_is_whole"),
        )
        assert "the fixture make_backend skips a clause (there is no server)" in output
        assert "1 passed" in output
        assert "1 error" in output

    @pytest.mark.parametrize("mark", ["xfail(strict=False)", "xfail(reason='it hangs')", "usefixtures('tmp_path')"])
    @pytest.mark.parametrize("where", ["class", "module"])
    def test_a_mark_of_the_whole_is_no_way_round(self, author, mark, where):
        line = f"pytestmark = pytest.mark.{mark}"
        output = author(
            f"{line if where == 'module' else ''}\n"
            f"class TestIt(InMemory):\n"
            f"    {line if where == 'class' else 'pass'}\n",
            *("-k", "D1_deleting_removes or suite_is_whole"),
        )
        harmless = mark.startswith("usefixtures")
        assert ("2 passed" in output) == harmless
        assert ("the suite is weakened" in output) == (not harmless)

    def test_a_conftest_that_marks_a_clause_is_found(self, author, tmp_path):
        (tmp_path / "conftest.py").write_text(
            "import pytest\n"
            "def pytest_collection_modifyitems(items):\n"
            "    for item in items:\n"
            "        if 'D1' in item.name: item.add_marker(pytest.mark.skip(reason='slow'))\n"
        )
        output = author("class TestIt(InMemory): pass", "-k", "test_D1 or suite_is_whole")
        assert "test_D1_deleting_removes_the_object is marked skip" in output
        assert "1 failed" in output

    def test_a_conftest_that_takes_a_clause_out_is_found(self, author, tmp_path):
        (tmp_path / "conftest.py").write_text(
            "def pytest_collection_modifyitems(items):\n"
            "    items[:] = [item for item in items if item.name.startswith(('test_D2', 'test_suite'))]\n"
        )
        output = author("class TestIt(InMemory): pass")
        assert "test_D1_deleting_removes_the_object: 1 of 1 were taken out of the run" in output
        assert "test_P2_a_body_that_raises_leaves_nothing: 16 of 16 were taken out of the run" in output
        assert "test_D2_a_refused_delete_deletes_nothing:" not in output

    @pytest.mark.parametrize(
        "arguments",
        [["-k", "D2 or suite_is_whole"], ["--deselect", "test_theirs.py::TestIt::test_E1_what_is_no_key_is_no_object"]],
    )
    def test_a_choice_for_one_run_weakens_nothing(self, author, arguments):
        output = author("class TestIt(InMemory): pass", *arguments)
        assert "deselected" in output
        assert "failed" not in output

    def test_the_cases_have_the_names_that_pytest_gives_them(self, author):
        lines = author("class TestIt(InMemory): pass", "--collect-only", "-q").splitlines()
        collected = {line.partition("::TestIt::")[2] for line in lines if "::TestIt::" in line}
        tests = {name: getattr(BackendContract, name) for name in dir(BackendContract) if name.startswith("test_")}
        computed = {
            f"{name}[{case}]" if case else name for name, test in tests.items() for case in case_names(test) or [""]
        }
        assert computed == collected
