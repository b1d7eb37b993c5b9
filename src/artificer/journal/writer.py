"""The journal's writing side: one thread, group commit, acknowledged only when durable."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeAlias

from artificer.errors import JournalError
from artificer.journal.entries import Chunk, Entry, encode, group_header
from artificer.journal.store import Connection, Turn, open_for_writing
from artificer.problem.places import Place, StoreURL, place_of

_log = logging.getLogger("artificer.journal")

GROUP_BYTES: Final = 32 << 20
"""A group ends here even if more is waiting: a blob has a limit, and a reader opens whole groups."""

_INSERT = "insert into groups (kind, count, min_at, max_at, crc, body) values (?, ?, ?, ?, ?, ?)"
_INSERT_BOTH = _INSERT + ", (?, ?, ?, ?, ?, ?)"
_PROBE = "insert into probe (id, at) values (1, ?) on conflict (id) do update set at = excluded.at"

_Waiter: TypeAlias = "asyncio.Future[None] | Future[None]"


class _Item(NamedTuple):
    chunks: Sequence[Chunk]
    loop: asyncio.AbstractEventLoop | None
    waiter: _Waiter


@dataclass(frozen=True, slots=True)
class JournalState:
    """What an operator wants to know of a journal.

    Attributes
    ----------
    waiting : appends that are not durable yet.
    last_commit_seconds : how long the newest commit took.
    groups, entries : committed since this writer opened.
    problem : why the newest commit failed, or None when it did not.
    """

    waiting: int
    last_commit_seconds: float
    groups: int
    entries: int
    problem: str | None


class Journal:
    """The durable log of predictions and outcomes, for writing. Reading is :mod:`artificer.journal.reader`.

    An append is acknowledged when the entries are on the disk, so that neither a kill nor a power cut takes back what a
    client was told. Whatever gathered while one commit ran goes into the next, so that many writers share the price
    of a sync. Methods may be called from any thread; several processes may write to one path, and each group of each
    lands whole. Entries of one append are all kept or all refused.

    Parameters
    ----------
    path : the database file, made with its folder where absent; or the URL of a PostgreSQL database.

    Raises
    ------
    JournalError
        When the place cannot be written. An append raises it too: then none of its entries is promised, and a later
        append may succeed again (a full disk that was cleared, say).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from artificer.journal.entries import OutcomeEntry
    >>> from artificer.journal.reader import outcomes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "journal.db"
    ...     with Journal(path) as journal:
    ...         journal.append([OutcomeEntry(id="a", at=10.0, value="yes")])
    ...     outcomes(path, since=0.0, until=20.0)
    [OutcomeEntry(id='a', at=10.0, value='yes')]
    """

    def __init__(self, path: Place | str) -> None:
        self.path = path if isinstance(path, StoreURL) else place_of(path)
        self._turn = Turn(self.path)
        with self._turn.taken():
            self._connection: Connection | None = open_for_writing(self.path)
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._last_commit_seconds = 0.0
        self._groups = 0
        self._entries = 0
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="artificer-journal", daemon=True)
        self._thread.start()

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep `entries`; returns when they are durable."""
        if entries:
            done: Future[None] = Future()
            self._put(_Item(encode(entries), None, done))
            done.result()

    def append_async(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Keep `entries`; the future, of the running event loop, ends when they are durable."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        if entries:
            self._put(_Item(encode(entries), loop, done))
        else:
            done.set_result(None)
        return done

    def probe_async(self) -> asyncio.Future[None]:
        """Try whether the journal can be written, by a durable write that adds no entry."""
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._put(_Item((), loop, done))
        return done

    @property
    def state(self) -> JournalState:
        """How the writer is doing, without waiting for it."""
        return JournalState(self._queue.qsize(), self._last_commit_seconds, self._groups, self._entries, self._problem)

    def close(self) -> None:
        """Finish what was appended, then let the file go. Closing twice is harmless."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, item: _Item) -> None:
        # The door keeps an append from slipping in behind the closing mark, where nobody would answer it.
        with self._door:
            if self._closed:
                raise JournalError(f"the journal {self.path} is closed; open it again to append.")
            self._queue.put(item)

    def _run(self) -> None:
        open_ = True
        while open_:
            items, open_ = self._gather()
            if items:
                self._settle(items, self._commit(items))
        if self._connection is not None:
            self._connection.close()
        self._turn.close()

    def _gather(self) -> tuple[list[_Item], bool]:
        """Wait for one append, and take with it all that came meanwhile."""
        items: list[_Item] = []
        size = 0
        item = self._queue.get()
        while item is not None:
            items.append(item)
            size += sum([len(chunk.data) for chunk in item.chunks])
            if size >= GROUP_BYTES:
                return items, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return items, True
        return items, False

    def _commit(self, items: list[_Item]) -> JournalError | None:
        """Write the items as one transaction, and say why where that failed."""
        chunks = [chunk for item in items for chunk in item.chunks]
        rows = [_group(of_kind) for kind in (0, 1) if (of_kind := [c for c in chunks if c.kind == kind])]
        started = time.monotonic()
        try:
            with self._turn.taken():
                if self._connection is None:
                    self._connection = open_for_writing(self.path)
                if not rows:
                    self._connection.execute(_PROBE, (time.time(),))
                else:
                    # One statement is one transaction, and asks for the interpreter lock least often.
                    values = [value for row in rows for value in row]
                    self._connection.execute(_INSERT if len(rows) == 1 else _INSERT_BOTH, values)
        except (sqlite3.Error, OSError, JournalError) as error:
            return self._failed(error)
        self._last_commit_seconds = time.monotonic() - started
        self._groups += len(rows)
        self._entries += sum([chunk.length for chunk in chunks])
        if self._problem is not None:
            _log.info("the journal %s can be written again", self.path)
            self._problem = None
        return None

    def _failed(self, error: Exception) -> JournalError:
        # A connection that failed to write may hold a half-rolled-back state; the next commit starts with a fresh one.
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as second:
                _log.warning("the journal %s could not be closed after a failure: %s", self.path, second)
        message = f"the journal {self.path} could not be written ({error}); free space or repair the disk."
        if self._problem is None:
            _log.error("%s", message)
        self._problem = message
        return JournalError(message)

    def _settle(self, items: list[_Item], error: JournalError | None) -> None:
        """Tell every waiter of the group; one call into each event loop wakes all of its waiters."""
        loops: dict[asyncio.AbstractEventLoop, list[Any]] = {}
        for _, loop, waiter in items:
            if loop is not None:
                loops.setdefault(loop, []).append(waiter)
            elif error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
        for loop, waiters in loops.items():
            try:
                loop.call_soon_threadsafe(_wake, waiters, error)
            except RuntimeError:
                # The loop was closed while the commit ran: nobody is left to tell.
                _log.debug("an event loop closed before %d appends were acknowledged", len(waiters))


def _wake(waiters: list[asyncio.Future[None]], error: JournalError | None) -> None:
    for waiter in waiters:
        if waiter.done():  # cancelled: its client went away
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(JournalError(*error.args))


def _group(chunks: list[Chunk]) -> tuple[int, int, float, float, int, bytes]:
    count = sum([chunk.length for chunk in chunks])
    body = b"".join([group_header(count), *[chunk.data for chunk in chunks]])
    return (
        chunks[0].kind,
        count,
        min([chunk.min_at for chunk in chunks]),
        max([chunk.max_at for chunk in chunks]),
        zlib.crc32(body),
        body,
    )
