"""Channels from the command line: publishing, subscribing, looking in, and the mistakes that users make."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.channels.web import Server
from tests.cli.conftest import SCRIPT, read_tree, wait_for


@pytest.fixture(params=["directory", "moto_s3", "azurite"])
def channel(request, monkeypatch):
    """An empty channel, reached with what is in the environment."""
    if request.param == "directory":
        return "./channel"
    server = request.getfixturevalue(request.param)
    if request.param == "azurite":
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
        return f"az://{server.make_container()}/channel"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_access_key)
    return f"s3://{server.make_bucket()}/channel"


@pytest.fixture
def publish(invoke):
    """Publish text in ./channel and return the id."""

    def run(topic, content, *more, channel="./channel"):
        return invoke("publish", channel, "--topic", topic, "--content", content, *more).out.strip()

    return run


def piped(data, *args, code=0):
    """Run the installed command with something on its standard input."""
    ran = subprocess.run([SCRIPT, *args], input=data, capture_output=True, timeout=60, check=False)
    assert ran.returncode == code, ran.stderr.decode()
    return ran.stdout.decode()


def test_what_is_published_is_received_once_by_each_subscriber(cloudsync, channel, folder):
    (folder / "news.feed").write_bytes(b"\x00 news")
    first = cloudsync("publish", channel, "--topic", "feeds/a", "--content", "hello", "--meta", "lang=en").out.strip()
    second = cloudsync("publish", channel, "--topic", "feeds/b", "--file", "news.feed", "--json").of("published")[0]
    assert (second["topic"], second["kind"], second["metadata"]) == ("feeds/b", "bytes", {"filename": "news.feed"})
    for name in ("one", "two"):
        got = cloudsync("subscribe", channel, "--name", name, "--once", "--deliver", f"directory={name}")
        assert "2 updates delivered" in got.err
        assert {path: (folder / name / path).read_bytes() for path in read_tree(folder / name)} == {
            f"feeds/a/{first}.txt": b"hello",
            f"feeds/b/{second['id']}.feed": b"\x00 news",
        }
    again = cloudsync("subscribe", channel, "--name", "one", "--once", "--json", "--deliver", "directory=one").report
    assert again == {"event": "report", "delivered": 0, "parked": 0, "skipped": 0, "exit_code": 0}
    stats = cloudsync("channel", "stats", channel, "--json").report
    assert (stats["updates"], [(one["name"], one["parked"]) for one in stats["subscribers"]]) == (
        2,
        [("one", 0), ("two", 0)],
    )
    listed = cloudsync("channel", "ls", channel, "--json").of("channel_object")
    assert [one["id"] for one in listed] == [first, second["id"]]


class TestPublish:
    def test_takes_json_as_the_value_that_it_says(self, invoke, publish):
        update_id = publish("t", '{"b": [1, null]}', "--json-content")
        [update] = invoke("channel", "show", "./channel", update_id, "--json").of("update")
        assert (update["kind"], update["content"], update["content_type"]) == (
            "json",
            {"b": [1, None]},
            "application/json",
        )

    def test_takes_standard_input_whatever_its_size(self):
        content = os.urandom(1000) * 3000
        update_id = piped(content, "publish", "./channel", "-", "--topic", "t", "--content-type", "image/png").strip()
        raw = subprocess.run(
            [SCRIPT, "channel", "show", "./channel", update_id, "--raw"], capture_output=True, check=True
        )
        assert raw.stdout == content

    def test_takes_each_line_in_order_and_many_at_once(self, invoke, folder):
        printed = piped(
            b"".join(b"line %d\n" % number for number in range(2500)) + b"last",
            *("publish", "./channel", "--topic", "t", "--lines", "--publisher", "me"),
        )
        ids = printed.split()
        assert len(ids) == 2501
        assert ids == sorted(ids)
        assert len(list((folder / "channel/updates").glob("*/*"))) <= 5, "each line was an object of its own"
        shown = invoke("channel", "tail", "./channel", "-n", "3").out.splitlines()
        assert [line.split("  ") for line in shown] == [
            [ids[-3], "t", "line 2498"],
            [ids[-2], "t", "line 2499"],
            [ids[-1], "t", "last"],
        ]

    def test_publishes_a_line_when_it_comes_and_not_when_all_have(self):
        command = [SCRIPT, "publish", "./channel", "--topic", "t", "--lines", "--json-content"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            for number in range(3):
                process.stdin.write(f'{{"number": {number}}}\n')
                process.stdin.flush()
                assert process.stdout.readline().startswith("20")
            process.stdin.close()
            assert process.wait(20) == 0

    def test_names_the_publisher_by_its_host_unless_told(self, invoke, publish):
        publish("t", "x", "--publisher", "web-1")
        publish("t", "y")
        named = [one["publisher"] for one in invoke("channel", "ls", "./channel", "--json").of("channel_object")]
        assert named[0] == "web-1"
        assert named[1] not in {"", "web-1"}

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--topic", "t"], "there is no content"),
            (["--topic", "t", "--content", "x", "--file", "y"], "choose one of --file, --content"),
            (["--topic", "t", "--content", "x", "-"], "choose one of"),
            (["--topic", "t", "--lines", "--file", "y"], "--lines is for standard input"),
            (["--topic", "t", "stdin"], "'stdin' is neither an option nor '-'"),
            (["--topic", "a//b", "--content", "x"], "is no topic"),
            (["--topic", "../b", "--content", "x"], "is no topic"),
            (["--topic", "", "--content", "x"], "is no topic"),
            (["--content", "x"], "--topic"),
            (["--topic", "t", "--content", "x", "--meta", "novalue"], "--meta: write NAME=VALUE"),
            (["--topic", "t", "--content", "x", "--meta", "a=1", "--meta", "a=2"], "a is given twice"),
            (["--topic", "t", "--content", "x", "--publisher", "not/a/name"], "is no name"),
            (["--topic", "t", "--content", "{", "--json-content"], "--content is no JSON"),
            (["--topic", "t", "--content", "NaN", "--json-content"], "JSON"),
            (["--topic", "t", "--file", "missing"], "missing"),
            (["--topic", "t", "--file", "."], "."),
            (["--topic", "t", "--content", "x", "--content-type", "a\nb"], "content type"),
            (["--topic", "t", "--content", "x", "--option", "secret"], "--option: write NAME=VALUE"),
        ],
    )
    def test_refuses_what_makes_no_sense_and_writes_nothing(self, invoke, folder, arguments, said):
        failed = invoke("publish", "./channel", *arguments, code=2)
        assert said in failed.err
        assert not (folder / "channel").exists()

    def test_says_which_line_is_wrong(self):
        ran = subprocess.run(
            [SCRIPT, "publish", "./channel", "--topic", "t", "--lines", "--json-content"],
            input=b"1\n2\nthree\n",
            capture_output=True,
            check=False,
        )
        assert (ran.returncode, b"line 3 of standard input is no JSON" in ran.stderr) == (2, True)

    def test_says_that_the_bucket_does_not_exist(self, cloudsync, moto_s3, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto_s3.endpoint_url)
        options = [f"--option={name}={value}" for name, value in moto_s3.options.items()]
        for command in (
            ["publish", "--topic", "t", "--content", "x"],
            ["subscribe", "--name", "me", "--once"],
            ["channel", "stats"],
        ):
            place = ["s3://no-such-bucket-here/channel"]
            failed = cloudsync(*command, *place, *options, code=4)
            assert "no-such-bucket-here" in failed.err
            assert "there is no such bucket" in failed.err
            assert moto_s3.secret_access_key not in failed.err


class TestSubscribe:
    def test_prints_updates_where_it_delivers_to_nothing_else(self, invoke, publish):
        ids = [publish("a", "one\nline"), publish("b/c", "[1, 2]", "--json-content")]
        shown = invoke("subscribe", "./channel", "--name", "me", "--once").out.splitlines()
        assert [line.split("  ") for line in shown] == [[ids[0], "a", "one\\nline"], [ids[1], "b/c", "[1,2]"]]
        told = invoke("subscribe", "./channel", "--name", "other", "--once", "--json").of("update")
        assert [(one["id"], one["content"]) for one in told] == [(ids[0], "one\nline"), (ids[1], [1, 2])]

    def test_takes_only_what_is_wanted(self, invoke, publish):
        publish("feeds/a/x", "1", "--publisher", "me")
        publish("feeds/a/x", "2")
        publish("other", "3")
        printed = invoke(
            *("subscribe", "./channel", "--name", "s", "--once", "--topic", "feeds/**"),
            *("--skip-own", "--publisher", "me"),
        ).out
        assert [line.split("  ")[2] for line in printed.splitlines()] == ["2"]

    def test_begins_where_it_is_told_and_then_goes_on(self, invoke, publish):
        publish("t", "old")
        assert invoke("subscribe", "./channel", "--name", "s", "--once", "--start", "latest").out == ""
        publish("t", "new")
        printed = invoke("subscribe", "./channel", "--name", "s", "--once").out
        assert printed.split("  ")[2] == "new\n"

    def test_delivers_to_several_things(self, invoke, publish, folder):
        update_id = publish("t", "hello")
        (folder / "note.py").write_text("import sys\nopen('told', 'w').write(sys.argv[1] + sys.stdin.read())\n")
        with Server() as server:
            invoke(
                *("subscribe", "./channel", "--name", "s", "--once"),
                *("--deliver", "directory=inbox", "--file-name", "{id}"),
                *("--deliver", f"command={sys.executable} note.py 'topic: {{topic}} '"),
                *("--deliver", f"webhook={server.url}", "--allow-private", "--secret", "much of a secret"),
            )
        assert read_tree(folder / "inbox") == {update_id: "hello"}
        assert (folder / "told").read_text() == "topic: t hello"
        assert server.got[0].body == b"hello"
        assert server.got[0].headers["Cloudsync-Signature"].startswith("t=")

    def test_calls_a_function_of_what_is_installed(self, invoke, publish, folder, monkeypatch):
        (folder / "installed").mkdir()
        write = "Path('told').write_text(f'{update.topic} {update.content}')"
        source = f"from pathlib import Path\ndef handle(update):\n    {write}\n"
        (folder / "installed/handling_of_updates.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder / "installed"))
        publish("t", "[1]", "--json-content")
        invoke("subscribe", "./channel", "--name", "s", "--once", "--deliver", "callback=handling_of_updates:handle")
        assert (folder / "told").read_text() == "t [1]"

    def test_prints_no_secret_of_a_webhook(self, invoke, publish, folder, monkeypatch):
        monkeypatch.setenv("HOOK_SECRET", "geheim-of-the-hook")
        publish("t", "x")
        with Server() as server:
            server.answers = [(500, {}, b"geheim-of-the-server")]
            failed = invoke(
                *(
                    "subscribe",
                    "./channel",
                    "--name",
                    "s",
                    "--once",
                    "--attempts",
                    "1",
                    "-vvv",
                    "--json",
                    "--allow-private",
                ),
                *("--deliver", f"webhook={server.url}", "--secret", "${env:HOOK_SECRET}"),
                code=1,
            )
            parked = invoke("channel", "parked", "./channel", "--name", "s")
        assert f"webhook {server.origin} answered 500" in parked.out
        for text in (failed.out, failed.err, parked.out):
            assert not {
                word
                for word in ("geheim", "token-in-the", server.got[0].headers["Cloudsync-Signature"])
                if word in text
            }

    def test_parks_what_cannot_be_delivered_and_delivers_it_when_asked(self, invoke, publish, folder):
        bad, good = publish("bad", "x"), publish("good", "y")
        delivering = ["--deliver", "command=sh -c 'test {topic} = good || test -e mended || { echo no luck; exit 3; }'"]
        delivering[1] = delivering[1].replace("{ echo", "{{ echo").replace("3; }", "3; }}")
        subscribe = ["subscribe", "./channel", "--name", "s", "--once", "--attempts", "1", *delivering]
        failed = invoke(*subscribe, "--json", code=1)
        assert failed.report == {"event": "report", "delivered": 1, "parked": 1, "skipped": 0, "exit_code": 1}
        assert [one["id"] for one in failed.of("update_delivered")] == [good]
        [parked] = failed.of("update_parked")
        assert (parked["id"], parked["topic"]) == (bad, "bad")
        [shown] = invoke("channel", "parked", "./channel", "--name", "s", "--json").of("update_parked")
        assert (shown["id"], shown["error"]) == (bad, "command sh exited with 3: no luck")
        assert "no luck" in invoke("channel", "parked", "./channel", "--name", "s").out
        (folder / "mended").touch()
        wrong = invoke("channel", "retry", "./channel", "nonsense", "--name", "s", code=2).err
        assert "'nonsense' is no id of an update" in wrong
        assert "1 update: tried again" in invoke("channel", "retry", "./channel", bad, "--name", "s").out
        assert "1 update delivered" in invoke(*subscribe).err
        assert "nothing is parked" in invoke("channel", "parked", "./channel", "--name", "s").err

    def test_gives_up_what_is_parked_when_asked(self, invoke, publish):
        publish("t", "x")
        subscribe = ["subscribe", "./channel", "--name", "s", "--once", "--attempts", "1", "--deliver", "command=false"]
        invoke(*subscribe, code=1)
        assert "1 update: given up" in invoke("channel", "retry", "./channel", "--name", "s", "--drop").out
        invoke(*subscribe)

    def test_tells_of_what_is_no_update_and_goes_on(self, invoke, publish, folder):
        publish("t", "x")
        hour = next((folder / "channel/updates").iterdir())
        (hour / "notes.txt").write_text("?")
        damaged = next(hour.glob("*.json"))
        (hour / f"{damaged.name[:-5]}x.json").write_text("{")
        got = invoke("subscribe", "./channel", "--name", "s", "--once", "--json")
        assert {(one["kind"], Path(one["key"]).name) for one in got.of("update_skipped")} == {
            ("damaged", f"{damaged.name[:-5]}x.json"),
            ("foreign", "notes.txt"),
        }
        assert len(got.of("update")) == 1

    @pytest.mark.parametrize("ending", [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
    def test_goes_on_until_it_is_ended_and_then_where_it_was(self, start, invoke, publish, folder, ending):
        number, code = ending
        process = start("subscribe", "./channel", "--name", "s", "--interval", "0.1", "--deliver", "directory=inbox")
        (folder / "channel").mkdir(exist_ok=True)
        publish("t", "first")
        wait_for(lambda: len(read_tree(folder / "inbox")) == 1)
        publish("t", "second")
        wait_for(lambda: len(read_tree(folder / "inbox")) == 2)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode == code
        assert "1 update delivered" in err
        publish("t", "third")
        assert (
            "1 update delivered"
            in invoke("subscribe", "./channel", "--name", "s", "--once", "--deliver", "directory=inbox").err
        )

    def test_ends_the_delivery_in_hand_first(self, start, invoke, publish, folder):
        publish("t", "x")
        publish("t", "y")
        slow = "command=sh -c 'touch begun; while ! test -e on; do sleep 0.02; done; echo {id} >> done'"
        process = start("subscribe", "./channel", "--name", "s", "--deliver", slow)
        wait_for((folder / "begun").exists)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        assert process.poll() is None
        (folder / "on").touch()
        assert process.wait(20) == 0
        assert len((folder / "done").read_text().splitlines()) == 1
        invoke("subscribe", "./channel", "--name", "s", "--once", "--deliver", slow)
        assert len(set((folder / "done").read_text().splitlines())) == 2

    def test_ends_at_once_at_the_second_signal_and_leaves_no_command_behind(self, start, publish, folder):
        publish("t", "x")
        process = start(
            "subscribe", "./channel", "--name", "s", "--deliver", "command=sh -c 'echo $$ > pid; exec sleep 99'"
        )
        pid = int(wait_for(lambda: (folder / "pid").exists() and (folder / "pid").read_text()))
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
        wait_for(lambda: not Path(f"/proc/{pid}").exists())

    def test_settles_nothing_that_nobody_could_read(self, publish, invoke):
        for number in range(3):
            publish("t", str(number))
        with Path("/dev/full").open("w") as full:
            ran = subprocess.run(
                [SCRIPT, "subscribe", "./channel", "--name", "s", "--once"],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert ran.returncode == 4
        assert len(invoke("subscribe", "./channel", "--name", "s", "--once").out.splitlines()) == 3

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "--name"),
            (["--name", "a b"], "--name"),
            (["--name", "s", "--deliver", "mail=me"], "there is no kind 'mail'"),
            (["--name", "s", "--deliver", "directory"], "write one of"),
            (["--name", "s", "--deliver", "directory="], "write one of"),
            (["--name", "s", "--deliver", "callback=no_such_module:f"], "no module no_such_module"),
            (["--name", "s", "--deliver", "callback=json"], "write module:function"),
            (["--name", "s", "--deliver", "command=no-such-program {id}"], "there is no such program"),
            (["--name", "s", "--deliver", "command=echo 'x"], "no closing quotation"),
            (["--name", "s", "--deliver", "command=echo {what}"], "unknown placeholder {what}"),
            (["--name", "s", "--deliver", "webhook=http://127.0.0.1/"], "allow-private"),
            (["--name", "s", "--deliver", "webhook=gopher://x/"], "https:// or http://"),
            (["--name", "s", "--deliver", "webhook=https://x/", "--secret", "${env:NO_SUCH}"], "NO_SUCH"),
            (["--name", "s", "--secret", "x"], "--secret needs --deliver webhook"),
            (["--name", "s", "--deliver", "directory=x", "--timeout", "3"], "--timeout needs"),
            (["--name", "s", "--interval", "0"], "--interval"),
            (["--name", "s", "--attempts", "0"], "--attempts"),
            (["--name", "s", "--start", "yesterday"], "--start"),
            (["--name", "s", "--topic", "a//b"], "--topic"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, invoke, folder, arguments, said):
        failed = invoke("subscribe", "./channel", "--once", *arguments, code=2)
        assert said in failed.err
        assert read_tree(folder) == {}


class TestChannel:
    def test_tail_prints_the_newest_of_some_topics(self, invoke, publish):
        for number in range(4):
            publish(f"topic/{number % 2}", str(number))
        printed = invoke("channel", "tail", "./channel", "-n", "1", "--topic", "topic/0").out
        assert printed.split("  ")[1:] == ["topic/0", "2\n"]
        assert invoke("channel", "tail", "./channel", "-n", "0").out == ""

    def test_tail_goes_on_with_what_comes(self, start, publish):
        publish("t", "before")
        process = start("channel", "tail", "./channel", "-f", "--interval", "0.1")
        assert process.stdout.readline().endswith("  t  before\n")
        publish("t", "after")
        publish("t", "again")
        assert [process.stdout.readline().split("  ")[2] for _ in range(2)] == ["after\n", "again\n"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")

    def test_looking_writes_nothing(self, invoke, publish, folder):
        update_id = publish("t", "x")
        before = read_tree(folder)
        for arguments in (["ls"], ["tail"], ["stats"], ["prune", "--max-age", "0s", "--dry-run"]):
            invoke("channel", arguments[0], "./channel", *arguments[1:])
        invoke("channel", "show", "./channel", update_id)
        assert read_tree(folder) == before

    def test_show_tells_all_of_an_update(self, invoke, publish):
        update_id = publish("t", "two\nlines\x1b", "--meta", "from=me", "--publisher", "web1")
        shown = invoke("channel", "show", "./channel", update_id).out
        details, _, content = shown.partition("\n\n")
        assert dict(line.split(":", 1) for line in details.replace(" ", "").splitlines() if "created" not in line) == {
            "id": update_id,
            "topic": "t",
            "publisher": "web1",
            "contenttype": "text/plain;charset=utf-8",
            "size": "10bytes",
            "metafrom": "me",
        }
        assert content == "two\nlines\\x1b\n"

    def test_show_finds_an_update_in_the_middle_of_others(self, invoke):
        ids = piped(b"a\nb\nc\n", "publish", "./channel", "--topic", "t", "--lines").split()
        assert invoke("channel", "show", "./channel", ids[1]).out.endswith("\n\nb\n")

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["show", "./channel", "nonsense"], 2, "is no id of an update"),
            (["show", "./channel", "20200101T000000.000000Z-00000000"], 4, "Z-00000000 in file:///"),
            (["prune", "./channel"], 2, "say what is to go"),
            (["prune", "./channel", "--max-age", "yesterday"], 2, "is no age"),
            (["prune", "./channel", "--keep-latest=0"], 2, "--keep-latest"),
            (["forget", "./channel", "nobody"], 4, "/channel knows no subscriber 'nobody'"),
            (["parked", "./channel", "--name", "nobody"], 4, "/channel here: no "),
            (["retry", "./channel", "--name", "nobody"], 4, "no state of a subscriber"),
            (["ls", "./no-such-channel"], 4, "no-such-channel"),
        ],
    )
    def test_says_what_is_wrong(self, invoke, publish, arguments, code, said):
        publish("t", "x")
        assert said in invoke("channel", *arguments, code=code).err

    def test_prune_keeps_what_a_subscriber_has_not_seen_until_it_is_forgotten(self, invoke, publish):
        for number in range(3):
            publish("t", str(number))
        invoke("subscribe", "./channel", "--name", "s", "--once")
        held = invoke("channel", "prune", "./channel", "--max-count", "0", "--json").report
        assert (held["updates"], held["held"]) == (0, {"s": 3})
        said = invoke("channel", "prune", "./channel", "--max-count", "0").out
        assert said == "removed: 0 objects of updates, 0 payloads, 0 B; kept all the same: 3\n  3 objects kept for s\n"
        young = invoke("channel", "prune", "./channel", "--max-age", "24h").out
        assert young == "removed: 0 objects of updates, 0 payloads, 0 B\n"
        assert "s is forgotten" in invoke("channel", "forget", "./channel", "s").out
        planned = invoke("channel", "prune", "./channel", "--keep-latest", "--dry-run").out
        assert planned.startswith("would be removed: 2 objects of updates")
        assert invoke("channel", "prune", "./channel", "--max-count", "1").out.startswith("removed: 2 objects")
        assert json.loads(invoke("channel", "stats", "./channel", "--json").out)["updates"] == 1
