"""What the consumer counts, and the small address where Prometheus reads it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from artificer.errors import UsageError
from artificer.journal.writer import Journal
from artificer.serving.champion import Champion
from artificer.streams.base import Lag
from artificer.streams.work import Batch

RATE_SECONDS: Final = 10.0
MOST_CAUSES: Final = 100


class Stats:
    """Counts of one subscription."""

    def __init__(self, lag: Lag) -> None:
        self.lag = lag
        self.events = 0
        self.versions: dict[int, int] = {}
        self.dead: dict[str, int] = {}
        self.guarded: dict[tuple[str, str], int] = {}
        self.redelivered = 0
        self.again = 0
        self.repeated = 0
        self.retries = 0
        self.batches = 0
        self.seconds = 0.0
        self._recent: deque[tuple[float, int]] = deque()

    def worked(self, batch: Batch, seconds: float) -> None:
        """A batch was worked on."""
        self.seconds += seconds
        self.batches += 1

    def finished(self, batch: Batch) -> None:
        """A batch was journalled, published and acknowledged."""
        self.events += len(batch.events)
        self.again += batch.again
        self.repeated += batch.repeated
        if batch.version is not None:
            self.versions[batch.version] = self.versions.get(batch.version, 0) + len(batch.entries)
        for cause in batch.causes:
            # Causes name limits, of which there are many; without their ends they are few.
            short = cause.split(":")[0].split(",")[0].split(";")[0][:80]
            short = short if short in self.dead or len(self.dead) < MOST_CAUSES else "other"
            self.dead[short] = self.dead.get(short, 0) + 1
        for caught in batch.guarded:
            self.guarded[caught] = self.guarded.get(caught, 0) + 1
        now = time.monotonic()
        self._recent.append((now, len(batch.events)))
        while self._recent and self._recent[0][0] < now - RATE_SECONDS:
            self._recent.popleft()

    @property
    def rate(self) -> float:
        """Events a second over the last ten."""
        since = time.monotonic() - RATE_SECONDS
        return sum(count for at, count in list(self._recent) if at >= since) / RATE_SECONDS


def serve_metrics(host: str, port: int, stats: Mapping[str, Stats], champion: Champion, journal: Journal) -> Any:
    """Show the counts at ``/metrics``; returns the server, whose ``server_port`` and ``shutdown`` the caller may use.

    Raises
    ------
    UsageError
        The port is taken.
    """
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.registry import Collector

    class Snapshot(Collector):
        def collect(self) -> Iterator[Any]:
            yield from _counts(stats)
            yield from _states(champion, journal)

    registry = CollectorRegistry()
    registry.register(Snapshot())
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(
            f"port {port} of {host} cannot be taken: {error.strerror or error}; set stream.metrics_port to another"
        ) from None
    return server


def _counts(all_stats: Mapping[str, Stats]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    def each(kind: Any, name: str, meaning: str, value: Any) -> Any:
        family = kind(f"artificer_stream_{name}", meaning, labels=["of"])
        for of, stats in all_stats.items():
            family.add_metric([of], value(stats))
        return family

    counter, gauge = CounterMetricFamily, GaugeMetricFamily
    yield each(gauge, "lag", "Events that wait at the broker.", lambda s: s.lag.waiting)
    yield each(gauge, "unacknowledged", "Events under way.", lambda s: s.lag.unacknowledged)
    yield each(gauge, "rate", "Events a second, over ten seconds.", lambda s: s.rate)
    yield each(counter, "events", "Events journalled, published and acknowledged.", lambda s: s.events)
    yield each(counter, "redelivered", "Deliveries that were not the first.", lambda s: s.redelivered)
    yield each(counter, "found", "Events found in the journal and not journalled again.", lambda s: s.again)
    yield each(counter, "repeated", "Events that their sender repeated.", lambda s: s.repeated)
    yield each(counter, "retries", "Journalling or publishing that failed and was tried again.", lambda s: s.retries)
    yield each(counter, "batches", "Batches worked on.", lambda s: s.batches)
    yield each(counter, "work_seconds", "Reading and scoring.", lambda s: s.seconds)
    dead = CounterMetricFamily("artificer_stream_dead_letters", "Events that cannot be used.", labels=["of", "cause"])
    rows = CounterMetricFamily("artificer_stream_rows", "Rows scored, by model version.", labels=["version"])
    guarded = CounterMetricFamily(
        "artificer_stream_guarded_rows", "Rows that guards caught and that were answered.", labels=["guard", "action"]
    )
    for of, stats in all_stats.items():
        for caught, count in list(stats.guarded.items()):
            guarded.add_metric(caught, count)
        for cause, count in list(stats.dead.items()):
            dead.add_metric([of, cause], count)
        if of == "events":
            for version, count in list(stats.versions.items()):
                rows.add_metric([str(version)], count)
    yield dead
    yield rows
    yield guarded


def _states(champion: Champion, journal: Journal) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    ready = champion.state.predictor is not None and journal.state.problem is None
    yield GaugeMetricFamily("artificer_ready", "1 when all is well.", value=float(ready))
    yield CounterMetricFamily("artificer_champion_loads", "Versions taken up.", value=champion.state.loads)
    yield CounterMetricFamily("artificer_journal_entries", "Entries made durable.", value=journal.state.entries)
    yield GaugeMetricFamily(
        "artificer_journal_commit_seconds", "How long the newest commit took.", value=journal.state.last_commit_seconds
    )
