"""Who may ask the service of a project: tokens made, listed, revoked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from artificer.errors import UsageError
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.access.tokens import Token

ONE_SCHEMA = "artificer.token/1"
TOKENS_SCHEMA = "artificer.tokens/1"


def token_add(
    project: Path, name: str, scopes: Sequence[str], *, expires: str | None = None, rate: float | None = None
) -> Json:
    """Make a token; the document holds its secret, which is kept nowhere.

    Parameters
    ----------
    scopes : some of predict, outcome, operate, view.
    expires : a duration like "90d"; None never expires.
    rate : requests a second; None has the service's.
    """
    from artificer.access.audit import Audit
    from artificer.access.tokens import add_token, read_tokens
    from artificer.problem.amounts import Duration
    from artificer.problem.project import open_project

    opened = open_project(project)
    opened.prepare()
    try:
        lasts = None if expires is None else Duration.parse(expires).seconds
    except ValueError:
        raise UsageError(f'--expires takes a duration like "90d", not "{expires}"') from None
    secret = add_token(opened.tokens, name, scopes, now=time.time(), lasts=lasts, rate=rate)
    kept = next(token for token in read_tokens(opened.tokens) if token.name == name)
    Audit(opened.audit).note("token.added", "person", token=name, scopes=list(kept.scopes))
    return {"schema": ONE_SCHEMA, "secret": secret, **_described(kept, time.time())}


def token_list(project: Path) -> Json:
    """The tokens, without secrets."""
    from artificer.access.tokens import read_tokens
    from artificer.problem.project import open_project

    opened = open_project(project)
    tokens = [_described(token, time.time()) for token in read_tokens(opened.tokens)]
    return {"schema": TOKENS_SCHEMA, "project": opened.name, "tokens": tokens}


def token_revoke(project: Path, name: str) -> Json:
    """Take a token away; running services refuse it within a second."""
    from artificer.access.audit import Audit
    from artificer.access.tokens import revoke_token
    from artificer.problem.project import open_project

    opened = open_project(project)
    revoked = revoke_token(opened.tokens, name)
    Audit(opened.audit).note("token.revoked", "person", token=name)
    return {"schema": ONE_SCHEMA, "secret": None, **_described(revoked, time.time())}


def _described(token: Token, now: float) -> Json:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "created": _moment(token.created),
        "expires": None if token.expires is None else _moment(token.expires),
        "expired": token.is_over(now),
        "rate": token.rate,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
