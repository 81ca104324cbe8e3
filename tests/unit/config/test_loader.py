"""What a configuration file says, and what is said of a wrong one: every message by its exact words."""

from pathlib import Path

import pytest

from cloudsync_core.config.loader import MAX_BYTES, load
from cloudsync_core.errors import ConfigError

TWO_JOBS = """\
version: 1
jobs:
  zebra: {source: ./a, target: ./b}
  ant:
    source: ./public
    target:
      url: demo://place/prefix
      options:
        region: here
    exclude:
      - "*.tmp"
"""


class TestLoading:
    def test_jobs_keep_the_order_of_the_file(self, config):
        assert list(config.load(TWO_JOBS).jobs()) == ["zebra", "ant"]

    def test_named_jobs_come_in_the_order_of_the_names(self, config):
        assert list(config.load(TWO_JOBS).jobs(["ant", "zebra", "ant"])) == ["ant", "zebra"]

    def test_an_unknown_job_is_an_error_with_the_nearest_name(self, config):
        with pytest.raises(ConfigError) as caught:
            config.load(TWO_JOBS).jobs(["zebar"])
        assert str(caught.value) == "config.yaml: no job 'zebar'; did you mean 'zebra'?"
        assert caught.value.exit_code == 2

    def test_an_unknown_job_like_no_other_lists_the_jobs(self, config):
        with pytest.raises(ConfigError, match=r"no job 'qqqqq'; there is: zebra, ant$"):
            config.load(TWO_JOBS).jobs(["qqqqq"])

    def test_the_directory_and_the_state_are_those_of_the_file(self, config, tmp_path, monkeypatch):
        loaded = config.load(TWO_JOBS)
        monkeypatch.chdir("/")
        assert loaded.directory == tmp_path
        assert loaded.state_path == tmp_path / ".cloudsync/state.db"

    def test_a_linked_file_counts_where_the_link_is(self, config, tmp_path):
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep/real.yaml").write_text(TWO_JOBS)
        (tmp_path / "link.yaml").symlink_to("deep/real.yaml")
        assert load(Path("link.yaml")).directory == tmp_path

    def test_the_home_directory_in_the_state(self, config, monkeypatch):
        monkeypatch.setenv("HOME", "/home/someone")
        assert config.load("state: ~/x.db\n" + TWO_JOBS).state_path == Path("/home/someone/x.db")

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            (("jobs", "zebra"), 3),
            (("jobs", "zebra", "target"), 3),
            (("jobs", "ant"), 4),
            (("jobs", "ant", "source", "url"), 5),
            (("jobs", "ant", "target", "options", "region"), 9),
            (("jobs", "ant", "target", "options", "not written"), 8),
            (("jobs", "ant", "exclude", 0), 11),
            (("state",), 1),
            ((), 1),
        ],
    )
    def test_where_something_is_written(self, config, path, line):
        assert config.load(TWO_JOBS).where(*path) == f"config.yaml:{line}"

    def test_a_byte_order_mark_is_no_matter(self, config):
        assert config.load(b"\xef\xbb\xbf" + TWO_JOBS.encode()).jobs()

    def test_line_ends_of_windows(self, config):
        assert config.load(TWO_JOBS.replace("\n", "\r\n")).where("jobs", "ant") == "config.yaml:4"


class TestFile:
    def fails(self, path) -> str:
        with pytest.raises(ConfigError) as caught:
            load(Path(path))
        return str(caught.value)

    def test_missing(self, config):
        assert self.fails("config.yaml") == (
            "config.yaml: no such file\n  write a starter configuration with: cloudsync init"
        )

    def test_directory(self, config):
        assert self.fails(".") == ".: cannot be read: Is a directory"

    def test_unreadable(self, config):
        assert self.fails("/proc/self/mem") == "/proc/self/mem: cannot be read: Input/output error"

    def test_name_that_is_none(self, config):
        assert self.fails("a\0b") == "a\\x00b: cannot be read: no valid path"

    def test_too_large(self, config):
        config.write(b"#" * (MAX_BYTES + 1))
        assert self.fails("config.yaml") == "config.yaml: larger than 1048576 bytes, so it is no configuration file"

    def test_endless(self, config):
        assert "larger than" in self.fails("/dev/zero")

    @pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n"])
    def test_empty(self, config, text):
        assert config.problems(text) == [
            " the file is empty",
            "  write a starter configuration with: cloudsync init",
        ]

    def test_other_encoding(self, config):
        assert config.problems(b"version: 1\njobs:\n  caf\xe9: {}\n") == [
            "3: not UTF-8 text",
            "  save the file as UTF-8",
        ]

    def test_utf16(self, config):
        assert config.problems(TWO_JOBS.encode("utf-16"))[0] == "1: not UTF-8 text"

    def test_the_name_of_the_file_cannot_forge_output(self, tmp_path):
        assert self.fails(tmp_path / "x\n\x1b[31m").startswith(f"{tmp_path}/x\\n\\x1b[31m: no such file")


class TestTopLevel:
    @pytest.mark.parametrize("text", ["- a\n", "just text\n", "5\n", "[]\n"])
    def test_not_a_mapping(self, config, text):
        assert config.problems(text) == ["1:1: a configuration is a mapping (name: value) with 'version' and 'jobs'"]

    def test_nothing_in_it(self, config):
        assert config.problems("{}\n") == ["1:1: version: required, and missing", "1:1: jobs: required, and missing"]

    @pytest.mark.parametrize("version", ["1.0", "true", "'1'", "0", "one", "[1]"])
    def test_version_is_the_number_1(self, config, version):
        assert config.problems(f"version: {version}\njobs: {{a: {{source: x, target: y}}}}") == [
            "1:1: version: must be 1"
        ]

    def test_version_of_a_newer_cloudsync(self, config):
        assert config.problems("version: 2\njobs: {a: {source: x, target: y}}") == [
            "1:1: version: this cloudsync reads version 1; the file is written for a newer one"
        ]

    def test_no_job(self, config):
        assert config.problems("version: 1\njobs: {}\n") == ["2:1: jobs: must have at least one entry"]

    def test_jobs_in_a_list(self, config):
        assert config.problems("version: 1\njobs:\n- source: a\n") == ["2:1: jobs: must be a mapping (name: value)"]

    def test_a_job_without_content(self, config):
        assert config.problems("version: 1\njobs:\n  site:\n") == [
            "3:3: jobs.site: written without a value: give it one, or leave it out"
        ]

    def test_a_job_that_is_text(self, config):
        assert config.problems("version: 1\njobs:\n  site: ./a\n") == [
            "3:3: jobs.site: must be a mapping (name: value)"
        ]

    def test_a_name_that_is_none(self, config):
        assert config.problems("version: 1\njobs:\n  my site: {source: a, target: b}\n") == [
            "3:3: jobs.my…: a job's name begins with a letter or a digit and holds only those, '.', '_' and '-'"
        ]

    def test_an_allow_list_with_every_entry_commented_out_is_not_the_same_as_none(self, config):
        assert config.problems(f"plugins:\n  allow:\n  # - cloudsync-demo\n{TWO_JOBS}") == [
            "2:3: plugins.allow: written without a value: give it one, or leave it out"
        ]


class TestOptions:
    def test_unknown_with_a_near_name(self, config):
        assert config.job_problems('exlude: ["*.tmp"]') == [
            "6:5: jobs.site.exlude: unknown option; did you mean 'exclude'?"
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("job: {}", "job: unknown option; did you mean 'jobs'?"),
            ("plugins: {alow: []}", "plugins.alow: unknown option; did you mean 'allow'?"),
            ("qqq: 1", "qqq: unknown option; there is: jobs, plugins, state, version"),
        ],
    )
    def test_unknown_elsewhere(self, config, text, message):
        assert [line.partition(": ")[2] for line in config.problems(f"{TWO_JOBS}{text}\n")] == [message]

    def test_unknown_in_a_location(self, config):
        text = "version: 1\njobs: {a: {source: {url: x, option: {}}, target: y}}"
        assert config.problems(text) == ["2:29: jobs.a.source.option: unknown option; did you mean 'options'?"]

    def test_unknown_in_a_header_rule(self, config):
        assert config.job_problems('headers:\n- match: ["*"]\n  cache-control: no-cache\n') == [
            "8:7: jobs.site.headers[0].cache-control: unknown option; did you mean 'cache_control'?"
        ]

    def test_missing(self, config):
        assert config.problems("version: 1\njobs:\n  site:\n    source: a\n") == [
            "3:3: jobs.site.target: required, and missing"
        ]

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("workflow: sync", "workflow: must be 'mirror', 'publish' or 'watch'"),
            ("delete: yes", "delete: must be true or false (yes, no, on and off are text)"),
            ("delete: 1", "delete: must be true or false (yes, no, on and off are text)"),
            ("max_delete: lots", "max_delete: 'lots' is neither a number of objects (100) nor a percentage (25%)"),
            ("max_delete: 0.5", "max_delete: must be a number of objects (100) or a percentage (25%)"),
            ("max_delete: true", "max_delete: must be a number of objects (100) or a percentage (25%)"),
            ("max_delete: -1", "max_delete: -1 is neither a number of objects (100) nor a percentage (25%)"),
            ("max_delete: 101%", "max_delete: '101%' is more than 100%"),
            ("transfers: 0", "transfers: must be at least 1"),
            ("transfers: 1025", "transfers: must be at most 1024"),
            ("transfers: '16'", "transfers: must be a whole number, without quotes"),
            ("transfers: 010", "transfers: must be a whole number, without quotes"),
            ("transfers: 12:30", "transfers: must be a whole number, without quotes"),
            (
                "memory: 1M",
                "memory: '1M' is no number of bytes with its unit (B, KiB, MiB, GiB, TiB, kB, MB, GB, TB): write 10MiB",
            ),
            ("memory: 0", "memory: must be at least 1B"),
            ("memory: true", "memory: must be a number of bytes: 128MiB"),
            ("memory: 1.5", "memory: must be a number of bytes: 128MiB"),
            ("bwlimit: 1000", "bwlimit: must be text: 10MiB, off, or times with rates (08:00,512KiB 19:00,off)"),
            ("bwlimit: ''", "bwlimit: must not be empty; write 'off' for no limit"),
            ("bwlimit: 0MiB", "bwlimit: '0MiB' would let nothing pass; write 'off' for no limit"),
            ("bwlimit: '08:00,1MiB 25:00,off'", "bwlimit: '25:00,off': there is no such time of day"),
            ("bwlimit: '08:00,1MiB 8:00,off'", "bwlimit: '8:00,off': that time is there twice"),
            (
                "bwlimit: 'Mit-08:00,1MiB'",
                "bwlimit: 'Mit-08:00,1MiB': a day is one of Mon, Tue, Wed, Thu, Fri, Sat, Sun",
            ),
            ("tpslimit: 0", "tpslimit: must be a number of operations a second, more than 0"),
            ("tpslimit: '10'", "tpslimit: must be a number of operations a second, more than 0"),
            ("tpslimit: .nan", "tpslimit: must be a number of operations a second, more than 0"),
            ("tpslimit: true", "tpslimit: must be a number of operations a second, more than 0"),
            ("retries: 0", "retries: must be at least 1"),
            ("verify: md5", "verify: must be 'digest' or 'size'"),
            ("compare: 5", "compare: must be text; put it in quotes"),
            ("compare: ''", "compare: must not be empty"),
            (
                "compare: ${env:HOW}",
                "compare: ${…} is not looked up here, only in urls, options, header values and secrets",
            ),
            ("exclude: '*.tmp'", "exclude: must be a list: put the text in [ ]"),
            ("exclude: {a: b}", "exclude: must be a list"),
            ("exclude: [5]", "exclude[0]: must be text; put it in quotes"),
            ("exclude: [a, '']", "exclude[1]: must not be empty"),
            ("exclude:", "exclude: written without a value: give it one, or leave it out"),
            ("exclude: ['/']", "exclude[0]: '/' matches nothing"),
            ("exclude: ['\\']", "exclude[0]: '\\' is not a valid gitignore pattern"),
            ("exclude: ['[a']", "exclude[0]: '[a' is not a valid gitignore pattern"),
            ("exclude: ['#x']", "exclude[0]: '#x' matches nothing; write '\\#' for a name that begins with '#'"),
            (
                "include: ['./x']",
                "include[0]: './x' matches nothing: patterns are relative to the location, leave out the './'",
            ),
            ("include: ['!x']", "include: '!x' comes first: there is nothing before it that '!' could take back"),
            ("exclude: ['[[:letter:]]']", "exclude[0]: '[[:letter:]]' is not a valid gitignore pattern"),
            (
                "exclude_regex: [ok, '*']",
                "exclude_regex[1]: '*' is not a valid regular expression: nothing to repeat at position 0",
            ),
            ("headers: [{match: [a]}]", "headers[0]: the rule sets nothing"),
            ("headers: [{match: [], cache_control: x}]", "headers[0].match: must have at least one entry"),
            (
                'headers: [{match: [a], cache_control: "a\\nb"}]',
                "headers[0].cache_control: a header holds no control characters or line breaks",
            ),
            (
                "headers: [{match: [a], metadata: {Owner: x}}]",
                "headers[0].metadata.Owner: a metadata name holds only lower-case letters, digits, '.', '_' and '-'",
            ),
            ("headers: {match: [a]}", "headers: must be a list"),
            ("server_copy: on", "server_copy: must be true or false (yes, no, on and off are text)"),
        ],
    )
    def test_wrong_value(self, config, option, message):
        (problem,) = config.job_problems(option)
        assert problem.startswith("6:")
        assert problem.partition(": ")[2] == f"jobs.site.{message}"

    @pytest.mark.parametrize("location", ["5", "[a]", "true"])
    def test_location_of_another_type(self, config, location):
        assert config.problems(f"version: 1\njobs: {{a: {{source: {location}, target: y}}}}") == [
            "2:12: jobs.a.source: must be text (a URL or a path), or a mapping with 'url' and 'options'"
        ]

    def test_location_without_text(self, config):
        assert config.problems("version: 1\njobs: {a: {source: '', target: {options: {}}}}") == [
            "2:12: jobs.a.source.url: must not be empty",
            "2:24: jobs.a.target.url: required, and missing",
        ]

    def test_malformed_reference_deep_in_the_options(self, config):
        text = (
            "version: 1\njobs:\n  a:\n    source: x\n    target:\n      url: y\n      options: {b: [c, '${env.X}']}\n"
        )
        form = "a reference is written ${env:NAME} or ${file:path}, and the characters ${ themselves $${"
        assert config.problems(text) == [f"7:24: jobs.a.target.options.b[1]: {form}"]


class TestSeveralProblems:
    def test_all_are_listed_in_the_order_of_the_file(self, config):
        assert config.job_problems("delete: no\nretries: 0\n7: x\nexlude: []\ndelete: true") == [
            "6:5: jobs.site.delete: must be true or false (yes, no, on and off are text)",
            "7:5: jobs.site.retries: must be at least 1",
            "8:5: jobs.site: a key must be text; put a number, true, false or null in quotes",
            "9:5: jobs.site.exlude: unknown option; did you mean 'exclude'?",
            "10:5: jobs.site: 'delete' is written twice, first in line 6",
        ]

    def test_at_most_twenty(self, config):
        problems = config.job_problems("\n".join(f"option{number}: 1" for number in range(25)))
        assert len(problems) == 21
        assert problems[-1] == " and 5 more"


class TestNothingSecretIsShown:
    CANARY = "hunter2-canary"

    @pytest.mark.parametrize(
        "text",
        [
            "{url: x, options: {secret: {CANARY}, secret: {CANARY}}}",
            "{url: x, options: {secret:{CANARY}}}",
            "{url: x, secret:{CANARY}}",
            "{url: x, options: [{CANARY}]}",
            "{url: x, options: {CANARY}}",
            "{url: x, options: {secret: *{CANARY}}}",
            "{url: x, options: {secret: !{CANARY}}}",
            "{url: x, options: {secret: !{CANARY} x}}",
            "{url: x, options: {secret: &{CANARY} a, b: &{CANARY} c}}",
            "{url: x, options: {secret: '{CANARY}}}",
            '{url: x, options: {secret: "\\{CANARY}"}}',
            "{url: x, options: {secret: ${ {CANARY}}}",
            "{url: [{CANARY}]}",
            "{url: x, url: {CANARY}}",
            "{url: x, options: {? {CANARY} x}}",
            "{url: x, options: {secret: %{CANARY}}}",
            "[{CANARY}]",
        ],
    )
    def test_of_what_is_written_in_a_location(self, config, text):
        text = text.replace("{CANARY}", self.CANARY)
        message = "\n".join(config.problems(f"version: 1\njobs:\n  a:\n    target: x\n    source: {text}\n"))
        assert self.CANARY not in message.replace("secret…", "")

    def test_a_block_entry_without_its_space(self, config):
        options = f"        secret:{self.CANARY}\n        b: c\n"
        (problem,) = config.problems(f"version: 1\njobs:\n  a:\n    target: x\n    source:\n      options:\n{options}")
        assert self.CANARY not in problem

    def test_an_option_that_is_only_a_word(self, config):
        assert config.problems("version: 1\njobs: {a: {source: {url: x, options: {hunter2}}, target: y}}") == [
            "2:39: jobs.a.source.options: an entry is written without a value: give it one, or leave it out"
        ]

    def test_a_missing_space_is_recognised(self, config):
        (problem,) = config.problems("version: 1\njobs: {a: {source: {url: x, options: {secret:hunter2}}, target: y}}")
        assert problem == "2:39: jobs.a.source.options.secret…: a space is missing after the ':'"
