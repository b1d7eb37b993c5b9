"""Who may ask for what, and how often: the tokens and rates of a service, as refusals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from artificer.access.audit import Audit
from artificer.access.rates import Rates
from artificer.access.tokens import SCOPES, Keyring, Token
from artificer.server.problems import Refusal

ANYBODY: Final = Token("anybody", "", SCOPES, 0.0)
"""Who asks where no token is needed."""

_PROBES: Final = frozenset({"/health/live", "/health/ready", "/health", "/ping", "/v2/health/live", "/v2/health/ready"})


def scope_of(path: str, method: str) -> str | None:
    """What a request takes of a token; None for probes, which need none.

    Examples
    --------
    >>> [scope_of("/v1/predict", "POST"), scope_of("/v1/outcomes", "POST"), scope_of("/metrics", "GET")]
    ['predict', 'outcome', 'view']
    """
    if method in ("GET", "HEAD"):
        return None if path in _PROBES else "view"
    return "outcome" if path == "/v1/outcomes" else "predict"


class Admission:
    """Checks tokens and counts requests. For one thread: the event loop's.

    Parameters
    ----------
    keys : the tokens; without any, anybody may ask for anything.
    rate : requests a second for each token that has no rate of its own, or for all together where no token is needed;
        None sets no limit.
    share : which part of every rate this process grants, where several serve one address.
    audit : notes what is changed, and that tokens changed.
    """

    def __init__(
        self, keys: Keyring | None = None, rate: float | None = None, share: float = 1.0, audit: Audit | None = None
    ) -> None:
        self._keys = keys or Keyring(None)
        self._rate = rate
        self._share = share
        self._rates = Rates()
        self.audit = audit or Audit(None)

    def refresh(self) -> None:
        """Take up tokens that were added or revoked."""
        if self._keys.refresh():
            self.audit.note("tokens.taken", "service", file=str(self._keys.path))

    def admit(self, headers: Iterable[tuple[bytes, bytes]], scope: str | None) -> Token:
        """Who asks, if they may, and their request counted; anybody may ask for what takes no scope.

        Raises
        ------
        Refusal
            As of :meth:`check` and :meth:`spend`.
        """
        if scope is None:
            return ANYBODY
        token = self.check(headers, scope)
        self.spend(token)
        return token

    def check(self, headers: Iterable[tuple[bytes, bytes]], scope: str) -> Token:
        """Who asks, if they may.

        Raises
        ------
        Refusal
            401 without a token that is known and lasts, 403 for one that is not for `scope`.
        """
        if not self._keys.needed:
            return ANYBODY
        given = next((value for name, value in headers if name == b"authorization"), b"")
        kind, _, secret = given.partition(b" ")
        if kind.lower() != b"bearer" or not secret.strip():
            raise _unknown('this service asks for a token; send "authorization: Bearer <token>"')
        token = self._keys.find(secret.strip().decode("latin-1"))
        if token is None:
            raise _unknown("the token is not known here; ask for one, or use the one that replaced it")
        if self._keys.is_over(token):
            raise _unknown(f'the token "{token.name}" has expired; ask for a new one')
        if scope not in token.scopes:
            held = ", ".join(token.scopes)
            detail = f'the token "{token.name}" is for {held}, and this takes {scope}; ask for one with that scope'
            challenge = (b"www-authenticate", b'Bearer error="insufficient_scope", scope="%s"' % scope.encode())
            raise Refusal(403, "scope", detail, headers=[challenge])
        return token

    def spend(self, token: Token) -> None:
        """Count one request.

        Raises
        ------
        Refusal
            429 for one too many; ``retry-after`` says when the next may come.
        """
        rate = token.rate if token.rate is not None else self._rate
        if rate is None:
            return
        rate *= self._share
        wait = self._rates.wait(token.name, rate)
        if wait > 0.0:
            seconds = math.ceil(wait)
            detail = (
                f"{token.name} may ask {rate:g} times a second here; wait {seconds} s, or send more rows in one request"
            )
            raise Refusal(429, "rate", detail, headers=[(b"retry-after", b"%d" % seconds)])


def _unknown(detail: str) -> Refusal:
    return Refusal(401, "token", detail, headers=[(b"www-authenticate", b'Bearer realm="artificer"')])
