"""Who may ask: a web page that a person happens to have open is not one of the service's clients.

A browser sends requests to this machine for any page it shows. Two of them would get through unasked: a "simple" POST,
which needs no leave of the service, and any request at all from a page whose own name an attacker lets point to
127.0.0.1 (DNS rebinding), which the browser takes for the page's own service and lets it read. Both show in headers
that pages cannot set: ``Origin`` and ``Host``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from artificer.server.problems import Refusal

_REMEMBERED: Final = 64
"""So many accepted hosts are kept; a client that invents ports must not fill the memory."""
PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (b"access-control-allow-headers", b"authorization, content-type"),
    (b"access-control-max-age", b"600"),
)
"""What a browser is told that asks, before it sends a page's request, whether it may."""
_VARY: Final = (b"vary", b"origin")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::\d{0,5})?", re.IGNORECASE)


class Gate:
    """Looks at the ``Host`` and ``Origin`` of a request.

    Parameters
    ----------
    host : what the service was told to listen on, a name or an address; accepted beside the loopback ones.
    local : it listens on this machine alone, so that every honest client names this machine. Otherwise any host passes.
    origins : of web pages that may post here beside the service's own, such as ``https://app.example``.

    Examples
    --------
    >>> gate = Gate("127.0.0.1", local=True)
    >>> gate.check([(b"host", b"localhost:8400")], writes=True)
    >>> gate.check([(b"host", b"rebound.example")], writes=False)
    Traceback (most recent call last):
    ...
    artificer.server.problems.Refusal: the request names the host "rebound.example", and this service answers on its \
own machine alone; ask it as 127.0.0.1 or localhost, also from a proxy

    References
    ----------
    C. Jackson, A. Barth, A. Bortz, W. Shao, D. Boneh, "Protecting Browsers from DNS Rebinding Attacks", ACM CCS 2007.
    R. Fielding, M. Nottingham, J. Reschke, "HTTP Semantics", RFC 9110, 2022, sections 7.2, 7.4 and 15.5.20.
    A. Barth, "The Web Origin Concept", RFC 6454, 2011.
    """

    def __init__(self, host: str, *, local: bool, origins: Iterable[str] = ()) -> None:
        self._local = local
        self.origins = frozenset(origin.lower().encode() for origin in origins)
        self._named = host.lower()
        self._accepted: set[bytes] = set()

    def check(self, headers: Iterable[tuple[bytes, bytes]], *, writes: bool) -> None:
        """Let a request pass, `writes` where it changes something.

        Raises
        ------
        Refusal
            421 for a host that is not this machine, 403 for a page of another origin.
        """
        host, origin = b"", None
        for name, value in headers:
            if name == b"host":
                host = value
                if value not in self._accepted:
                    self._meet(value)
            elif name == b"origin":
                origin = value
        # The scheme is left out: a proxy may speak TLS where the service does not.
        if writes and origin is not None and not self._may_post(origin.lower(), host.lower()):
            shown = origin[:200].decode("latin-1")
            detail = f'a web page of "{shown}" may not post here; post from a program, or from the service\'s own pages'
            raise Refusal(403, "origin", detail)

    def _may_post(self, origin: bytes, host: bytes) -> bool:
        return origin.partition(b"://")[2] == host or origin in self.origins

    def allowed_origin(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """The origin of a page that is allowed here though it is another's; None where there is none."""
        origin = next((value for name, value in headers if name == b"origin"), None)
        return origin if origin is not None and origin.lower() in self.origins else None

    def shared(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers by which a browser lets a page of another origin read the answer, where one may."""
        if not self.origins:
            return []
        origin = self.allowed_origin(headers)
        return [_VARY] if origin is None else [_VARY, (b"access-control-allow-origin", origin)]

    def _meet(self, value: bytes) -> None:
        # HTTP/1.0 has no Host, and one that is empty says as much; browsers send neither.
        if self._local and value and not self._is_here(value.decode("latin-1")):
            shown = value[:200].decode("latin-1")
            detail = (
                f'the request names the host "{shown}", and this service answers on its own machine alone; '
                "ask it as 127.0.0.1 or localhost, also from a proxy"
            )
            raise Refusal(421, "host", detail)
        if len(self._accepted) < _REMEMBERED:
            self._accepted.add(value)

    def _is_here(self, value: str) -> bool:
        found = _HOST.fullmatch(value)
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        return name in ("localhost", self._named) or is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone; names are not addresses.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.8.0.1", "::1", "::1%lo", "127.0.0.1.example", "0.0.0.0")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
