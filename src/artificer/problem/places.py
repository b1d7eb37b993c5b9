"""Where stores live: a URL whose secrets come from the environment and never reach a log."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from artificer.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER = re.compile(r"(?<=://)([^/\s]*)@")
"""Up to the last "@" before the path: one that was written plainly may be part of the password."""
_QUERY_SECRET = re.compile(r"(?i)([?&;#][^=&;?#\s]*(?:sig|token|key|secret|pass|pwd|credential)[^=&;?#\s]*=)([^&;\s]*)")
_SHORT = 4
"""A value of a query that is shorter is a word of any sentence, and is not blanked out of one."""


@dataclass(frozen=True, slots=True, repr=False)
class StoreURL:
    """A URL that may name environment variables as ``${NAME}``; they are read when the store is opened.

    Printing it shows the references, and hides a password that was written out.

    Examples
    --------
    >>> url = StoreURL("postgresql://shop:${SHOP_PASSWORD}@db/shop")
    >>> url.resolve({"SHOP_PASSWORD": "s3cret"})
    'postgresql://shop:s3cret@db/shop'
    >>> print(StoreURL("postgresql://shop:s3cret@db/shop"))
    postgresql://shop:***@db/shop
    """

    template: str

    def __post_init__(self) -> None:
        if "${" in _REFERENCE.sub("", self.template):
            raise ValueError('a URL in which "${" opens the name of an environment variable, like "${DB_PASSWORD}"')

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables it names, each once."""
        return tuple(dict.fromkeys(_REFERENCE.findall(self.template)))

    def resolve(self, environment: Mapping[str, str] | None = None) -> str:
        """The URL with its secrets in place. Pass it to the store, and to nothing that prints.

        Raises
        ------
        ConfigurationError
            A variable is not set.
        """
        environment = os.environ if environment is None else environment
        for name in self.variables:
            if name not in environment:
                raise ConfigurationError(f"{self} names the environment variable {name}, which is not set; set it")
        return _REFERENCE.sub(lambda found: environment[found[1]], self.template)

    def hide(self, text: str, environment: Mapping[str, str] | None = None) -> str:
        """Blank this URL's secrets out of a text that a driver wrote, such as an error message."""
        environment = os.environ if environment is None else environment
        secrets = {environment.get(name, "") for name in self.variables}
        written = [found[1].partition(":")[2] for found in _USER.finditer(self.template)]
        written += [found[2] for found in _QUERY_SECRET.finditer(self.template) if len(found[2]) >= _SHORT]
        secrets.update(secret for secret in written if not _REFERENCE.search(secret))
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, "***")
        return mask(text)

    def __str__(self) -> str:
        return mask(self.template)

    def __repr__(self) -> str:
        return f"StoreURL({str(self)!r})"


Place: TypeAlias = Path | StoreURL
"""A file, or a database by its URL."""


def place_of(text: str | Path) -> Place:
    """A place as it is written in a command or a spec.

    Examples
    --------
    >>> place_of("journal.sqlite"), place_of("postgresql://db/shop")
    (PosixPath('journal.sqlite'), StoreURL('postgresql://db/shop'))
    """
    return StoreURL(str(text)) if "://" in str(text) else Path(text)


def written(place: Place) -> str:
    """A place as a command takes it: references to the environment stay what they are."""
    return place.template if isinstance(place, StoreURL) else str(place)


def mask(url: str, *, users: bool = True) -> str:
    """Hide what looks like a secret in a URL; references to the environment stay.

    Parameters
    ----------
    users : hide a user without a password, too: to many services that is a token.

    Examples
    --------
    >>> mask("https://me:pw@host/x?token=abc&a=1")
    'https://me:***@host/x?token=***&a=1'
    >>> mask("nats://t0ken@host"), mask("postgresql://shop@db/shop", users=False)
    ('nats://***@host', 'postgresql://shop@db/shop')
    """

    def keep(secret: str) -> str:
        return secret if _REFERENCE.fullmatch(secret) else "***"

    def user(found: re.Match[str]) -> str:
        name, colon, password = found[1].partition(":")
        if password:
            return f"{name}:{keep(password)}@"
        return f"{keep(name) if users and name else name}{colon}@"

    return _QUERY_SECRET.sub(lambda found: found[1] + keep(found[2]), _USER.sub(user, url))
