"""What the state database remembers of one put, without the database."""

from cloudsync_core.body import Body


class Remembered:
    """See `cloudsync_core.unfinished.Resumption`.

    Attributes:
        token: what was saved last and not forgotten.
        bytes_kept: how many were not sent again.
    """

    def __init__(self, token=None):
        self.token = token
        self.bytes_kept = 0

    def save(self, token):
        self.token = token

    def forget(self):
        self.token = None

    def kept(self, size):
        self.bytes_kept += size


def body_of(data, remembered, **options):
    """Return content whose put may go on with what is remembered."""
    body = Body(data, len(data) if isinstance(data, bytes) else None, **options)
    body.resumption = remembered
    return body


def dying(chunks, size):
    """Return the content, of so many bytes, of a process that dies after some chunks of it."""

    def content():
        yield from chunks
        raise ProcessDiesError

    return Body(content(), size)


class ProcessDiesError(Exception):
    """Stands for the end of a process, as far as a backend can see it."""
