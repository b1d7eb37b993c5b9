"""What a broker must be able to do for events to be scored from it: the contract of every stream.

A member is one file: a subclass of :class:`Stream` with a ``name`` and the URL schemes it serves. Other packages add
theirs through the entry-point group ``artificer.streams``; :mod:`artificer.testing.streams` holds the contract's tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from artificer.errors import ConfigurationError, nearest
from artificer.plugins import members


class Event(NamedTuple):
    """One delivery of one event.

    Attributes
    ----------
    data : the message as it was sent.
    key : names the event within its stream, the same at every delivery and of no other event.
    partition, sequence : its place; of two events of a partition the later has the larger sequence.
    at : when the broker took it, seconds since 1970-01-01 UTC.
    redelivered : False only where this is certainly the first delivery.
    token : what the broker's member needs to acknowledge it.
    """

    data: bytes
    key: str
    partition: int
    sequence: int
    at: float
    redelivered: bool
    token: Any = None


class Message(NamedTuple):
    """What is published: the key lets a broker that can recognise a repetition do so."""

    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a subscription is behind.

    Attributes
    ----------
    waiting : events that were not delivered yet.
    unacknowledged : events that were delivered and not acknowledged yet.
    floors : for each partition the sequence up to which everything is acknowledged and never comes again.
    """

    waiting: int
    unacknowledged: int
    floors: Mapping[int, int] = field(default_factory=dict)


class Subscription(ABC):
    """Events of one subject or topic for one durable name, pulled, so that what is in flight has a bound.

    The broker remembers what was acknowledged; what was not comes again, to this subscription or to a later one of the
    same name. The methods are called from one event loop; :meth:`next` by one task at a time.
    """

    @abstractmethod
    async def next(self, most: int, wait: float) -> list[Event]:
        """Give up to `most` events; waits up to `wait` seconds for the first, then takes what is there.

        An outage of the broker is waited out: the list is empty meanwhile, and the connection comes back by itself.
        """

    @abstractmethod
    async def acknowledge(self, events: Sequence[Event]) -> None:
        """Say that the events are done. An acknowledgement that is lost means another delivery, never an error."""

    @abstractmethod
    async def refuse(self, events: Sequence[Event]) -> None:
        """Ask for the events once more. Later ones may come again with them."""

    @abstractmethod
    async def lag(self) -> Lag:
        """How far behind. StreamError while the broker is out of reach."""

    @abstractmethod
    async def close(self) -> None:
        """Take no more. What is not acknowledged will be delivered again."""


class Stream(ABC):
    """A connection to a broker.

    Parameters
    ----------
    url : where it is, secrets in place; it never reaches a log.
    options : further settings of the broker's library.
    create : make subjects, topics and streams that are absent.

    Raises
    ------
    StreamError
        From any method, where the broker is out of reach or refuses.
    """

    name: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    extra: ClassVar[str]
    """The extra of this package that brings the broker's library."""

    def __init__(self, url: str, options: Mapping[str, str] | None = None, *, create: bool = False) -> None:
        self.url = url
        self.options = dict(options or {})
        self.create = create

    @abstractmethod
    async def open(self) -> None:
        """Connect. StreamError where the broker is not there; later outages are waited out."""

    @abstractmethod
    async def subscribe(self, subject: str, durable: str, *, most_unacknowledged: int) -> Subscription:
        """Take up the events of `subject` where the durable name stands, the oldest first where it is new."""

    @abstractmethod
    async def prepare(self, subject: str) -> None:
        """Make sure that what is published to `subject` will be kept. ConfigurationError where it would not be."""

    @abstractmethod
    async def publish(self, subject: str, messages: Sequence[Message]) -> None:
        """Publish; returns when the broker has kept every message.

        After a StreamError some may have been kept; publishing the same messages again is the remedy.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go. What is not acknowledged will be delivered again."""


def streams() -> dict[str, type[Stream]]:
    """The registered members by name.

    Examples
    --------
    >>> sorted(streams())
    ['kafka', 'nats', 'redis']
    """
    return members("artificer.streams", Stream, "artificer.streams")


def stream_for(url: str, options: Mapping[str, str] | None = None, *, create: bool = False) -> Stream:
    """Make the stream that serves a URL, not opened yet.

    Raises
    ------
    ConfigurationError
        Nothing serves the URL's scheme.

    Examples
    --------
    >>> stream_for("nats://127.0.0.1:4222").name
    'nats'
    """
    scheme = urlsplit(url).scheme
    known = {scheme: kind for kind in streams().values() for scheme in kind.schemes}
    if scheme not in known:
        hint = nearest(scheme, known)
        raise ConfigurationError(
            f'stream.url begins with "{scheme}", which no stream serves{hint}; use one of {", ".join(sorted(known))}'
        )
    return known[scheme](url, options, create=create)
