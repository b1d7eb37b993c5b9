"""Bearer tokens: the file that keeps their hashes, and the ring that a service checks them against.

A token is 256 random bits. Its SHA-256 is kept and nothing else, so that who reads the file cannot ask the service; a
slow hash would add nothing, since nobody guesses 256 bits. The file may change while services run: they look at it
every second, so that a token is added, revoked or replaced without a restart.

References
----------
M. Jones, D. Hardt, "The OAuth 2.0 Authorization Framework: Bearer Token Usage", RFC 6750, 2012.
P. Grassi et al., "Digital Identity Guidelines: Authentication", NIST SP 800-63B, 2017, section 5.1.2 (look-up secrets).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from artificer.durable import replacing
from artificer.errors import ConfigurationError, UsageError

_log = logging.getLogger("artificer.access")

SCOPES: Final = ("predict", "outcome", "operate", "view")
"""What a token may be for: ask for predictions, report outcomes, change what serves, look at model and metrics."""
FORMAT: Final = 1
PREFIX: Final = "art_"
"""How a token begins, so that programs that look for leaked secrets know one."""
LOOK_SECONDS: Final = 1.0
"""So often a running service looks at the file."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept.

    Attributes
    ----------
    sha256 : of the secret, hexadecimal.
    scopes : some of ``SCOPES``.
    created, expires : seconds since 1970-01-01 UTC; None never expires.
    rate : requests a second it may ask for; None has the service's.
    """

    name: str
    sha256: str
    scopes: tuple[str, ...]
    created: float
    expires: float | None = None
    rate: float | None = None

    def is_over(self, now: float) -> bool:
        """Whether it has expired."""
        return self.expires is not None and now >= self.expires


def read_tokens(path: Path) -> list[Token]:
    """Read the file; one that is absent has no tokens.

    Raises
    ------
    ConfigurationError
        It cannot be read, or is not a file of tokens.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the tokens in {path} cannot be read ({error}); restore the file or make new ones"
        ) from error
    try:
        if document["format"] != FORMAT:
            raise ConfigurationError(
                f"the tokens in {path} have format {document['format']!r}, this version reads {FORMAT}; "
                "upgrade Artificer"
            )
        tokens = [Token(**{**given, "scopes": tuple(given["scopes"])}) for given in document["tokens"]]
        for token in tokens:
            _check(token.name, token.scopes, token.rate)
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise ConfigurationError(f"{path} is not a file of tokens ({error}); restore it or make new ones") from error
    return tokens


def add_token(
    path: Path,
    name: str,
    scopes: Sequence[str],
    *,
    now: float,
    lasts: float | None = None,
    rate: float | None = None,
) -> str:
    """Make a token and keep its hash; gives the secret, which is shown this once.

    Parameters
    ----------
    path : the file, made where absent, readable by its owner alone.
    scopes : some of ``SCOPES``.
    lasts : seconds until it expires; None never does.
    rate : requests a second; None has the service's.

    Raises
    ------
    UsageError
        The name is taken or cannot be one, or a scope is unknown.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "tokens.json"
    >>> secret = add_token(path, "shop", ["predict"], now=0.0)
    >>> secret.startswith("art_"), secret in path.read_text(), [token.name for token in read_tokens(path)]
    (True, False, ['shop'])
    """
    kept = tuple(scope for scope in SCOPES if scope in scopes)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not kept:
        raise UsageError(f"a token's scopes are some of {', '.join(SCOPES)}, not {', '.join(unknown) or 'none'}")
    _check(name, kept, rate)
    if lasts is not None and not lasts > 0:
        raise UsageError("a token lasts longer than no time; give a duration like 90d")
    secret = PREFIX + secrets.token_urlsafe(32)
    with _held(path):
        tokens = read_tokens(path)
        if any(token.name == name for token in tokens):
            raise UsageError(f'there is a token named "{name}"; revoke it first, or take another name')
        added = Token(name, _hash(secret), kept, now, None if lasts is None else now + lasts, rate)
        _write(path, [*tokens, added])
    return secret


def revoke_token(path: Path, name: str) -> Token:
    """Take a token away; gives what it was.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    with _held(path):
        tokens = read_tokens(path)
        found = next((token for token in tokens if token.name == name), None)
        if found is None:
            names = ", ".join(token.name for token in tokens) or "none"
            raise UsageError(f'there is no token named "{name}"; there is {names}')
        _write(path, [token for token in tokens if token is not found])
    return found


def _check(name: str, scopes: Sequence[str], rate: float | None) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("a token's name is 1 to 64 letters, digits, dots, dashes or underscores")
    if not set(scopes) <= set(SCOPES):
        raise UsageError(f"a token's scopes are some of {', '.join(SCOPES)}")
    if rate is not None and not 0 < rate <= 1e6:
        raise UsageError("a token's rate is a number of requests a second, above 0 and at most a million")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _write(path: Path, tokens: Sequence[Token]) -> None:
    document = {"format": FORMAT, "tokens": [asdict(token) for token in tokens]}
    with replacing(path) as part, open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(document, indent=2) + "\n")


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """One change at a time, so that two commands do not undo each other."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_name(path.name + ".lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror or error}); check its folder") from error


class Keyring:
    """The tokens of a running service. Safe to share between threads.

    Parameters
    ----------
    path : the file, looked at every second; one that turns unreadable changes nothing but the log.
    always : a token is asked for even while there is no file, as on an address that others reach. Otherwise one is
        asked for from the moment the file exists.
    clock : seconds since 1970-01-01 UTC.

    Raises
    ------
    ConfigurationError
        The file cannot be read at the start.
    """

    def __init__(self, path: Path | None, *, always: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._always = always
        self._clock = clock
        self._mark: tuple[int, int, int] | None = None
        self._by_hash: dict[str, Token] = {}
        self._next_look = 0.0
        self.needed = always
        if path is not None:
            self._load(path, _look(path))

    def find(self, secret: str) -> Token | None:
        """The token of a secret, whatever it may do and whether or not it has expired."""
        return self._by_hash.get(_hash(secret))

    def refresh(self) -> bool:
        """Take up a file that has changed, at most once a second; whether it has."""
        now = time.monotonic()
        if self.path is None or now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        mark = _look(self.path)
        if mark == self._mark:
            return False
        try:
            self._load(self.path, mark)
        except ConfigurationError as error:
            self._mark = mark
            _log.error("%s (the tokens known before keep their rights)", error)
            return False
        return True

    def _load(self, path: Path, mark: tuple[int, int, int] | None) -> None:
        if mark is None and self._mark is not None:
            # A file that vanishes opens nothing: who deleted it may not have meant to let everybody in.
            self._always = True
        self._by_hash = {token.sha256: token for token in read_tokens(path)}
        self._mark = mark
        self.needed = self._always or mark is not None

    def is_over(self, token: Token) -> bool:
        """Whether a token has expired."""
        return token.is_over(self._clock())


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
