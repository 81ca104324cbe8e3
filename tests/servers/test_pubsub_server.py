"""The Pub/Sub test server keeps deadlines, buries what nobody takes, and refuses as Google does."""

import base64
import http.client
import json
import random
import time
import uuid

import pytest

from tests.servers.gcs_notifications import AGENT as STORAGE
from tests.servers.gcs_tokens import PROJECT, Tokens
from tests.servers.pubsub import notify, running_pubsub
from tests.servers.pubsub_service import AGENT


@pytest.fixture
def ask(pubsub_calm):
    """Return a function that makes one request, and returns the status and the document of the answer."""

    def request(method, name, body=None, server=pubsub_calm):
        connection = http.client.HTTPConnection(server.host, timeout=30)
        connection.request(method, f"/v1/{name}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    return request


@pytest.fixture
def queue(pubsub_calm):
    return pubsub_calm.make_queue()


def pull(ask, queue, most=10):
    status, answer = ask("POST", f"{queue.subscription}:pull", {"maxMessages": most, "returnImmediately": True})
    assert status == 200
    return answer.get("receivedMessages", [])


class TestDelivery:
    def test_a_published_message_comes_as_it_was_sent(self, ask, queue):
        sent = {"data": base64.b64encode(b"x").decode(), "attributes": {"a": "b"}}
        _, answer = ask("POST", f"{queue.topic}:publish", {"messages": [sent]})
        [received] = pull(ask, queue)
        assert received["message"].items() >= {**sent, "messageId": answer["messageIds"][0]}.items()
        assert "deliveryAttempt" not in received

    def test_it_comes_again_after_its_deadline_and_not_before(self, ask, queue):
        queue.state.resource["ackDeadlineSeconds"] = 0.2
        queue.send(a="b")
        [first] = pull(ask, queue)
        assert pull(ask, queue) == []
        time.sleep(0.25)
        [second] = pull(ask, queue)
        assert first["message"] == second["message"]
        assert first["ackId"] != second["ackId"]

    def test_a_deadline_can_be_moved_on_and_given_up(self, ask, queue):
        queue.state.resource["ackDeadlineSeconds"] = 0.1
        queue.send(a="b")
        [received] = pull(ask, queue)
        modify = f"{queue.subscription}:modifyAckDeadline"
        assert ask("POST", modify, {"ackIds": [received["ackId"]], "ackDeadlineSeconds": 60}) == (200, {})
        time.sleep(0.15)
        assert pull(ask, queue) == []
        ask("POST", modify, {"ackIds": [received["ackId"]], "ackDeadlineSeconds": 0})
        assert len(pull(ask, queue)) == 1

    def test_an_acknowledged_message_is_gone_and_a_stale_acknowledgement_does_nothing(self, ask, queue):
        queue.state.resource["ackDeadlineSeconds"] = 0.01
        queue.send(a="b")
        [first] = pull(ask, queue)
        time.sleep(0.02)
        [second] = pull(ask, queue)
        ask("POST", f"{queue.subscription}:acknowledge", {"ackIds": [first["ackId"]]})
        assert queue.waiting == 1
        ask("POST", f"{queue.subscription}:acknowledge", {"ackIds": [second["ackId"]]})
        assert queue.waiting == 0

    @pytest.mark.parametrize("allowed", [True, False])
    def test_what_nobody_takes_is_buried_if_the_agent_may(self, ask, pubsub_calm, queue, allowed):
        dead = pubsub_calm.make_queue()
        policy = {"deadLetterTopic": dead.topic, "maxDeliveryAttempts": 5}
        queue.state.resource |= {"deadLetterPolicy": policy, "ackDeadlineSeconds": 0}
        if allowed:
            grant = {"bindings": [{"role": "roles/pubsub.publisher", "members": [AGENT]}]}
            ask("POST", f"{dead.topic}:setIamPolicy", {"policy": grant})
            grant = {"bindings": [{"role": "roles/pubsub.subscriber", "members": [AGENT]}]}
            ask("POST", f"{queue.subscription}:setIamPolicy", {"policy": grant})
        queue.send(b"x", a="b")
        assert [pull(ask, queue)[0]["deliveryAttempt"] for _ in range(5)] == [1, 2, 3, 4, 5]
        assert bool(pull(ask, queue)) is not allowed
        assert dead.waiting == allowed
        if allowed:
            assert pull(ask, dead)[0]["message"]["attributes"].items() >= {"a": "b"}.items()

    def test_what_goes_wrong_is_chosen(self, ask, pubsub_calm, queue):
        pubsub_calm.disturb(duplicate=1.0)
        queue.send(a="twice")
        assert len(pull(ask, queue)) == 2
        pubsub_calm.disturb(drop=1.0)
        queue.send(a="never")
        assert pull(ask, queue) == []
        pubsub_calm.disturb(delay=0.1)
        queue.send(a="late")
        assert pull(ask, queue) == []
        time.sleep(0.15)
        assert len(pull(ask, queue)) == 1
        pubsub_calm.disturb(shuffle=True, dice=random.Random(1))
        sent = [queue.send(a="b") for _ in range(20)]
        came = [received["message"]["messageId"] for received in pull(ask, queue, 20)]
        assert came != sent
        assert sorted(came) == sorted(sent)


class TestRefusals:
    def test_they_have_googles_form(self, ask):
        status, answer = ask("GET", f"projects/{PROJECT}/topics/none")
        assert status == 404
        assert answer["error"] == {"code": 404, "message": "Resource not found (resource=none).", "status": "NOT_FOUND"}

    def test_of_names_settings_and_arguments(self, ask, queue):
        base = f"projects/{PROJECT}"
        new = f"{base}/subscriptions/s-{uuid.uuid4().hex[:8]}"
        for request, expected in (
            (("PUT", queue.topic, {}), 409),
            (("PUT", queue.subscription, {"topic": queue.topic}), 409),
            (("PUT", f"{base}/topics/goog-x", {}), 400),
            (("PUT", f"{base}/topics/x", {}), 400),
            (("PUT", new, {"topic": f"{base}/topics/none"}), 404),
            (("PUT", new, {"topic": queue.topic, "ackDeadlineSeconds": 9}), 400),
            (("PUT", new, {"topic": queue.topic, "deadLetterPolicy": {"maxDeliveryAttempts": 4}}), 400),
            (("PUT", new, {}), 400),
            (("POST", f"{queue.subscription}:pull", {}), 400),
            (("POST", f"{queue.subscription}:acknowledge", {"ackIds": []}), 400),
            (("POST", f"{queue.subscription}:modifyAckDeadline", {"ackIds": ["x"], "ackDeadlineSeconds": 601}), 400),
            (("POST", f"{queue.topic}:publish", {"messages": [{}]}), 400),
            (("POST", f"{queue.topic}:unknown", {}), 405),
            (("GET", "elsewhere"), 404),
        ):
            assert ask(*request)[0] == expected, request

    def test_of_what_is_not_allowed(self, ask, pubsub_calm, queue):
        pubsub_calm.service.denied.add("pubsub.subscriptions.consume")
        assert ask("POST", f"{queue.subscription}:pull", {"maxMessages": 1})[0] == 403
        assert ask("GET", queue.subscription)[0] == 200

    def test_of_a_policy_that_has_changed(self, ask, queue):
        _, policy = ask("GET", f"{queue.topic}:getIamPolicy")
        assert ask("POST", f"{queue.topic}:setIamPolicy", {"policy": policy})[0] == 200
        assert ask("POST", f"{queue.topic}:setIamPolicy", {"policy": policy})[0] == 409

    def test_of_who_bears_no_token(self, ask):
        with running_pubsub(tokens=Tokens()) as server:
            status, answer = ask("GET", f"projects/{PROJECT}/topics/x", server=server)
        assert (status, answer["error"]["status"]) == (401, "UNAUTHENTICATED")

    def test_a_subscription_outlives_its_topic(self, ask, queue):
        assert ask("DELETE", queue.topic) == (200, {})
        assert ask("GET", queue.subscription)[1]["topic"] == "_deleted-topic_"
        assert ask("DELETE", queue.subscription) == (200, {})
        assert ask("GET", queue.subscription)[0] == 404


class TestNotifications:
    """By Google's own client, where it knows how."""

    def test_googles_client_makes_lists_and_deletes_them(self, gcs, queue):
        bucket = gcs.client.bucket(gcs.make_bucket())
        made = bucket.notification(queue.name, PROJECT, blob_name_prefix="a/", payload_format="JSON_API_V1")
        made.create()
        [listed] = bucket.list_notifications()
        assert (listed.topic_name, listed.blob_name_prefix) == (queue.name, "a/")
        assert bucket.get_notification(made.notification_id).payload_format == "JSON_API_V1"
        made.delete()
        assert list(bucket.list_notifications()) == []
        assert gcs.client.get_service_account_email(PROJECT) == STORAGE

    def test_a_topic_to_which_nobody_may_publish_is_refused(self, gcs, queue):
        from google.api_core.exceptions import Forbidden

        queue.server.service.store.topics[queue.topic].policy = {"etag": "x"}
        with pytest.raises(Forbidden, match="does not have permission to publish"):
            gcs.client.bucket(gcs.make_bucket()).notification(queue.name, PROJECT).create()

    @pytest.mark.parametrize("versioned", [False, True])
    def test_each_change_is_told_as_what_it_is(self, gcs, ask, queue, versioned):
        name = gcs.make_bucket(versioning={"enabled": versioned})
        notify(gcs, name, queue, payload_format="JSON_API_V1")
        blob = gcs.client.bucket(name).blob("a")
        blob.upload_from_string(b"x")
        old = blob.generation
        blob.upload_from_string(b"y")
        blob.metadata = {"a": "b"}
        blob.patch()
        new = blob.generation
        gcs.client.bucket(name).blob("a").delete()
        end = "OBJECT_ARCHIVE" if versioned else "OBJECT_DELETE"
        told = [received["message"] for received in pull(ask, queue)]
        came = [
            (found["eventType"], int(found["objectGeneration"]))
            for found in (message["attributes"] for message in told)
        ]
        assert came == [
            ("OBJECT_FINALIZE", old),
            (end, old),
            ("OBJECT_FINALIZE", new),
            ("OBJECT_METADATA_UPDATE", new),
            (end, new),
        ]
        assert told[1]["attributes"]["overwrittenByGeneration"] == str(new)
        assert told[2]["attributes"]["overwroteGeneration"] == str(old)
        assert json.loads(base64.b64decode(told[0]["data"])).items() >= {"name": "a", "bucket": name}.items()
