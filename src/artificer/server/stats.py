"""What the service counts, and the Prometheus text of it.

Counting is plain arithmetic on the event loop's thread, since it stands on the hot path; prometheus_client is imported
by the first scrape and only renders.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from artificer.journal.writer import JournalState
    from artificer.serving.champion import ChampionState
    from artificer.serving.guards import Hit

BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper edges of the latency histogram, seconds."""


class Route(msgspec.Struct):
    """Counts of one route: requests by status, and how long they took."""

    statuses: dict[int, int] = msgspec.field(default_factory=dict)
    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: Route) -> None:
        _add(self.statuses, other.statuses)
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class Stats(msgspec.Struct):
    """All counts of one process since its start.

    Attributes
    ----------
    rows : answered rows, by model version.
    outcomes : accepted outcomes.
    violations : cells that broke the contract, by rule.
    unseen : cells with a category that training did not know.
    guarded : rows that guards caught, by guard and action with a space between.
    entries, groups : of the journal; loads : of champions. Set when others are to read them.
    """

    routes: dict[str, Route] = msgspec.field(default_factory=dict)
    rows: dict[int, int] = msgspec.field(default_factory=dict)
    outcomes: int = 0
    violations: dict[str, int] = msgspec.field(default_factory=dict)
    unseen: int = 0
    guarded: dict[str, int] = msgspec.field(default_factory=dict)
    entries: int = 0
    groups: int = 0
    loads: int = 0

    def merge(self, other: Stats) -> None:
        """Add what another process has counted."""
        for name, route in other.routes.items():
            self.route(name).merge(route)
        _add(self.rows, other.rows)
        _add(self.violations, other.violations)
        _add(self.guarded, other.guarded)
        for name in ("outcomes", "unseen", "entries", "groups", "loads"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def route(self, name: str) -> Route:
        return self.routes.setdefault(name, Route())

    def answered(self, version: int, rows: int, unseen: int) -> None:
        """Count rows that were answered."""
        self.rows[version] = self.rows.get(version, 0) + rows
        self.unseen += unseen

    def caught(self, hits: Mapping[int, Sequence[Hit]]) -> None:
        """Count rows that guards caught."""
        for of in hits.values():
            for hit in of:
                key = f"{hit.guard} {hit.action}"
                self.guarded[key] = self.guarded.get(key, 0) + 1

    def violated(self, rule: str) -> None:
        # Rules that quote a column's own format or a class would make labels without end.
        rule = rule.split(",")[0].split(";")[0].split(":")[0]
        self.violations[rule] = self.violations.get(rule, 0) + 1

    def text(self, champion: ChampionState, journal: JournalState, uptime: float) -> bytes:
        """Render in Prometheus' text format."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import generate_latest
        from prometheus_client.registry import Collector

        stats = self

        class Snapshot(Collector):
            def collect(self) -> Iterator[Any]:
                yield from stats._requests()
                yield from stats._rows()
                yield from stats._loaded()
                yield from _state(champion, journal, uptime)

        registry = CollectorRegistry()
        registry.register(Snapshot())
        return generate_latest(registry)

    def _requests(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            "artificer_requests", "Requests, by route and status.", labels=["route", "status"]
        )
        latency = HistogramMetricFamily(
            "artificer_request_seconds", "From the request's head to its answer.", labels=["route"]
        )
        for name, route in list(self.routes.items()):
            for status, count in list(route.statuses.items()):
                requests.add_metric([name, str(status)], count)
            total, edges = 0, []
            for edge, count in zip([*map(str, BUCKETS), "+Inf"], route.buckets, strict=True):
                total += count
                edges.append((edge, total))
            latency.add_metric([name], edges, sum_value=route.seconds)
        yield requests
        yield latency

    def _rows(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily

        rows = CounterMetricFamily("artificer_rows", "Rows answered, by model version.", labels=["version"])
        for version, count in list(self.rows.items()):
            rows.add_metric([str(version)], count)
        violations = CounterMetricFamily(
            "artificer_contract_violations", "Cells that broke the contract, by rule.", labels=["rule"]
        )
        for rule, count in list(self.violations.items()):
            violations.add_metric([rule], count)
        guarded = CounterMetricFamily(
            "artificer_guarded_rows", "Rows that guards caught and that were answered.", labels=["guard", "action"]
        )
        for labels, count in list(self.guarded.items()):
            guarded.add_metric(labels.split(), count)
        yield rows
        yield violations
        yield guarded
        yield CounterMetricFamily("artificer_outcomes", "Outcomes accepted.", value=self.outcomes)
        yield CounterMetricFamily(
            "artificer_unseen_categories", "Cells with a category that training did not know.", value=self.unseen
        )

    def _loaded(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily

        yield CounterMetricFamily("artificer_champion_loads", "Versions taken up since the start.", value=self.loads)
        yield CounterMetricFamily(
            "artificer_journal_entries", "Entries made durable since the start.", value=self.entries
        )
        yield CounterMetricFamily("artificer_journal_groups", "Commits since the start.", value=self.groups)


def merged(parts: Iterable[Stats]) -> Stats:
    """What several processes have counted together."""
    total = Stats()
    for part in parts:
        total.merge(part)
    return total


def _add(counts: dict[Any, int], more: dict[Any, int]) -> None:
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def _state(champion: ChampionState, journal: JournalState, uptime: float) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    ready = champion.predictor is not None and champion.problem is None and journal.problem is None
    yield GaugeMetricFamily("artificer_ready", "1 when all is well.", value=float(ready))
    yield GaugeMetricFamily("artificer_uptime_seconds", "Since the service started.", value=uptime)
    if champion.predictor is not None:
        model = GaugeMetricFamily("artificer_model_info", "The champion that answers.", labels=["name", "version"])
        model.add_metric([champion.predictor.name, str(champion.predictor.version)], 1.0)
        yield model
    yield GaugeMetricFamily(
        "artificer_journal_waiting", "Appends to the journal that are not durable yet.", value=journal.waiting
    )
    yield GaugeMetricFamily(
        "artificer_journal_commit_seconds", "How long the newest commit took.", value=journal.last_commit_seconds
    )
    yield GaugeMetricFamily(
        "artificer_journal_failing", "1 while the journal cannot be written.", value=float(journal.problem is not None)
    )
