"""Keeps credentials out of everything that is printed, logged or stored: they are read at the last moment only."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from artificer.errors import SourceError
from artificer.problem.places import StoreURL

_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD", "MYSQL_PWD")
MAX_TOLD = 200
_ASIDE = re.compile(r"^(?:[A-Z_]+: )?(?:\[libpq\] )?")


def template(spec: str) -> StoreURL:
    """The place as it was written, with references to the environment in place of secrets.

    Raises
    ------
    SourceError
        A reference to the environment is not closed.
    """
    try:
        return StoreURL(spec)
    except ValueError as error:
        raise SourceError(f"a source must be {error}") from None


def told(url: StoreURL, error: BaseException) -> str:
    """What a driver said, as a clause of one sentence, with every secret of the place blanked out."""
    text = url.hide(str(error))
    secrets = {os.environ.get(name, "") for name in (*_ENVIRONMENT, *url.variables)}
    password = urlsplit(url.template).password
    if password and not url.variables:
        secrets.add(password)
    for secret in sorted(secrets | {unquote(secret) for secret in secrets}, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    text = _ASIDE.sub("", " ".join(text.split()).split(" Query was:")[0].split(" LINE 1:")[0])
    return text.replace(". ", "; ")[:MAX_TOLD].rstrip(" .;:") or type(error).__name__
