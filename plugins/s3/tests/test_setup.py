"""`cloudsync s3 setup` on a real S3 and SQS: what it makes, and that it touches nothing of anybody else."""

import json

import pytest
import yaml
from click.testing import CliRunner
from cloudsync_s3.commands import s3
from cloudsync_s3.config import S3Options
from cloudsync_s3.setup import Setup, filter_value
from cloudsync_s3.source import SqsEvents, SqsOptions, default_queue

from cloudsync_core.errors import AccessDeniedError, ConfigError, ContainerNotFoundError, OptionsError
from cloudsync_core.event_source import Watched
from cloudsync_core.location import Location
from tests.servers.proxy import Response, error, proxy_before


@pytest.fixture
def bucket(queues):
    return queues.server.make_bucket()


def run(server, *arguments, answer=None):
    """Run `cloudsync s3 setup`; return what it prints."""
    given = [text for name, value in server.options.items() for text in ("--option", f"{name}={value}")]
    result = CliRunner().invoke(s3, ["setup", *arguments, *given], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def notifications(queues, bucket):
    found = queues.server.client.get_bucket_notification_configuration(Bucket=bucket)
    found.pop("ResponseMetadata")
    return found


def url(queues, name):
    return queues.sqs.get_queue_url(QueueName=name)["QueueUrl"]


def names(queues, bucket):
    found = queues.sqs.list_queues(QueueNamePrefix=default_queue(bucket, "")).get("QueueUrls", [])
    return sorted(one.rpartition("/")[2] for one in found)


def statements(queues, name):
    return json.loads(queues.attributes(url(queues, name)).get("Policy") or '{"Statement": []}')["Statement"]


class TestWhatItMakes:
    def test_is_all_that_the_event_source_needs(self, queues, bucket):
        printed = run(queues.server, bucket, "--yes")
        assert f"cloudsync watch s3://{bucket} DIRECTORY --events sqs" in printed
        queues.server.client.put_object(Bucket=bucket, Key="new", Body=b"x")
        watched = Watched(Location("s3", bucket), None, S3Options(**queues.server.options))
        with SqsEvents(watched, SqsOptions()) as source:
            while (hints := source.wait(5)) is None:
                pass
            assert hints.keys == ("new",)
            hints.done()

    def test_is_shown_first_and_not_made_in_a_dry_run(self, queues, bucket):
        printed = run(queues.server, bucket, "--prefix", "site", "--dry-run")
        queue = default_queue(bucket, "site")
        for line in (
            f"create the queue {queue}-dead, for messages",
            f"create the queue {queue} in us-east-1",
            f"allow the bucket {bucket} to send",
            "tell the queue of changes below site/",
            "Nothing was done",
        ):
            assert line in printed
        assert names(queues, bucket) == []
        assert notifications(queues, bucket) == {}

    def test_is_made_once(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        before = notifications(queues, bucket), queues.attributes(url(queues, default_queue(bucket, "")))
        assert "Nothing to do: everything is there" in run(queues.server, bucket)
        assert before == (notifications(queues, bucket), queues.attributes(url(queues, default_queue(bucket, ""))))

    def test_lets_the_bucket_alone_write_to_the_queue(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        [statement] = statements(queues, default_queue(bucket, ""))
        assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
        assert statement["Action"] == "sqs:SendMessage"
        assert statement["Condition"] == {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        }

    def test_puts_unreadable_messages_aside(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        queue = default_queue(bucket, "")
        redrive = json.loads(queues.attributes(url(queues, queue))["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"] == queues.arn(url(queues, f"{queue}-dead"))

    def test_is_completed_where_some_of_it_is_missing(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        queues.server.client.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        queues.sqs.set_queue_attributes(QueueUrl=url(queues, default_queue(bucket, "")), Attributes={"Policy": ""})
        printed = run(queues.server, bucket, "--yes")
        assert "create" not in printed
        assert len(statements(queues, default_queue(bucket, ""))) == 1
        assert len(notifications(queues, bucket)["QueueConfigurations"]) == 1

    def test_waits_until_s3_sees_the_policy(self, queues, bucket):
        with proxy_before(queues.server) as proxy:
            refusal = error(400, "InvalidArgument", "Unable to validate the following destination configurations")
            seen = proxy.disturb(
                lambda request: request.method == "PUT" and "notification" in request.query, lambda *_: refusal, times=1
            )
            run(proxy.server, bucket, "--yes")
            assert seen.met == 1
        assert len(notifications(queues, bucket)["QueueConfigurations"]) == 1


class TestWhatOthersHave:
    @pytest.fixture
    def other(self, queues, bucket):
        """A notification of somebody else, about another prefix."""
        arn = queues.arn(queues.make())
        rules = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "other/"}]}}
        entry = {"Id": "theirs", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rules}
        queues.server.client.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
        )
        return notifications(queues, bucket)

    def test_is_kept_and_counted(self, queues, bucket, other):
        assert "1 other notifications of the bucket stay" in run(queues.server, bucket, "--prefix", "site", "--yes")
        assert len(notifications(queues, bucket)["QueueConfigurations"]) == 2
        run(queues.server, bucket, "--prefix", "site", "--remove", "--yes")
        assert notifications(queues, bucket) == other

    def test_stops_it_where_s3_would_tell_only_one(self, queues, bucket, other):
        for prefix in ("other", "other/below", ""):
            with pytest.raises(ConfigError, match="theirs is about the same objects"):
                run(queues.server, bucket, "--prefix", prefix, "--yes")
        assert names(queues, bucket) == []
        assert notifications(queues, bucket) == other

    def test_a_queue_of_theirs_is_used_and_never_deleted(self, queues, bucket):
        theirs = queues.make()
        name = theirs.rpartition("/")[2]
        statement = {"Sid": "mine", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sqs:GetQueueUrl"}
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": queues.arn(theirs)}]}
        queues.sqs.set_queue_attributes(QueueUrl=theirs, Attributes={"Policy": json.dumps(policy)})
        before = statements(queues, name)
        assert "create" not in run(queues.server, bucket, "--queue", name, "--yes")
        assert len(statements(queues, name)) == 2
        run(queues.server, bucket, "--queue", name, "--remove", "--yes")
        assert statements(queues, name) == before
        assert notifications(queues, bucket) == {}

    def test_a_queue_that_another_prefix_uses_stays(self, queues, bucket):
        queue = default_queue(bucket, "")
        for prefix in ("a", "b"):
            run(queues.server, bucket, "--prefix", prefix, "--queue", queue, "--yes")
        run(queues.server, bucket, "--prefix", "a", "--queue", queue, "--remove", "--yes")
        assert names(queues, bucket) == [queue, f"{queue}-dead"]
        assert len(statements(queues, queue)) == len(notifications(queues, bucket)["QueueConfigurations"]) == 1
        run(queues.server, bucket, "--prefix", "b", "--queue", queue, "--remove", "--yes")
        assert names(queues, bucket) == []


class TestRemove:
    def test_leaves_nothing_and_may_be_repeated(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        printed = run(queues.server, bucket, "--remove", "--yes")
        assert "delete the queue" in printed
        assert names(queues, bucket) == []
        assert notifications(queues, bucket) == {}
        assert "nothing of it is there" in run(queues.server, bucket, "--remove", "--yes")

    def test_a_dry_run_removes_nothing(self, queues, bucket):
        run(queues.server, bucket, "--yes")
        run(queues.server, bucket, "--remove", "--dry-run")
        assert len(names(queues, bucket)) == 2


class Resolving(yaml.SafeLoader):
    """Reads a template, and puts in what its functions stand for."""

    @classmethod
    def of(cls, values):
        found = type("Resolving", (cls,), {})
        for tag in ("!Ref", "!GetAtt"):
            found.add_constructor(tag, lambda _, node: values.get(node.value))
        found.add_constructor("!Sub", lambda _, node: node.value.replace("${AWS::Partition}", "aws"))
        return found


class TestTheTemplate:
    def test_makes_the_same_as_the_command(self, queues, bucket):
        text = run(queues.server, f"s3://{bucket}/site", "--template")
        queues.cloudformation.create_stack(StackName=default_queue(bucket, "site"), TemplateBody=text)
        queue = default_queue(bucket, "site")
        by_stack = queues.attributes(url(queues, queue))
        assert "create" not in run(queues.server, bucket, "--prefix", "site", "--yes")
        by_command = default_queue(queues.server.make_bucket(f"{bucket}-too"), "site")
        run(queues.server, f"{bucket}-too", "--prefix", "site", "--yes")
        settings = ("MessageRetentionPeriod", "VisibilityTimeout", "ReceiveMessageWaitTimeSeconds")
        made = queues.attributes(url(queues, by_command))
        assert [by_stack[name] for name in settings] == [made[name] for name in settings]
        redrives = [json.loads(one["RedrivePolicy"]) for one in (by_stack, made)]
        assert redrives[0]["deadLetterTargetArn"] == queues.arn(url(queues, f"{queue}-dead"))
        assert int(redrives[0]["maxReceiveCount"]) == int(redrives[1]["maxReceiveCount"])

    def test_gives_the_same_leave_as_the_command(self, queues, bucket):
        # Moto makes nothing of a QueuePolicy, so the statement is read from the template.
        text = run(queues.server, bucket, "--template")
        run(queues.server, bucket, "--yes")
        queue = default_queue(bucket, "")
        values = {"Queue": "", "AWS::AccountId": "123456789012", "Queue.Arn": queues.arn(url(queues, queue))}
        found = yaml.load(text, Resolving.of(values))["Resources"]["QueuePolicy"]["Properties"]["PolicyDocument"]
        assert found["Statement"] == statements(queues, queue)

    def test_is_not_undone_by_the_command(self, queues, bucket):
        queue = default_queue(bucket, "")
        queues.cloudformation.create_stack(StackName=queue, TemplateBody=run(queues.server, bucket, "--template"))
        run(queues.server, bucket, "--yes")
        run(queues.server, bucket, "--remove", "--yes")
        assert names(queues, bucket) == [queue, f"{queue}-dead"]

    def test_its_comment_is_the_notification_for_the_bucket(self, queues):
        lines = run(queues.server, "b", "--prefix", 'x y"', "--template").splitlines()
        first = lines.index("#   NotificationConfiguration:")
        last = next(number for number in range(first, len(lines)) if not lines[number].startswith("#"))
        shown = yaml.safe_load("\n".join(line[4:] for line in lines[first:last]))
        entries = shown["NotificationConfiguration"]["QueueConfigurations"]
        assert {entry["Event"] for entry in entries} >= {"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}
        rules = [{"Name": "prefix", "Value": "x%20y%22/"}]
        assert all(entry["Filter"] == {"S3Key": {"Rules": rules}} for entry in entries)


class TestWhatIsWrong:
    def test_a_bucket_that_is_not_there(self, queues):
        with pytest.raises(ContainerNotFoundError, match="set up s3://no-such-bucket: there is no such bucket"):
            run(queues.server, "no-such-bucket", "--yes")

    @pytest.mark.parametrize("what", ["notification", "sqs"])
    def test_no_permission(self, queues, bucket, what):
        def chosen(request):
            return what in request.query or (what == "sqs" and "x-amz-target" in request.headers)

        body = json.dumps({"__type": "com.amazonaws.sqs#AccessDenied", "message": "x"}).encode()
        refusal = error(403, "AccessDenied") if what == "notification" else Response(403, body, {})
        with proxy_before(queues.server) as proxy:
            proxy.disturb(chosen, lambda *_: refusal)
            with pytest.raises(AccessDeniedError, match="access denied"):
                run(proxy.server, bucket, "--yes")
        assert names(queues, bucket) == []

    def test_nobody_to_ask(self, queues, bucket):
        with pytest.raises(ConfigError, match="nobody to ask"):
            run(queues.server, bucket)
        assert names(queues, bucket) == []

    def test_a_directory_bucket(self, queues):
        with pytest.raises(ConfigError, match="directory buckets tell nobody"):
            Setup("x--use1-az4--x-s3", "", None, S3Options(**queues.server.options))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["s3://b/x", "--prefix", "y"], "given twice"),
            (["gs://b"], "not the name of a bucket"),
            ([""], "not the name of a bucket"),
            (["b", "--queue", "a.fifo"], "hyphens and underscores"),
            (["b", "--template", "--remove"], "exclude each other"),
            (["b", "--option", "x"], "write NAME=VALUE"),
        ],
    )
    def test_arguments(self, queues, arguments, message):
        with pytest.raises(ConfigError, match=message):
            run(queues.server, *arguments)

    def test_options(self, queues):
        with pytest.raises(OptionsError, match="did you mean region"):
            run(queues.server, "b", "--option", "regio=x")


def test_what_is_special_in_a_prefix_is_encoded_in_filters():
    assert filter_value("a b/é+/plain-name_1.txt") == "a%20b/%C3%A9%2B/plain-name_1.txt"
