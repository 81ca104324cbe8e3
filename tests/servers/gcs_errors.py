"""How Google Cloud Storage's JSON API refuses.

The form of an error, its reasons and its messages are those of
https://cloud.google.com/storage/docs/json_api/v1/status-codes. What serves media (`alt=media`) answers with the bare
message as `text/html`, which the documents leave open and the service does.
"""

from __future__ import annotations

import json

from tests.servers.gcs_http import Response


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the server
    """A request is answered with an error.

    Args:
        status: of HTTP.
        reason: Google's code, for programs.
        message: for people.
        location: the parameter or header that is to blame.
        place: what `location` names: `parameter` or `header`.
        also: more (reason, message), where several things are wrong.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        location: str | None = None,
        place: str = "parameter",
        also: tuple[tuple[str, str], ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self._where = {} if location is None else {"locationType": place, "location": location}
        self._also = also
        self._headers = headers or {}

    def response(self, *, media: bool = False) -> Response:
        """Return the answer; for `media` in the form of what serves bytes."""
        if self.status == 304:
            return Response(304)
        if media:
            return Response(
                self.status, self.message.encode(), {"content-type": "text/html; charset=UTF-8", **self._headers}
            )
        body = error_body(self.status, self.reason, self.message, self._also, **self._where)
        return Response(self.status, body, {"content-type": "application/json; charset=UTF-8", **self._headers})


def error_body(status: int, reason: str, message: str, also: tuple[tuple[str, str], ...] = (), **where: str) -> bytes:
    """Return an error in Google's JSON form."""
    errors = [{"message": text, "domain": "global", "reason": code} for code, text in ((reason, message), *also)]
    errors[0].update(where)
    return json.dumps({"error": {"code": status, "message": message, "errors": errors}}).encode()


def no_such_bucket() -> Refusal:
    return Refusal(404, "notFound", "The specified bucket does not exist.")


def no_such_object(bucket: str, name: str) -> Refusal:
    return Refusal(404, "notFound", f"No such object: {bucket}/{name}")


def invalid(message: str, location: str | None = None) -> Refusal:
    return Refusal(400, "invalid", message, location=location)


def required(name: str) -> Refusal:
    return Refusal(400, "required", f"Required parameter: {name}", location=name)


def condition_not_met() -> Refusal:
    return Refusal(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        location="If-Match",
        place="header",
    )
