"""`${credential:NAME}`: a credential that systemd hands to a service (LoadCredential=, systemd.exec(5))."""

import os
from pathlib import Path

from cloudsync_core.errors import SecretNotFoundError
from cloudsync_core.plugins import hookimpl

KIND = "credential:"


@hookimpl
def cloudsync_resolve_secret(ref: str) -> str | None:
    """Return the credential, or `None` for references of another kind."""
    if not ref.startswith(KIND):
        return None
    name = ref.removeprefix(KIND)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise SecretNotFoundError(f"${{{ref}}}: there are no credentials", hint="run cloudsync as a systemd service")
    if "/" in name:
        raise SecretNotFoundError(f"${{{ref}}}: the name of a credential has no slash")
    try:
        return Path(folder, name).read_text().removesuffix("\n")
    except OSError as error:
        raise SecretNotFoundError(f"${{{ref}}}: {error.strerror}") from error
