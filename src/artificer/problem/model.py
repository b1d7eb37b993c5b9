"""What is wanted, as ``artificer.toml`` says it: one frozen record, each key declared once with what it means.

The descriptions below are what ``artificer init`` writes above each line and what error messages and the manual quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from artificer.metrics.base import metrics
from artificer.problem.amounts import Budget, Duration
from artificer.problem.fields import (
    BudgetField,
    ClassWeights,
    Default,
    Directions,
    DurableName,
    DurationField,
    GuardAction,
    JournalText,
    Label,
    LastingField,
    Levels,
    MetricName,
    ModelName,
    Names,
    Number,
    RequirementField,
    Text,
    URLField,
    Whole,
)
from artificer.problem.fields import key as _key
from artificer.problem.joins import Join, SourceText
from artificer.problem.places import StoreURL
from artificer.problem.requirements import Requirement
from artificer.types import Json, Task

DEFAULT_QUANTILES = (0.1, 0.5, 0.9)
_GUARD_ACTIONS = '"off", "log", "flag", "override" or "refuse"'


class Section(BaseModel):
    """A table of ``artificer.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)


class Data(Section):
    """The table to learn from, and what its columns are for."""

    source: SourceText | None = _key(
        None,
        "The table: a file, a pattern or a folder of files, or the URL of one or of a database; a relative path starts "
        "at this file's folder.",
        'a path or a URL without a password (write ${NAME} for one), like "sales.csv"',
        "sales.csv",
    )
    target: Text = _key(..., "The column to predict.", "the name of a column", "returned")
    positive: Label | None = _key(
        None,
        "Of two classes, the one that counts as positive; unset, one called yes, true, 1 or alike, else the rarer one.",
        'a class label, like "yes" or 1',
        "yes",
    )
    task: Task | None = _key(
        None,
        "binary, multiclass, regression or quantile, which is several quantiles of a number; unset, it is one of the "
        "first three, as the target shows.",
        '"binary", "multiclass", "regression" or "quantile"',
        "binary",
    )
    time: Text | None = _key(
        None,
        "The column that says when a row happened; with it the newest rows are the test set.",
        "the name of a column",
        "ordered_at",
    )
    id: Names = _key((), "Columns that only identify a row; never used to predict.", 'a list of names, like ["a", "b"]')
    group: Text | None = _key(
        None,
        "The column whose equal values belong together (a customer, a patient); a group is never split.",
        "the name of a column",
        "customer",
    )
    weight: Text | None = _key(
        None,
        "The column that says how much a row counts, a number of zero or more, in learning and in every score; it is "
        "not used to predict, and rows to predict need none.",
        "the name of a column",
        "copies",
    )
    monotone: Directions | None = _key(
        None,
        "Columns of numbers with which the prediction may only rise (increasing) or only fall (decreasing), all else "
        "being equal; of two classes it is the chance of the positive one.",
        'a table of columns, each "increasing" or "decreasing"',
        {"price": "decreasing"},
    )
    drop: Names = _key((), "Columns to leave out.", 'a list of names, like ["a", "b"]')
    as_is: Names = _key(
        (),
        "Columns in which every number and time is a value; in others one that is proven to stand for a missing cell "
        "(-999, 9999-12-31) is taken as missing.",
        'a list of names, like ["a", "b"]',
    )
    max_reject_share: Number = _key(
        0.05, "The share of lines that may be unreadable before the run stops.", "a number from 0 to 1", ge=0, le=1
    )
    table: Text | None = _key(
        None, "The table of a database, or the sheet of a workbook.", "the name of a table", "sales"
    )
    query: Text | None = _key(
        None, "What a database is asked instead of for a whole table.", "a query", "SELECT * FROM sales WHERE paid"
    )
    join: tuple[Join, ...] = _key(
        (),
        "Tables whose columns are brought to each row, each a section [[data.join]].",
        "a list of sections that begin with the line [[data.join]]",
    )


class Training(Section):
    """How a model is looked for."""

    metric: MetricName | None = _key(
        None,
        "What is optimised; unset, roc_auc (binary), log_loss (multiclass), rmse (regression) or pinball_loss "
        "(quantile).",
        'the name of a metric, like "roc_auc"',
        "roc_auc",
    )
    budget: BudgetField = _key(
        Budget(seconds=60.0),
        'What a run may spend: time ("60s", "1h30m"), or work ("40 fits"), which repeats exactly on any machine.',
        'a budget like "60s", "5m", "1h30m" or "40 fits"',
    )
    quantiles: Levels | None = _key(
        None,
        "Which quantiles are predicted where data.task is quantile, rising; unset, the 0.1, 0.5 and 0.9 quantiles.",
        "a list of rising numbers above 0 and below 1, like [0.1, 0.5, 0.9]",
        [0.1, 0.5, 0.9],
    )
    class_weights: ClassWeights | None = _key(
        None,
        'How much the rows of each class count in learning: "balanced" for as much as those of any other, or a table '
        "with a number for each label, 1 where it names none. Scores and probabilities stay those of the data.",
        '"balanced" or a table of labels and numbers, like { yes = 5, no = 1 }',
        "balanced",
    )
    seed: Whole = _key(
        0, "Every random choice follows from it.", "a whole number from 0 to 4294967295", ge=0, le=2**32 - 1
    )
    split: Literal["auto", "random", "group", "time"] = _key(
        "auto",
        "auto follows what the rows show: a time they happen at, entities whose rows resemble each other, copies. "
        "time and group follow that alone (time takes rows in the order they are in, where no column tells a time), "
        "random takes rows as exchangeable. A named time or group always counts.",
        '"auto", "random", "group" or "time"',
    )
    test_share: Number = _key(
        0.2, "The share of rows put aside to test the finished model.", "a number above 0 and below 1", gt=0, lt=1
    )


class Cleaning(Section):
    """What is mended in the rows before they are learnt from, and in those to be predicted."""

    mode: Literal["proven", "safe", "off"] = _key(
        "proven",
        "proven mends misspelt categories and numbers of another scale where a paired cross-validation shows that the "
        "model does not get worse; safe only reads units out of numbers; off does neither.",
        '"proven", "safe" or "off"',
    )


class Stores(Section):
    """Where things are kept. In a URL, ${NAME} is an environment variable, so that no secret is written here."""

    home: Text = _key(
        ".artificer", "The folder of bundles, journal and runs; a relative path starts at this file's folder.", "a path"
    )
    registry: URLField | None = _key(
        None,
        "The MLflow tracking URI; unset, SQLite and a folder in the home.",
        "a URL",
        "https://mlflow.example.org",
    )
    journal: JournalText | None = _key(
        None,
        "The file of the prediction journal, or a PostgreSQL database by its URL; unset, a file in the home.",
        "a path or a PostgreSQL URL",
        "/var/lib/journal.sqlite",
    )
    loop: URLField | None = _key(
        None,
        "The database of the loop's workflows; unset, SQLite in the home.",
        "a PostgreSQL or SQLite URL",
        "postgresql://artificer:${ARTIFICER_DB_PASSWORD}@db/artificer",
    )


class Journal(Section):
    """How long predictions and outcomes are kept, and in which form."""

    seal_after: LastingField = _key(
        Duration(86_400.0),
        "A day's entries become Parquet files when the day has ended this long ago.",
        'a duration like "1d"',
    )
    keep: LastingField | None = _key(
        None,
        "Entries of days that ended longer ago than this are removed; unset, all are kept.",
        'a duration like "365d"',
        "365d",
    )


class Serving(Section):
    """The HTTP service."""

    host: Text = _key(
        "127.0.0.1",
        "The address it listens on; one that other machines reach needs a token (artificer token add).",
        "a host name or address",
    )
    port: Whole = _key(8400, "The port; 0 takes any free one.", "a whole number from 0 to 65535", ge=0, le=65535)
    max_body_mb: Number = _key(
        50.0, "The largest request in megabytes (10^6 bytes).", "a number above 0, at most 10000", gt=0, le=10_000
    )
    workers: Whole = _key(
        1,
        "Processes that serve the address together; one more than cores gains nothing.",
        "a whole number from 1 to 64",
        ge=1,
        le=64,
    )
    rate: Number | None = _key(
        None,
        "Requests a second that a token may ask for; unset, there is no limit.",
        "a number above 0, at most 1000000",
        100.0,
        gt=0,
        le=1_000_000,
    )
    origins: Names = _key(
        (),
        "Origins of web pages that may ask, beside the service's own.",
        "a list of origins",
        ["https://app.example"],
    )
    certificate: Text | None = _key(
        None, "The PEM file of the certificate chain; with key the service speaks TLS.", "a path", "tls/chain.pem"
    )
    key: Text | None = _key(
        None, "The PEM file of the certificate's key, without a passphrase.", "a path", "tls/key.pem"
    )


class Guards(Section):
    """What the service does about rows that the model should not be asked, and answers it is not sure of.

    ``off`` does not look, ``log`` counts them on /metrics, ``flag`` tells the client, ``override`` tells the default
    in place of the prediction, ``refuse`` answers nothing.
    """

    out_of_contract: Literal["log", "flag", "override", "refuse"] = _key(
        "refuse",
        "Rows with cells that break the contract; anything but refuse takes those cells as missing.",
        '"log", "flag", "override" or "refuse"',
    )
    far_outside: GuardAction = _key("log", "Rows with a number far beyond what training saw.", _GUARD_ACTIONS)
    low_confidence: GuardAction = _key(
        "log", "Predictions that the model is less sure of than it is of 99 in 100 test rows.", _GUARD_ACTIONS
    )
    default: Default | None = _key(
        None, "What is told where a guard overrides a prediction.", "a class of the target, or a number", "no"
    )
    confidence: Number | None = _key(
        None,
        "Below this probability of the likeliest class confidence is low; unset, it is learnt at training.",
        "a number above 0, at most 1",
        0.6,
        gt=0,
        le=1,
    )

    @model_validator(mode="after")
    def _has_default(self) -> Guards:
        asked = [
            key for key in ("out_of_contract", "far_outside", "low_confidence") if getattr(self, key) == "override"
        ]
        if asked and self.default is None:
            _conflict(f"guards.{asked[0]}", f'guards.{asked[0]} is "override", and guards.default is not set; set it')
        return self

    def plan(self) -> Json:
        """All of it, for the command line of the serving process."""
        return self.model_dump()


class Monitoring(Section):
    """What is watched in production."""

    window: LastingField = _key(
        Duration(7 * 86_400.0), "How far back predictions are looked at.", 'a duration like "7d"'
    )
    min_rows: Whole = _key(
        200, "Fewer predictions than this in the window decide nothing.", "a whole number from 1", ge=1
    )
    alpha: Number = _key(
        0.01,
        "The chance of a false drift alarm in one look, over all columns together.",
        "a number above 0 and below 0.5",
        gt=0,
        lt=0.5,
    )
    delay: DurationField = _key(
        Duration(0.0),
        "How long after its prediction an outcome usually arrives; training rows so close before the rows that test "
        "them are left out, as their outcomes would not be known by then.",
        'a duration like "1d"',
    )


class Loop(Section):
    """When the loop acts by itself."""

    interval: LastingField = _key(Duration(60.0), "How often it looks.", 'a duration like "60s"')
    min_new_labels: Whole = _key(
        500,
        "Outcomes that must have arrived since the last training before it trains again.",
        "a whole number from 1",
        ge=1,
    )
    cooldown: DurationField = _key(Duration(3600.0), "The least time between two trainings.", 'a duration like "1h"')
    max_retrains_per_day: Whole = _key(
        4, "No more trainings than this in 24 hours; 0 never retrains.", "a whole number from 0", ge=0
    )
    rollback_after: Whole = _key(
        200,
        "Outcomes after which a new champion that does worse than the one before is rolled back.",
        "a whole number from 1",
        ge=1,
    )
    incremental: bool = _key(
        False,
        "Learn from each outcome as it comes, on top of the champion, and enter what was learned as a challenger once "
        "it does better.",
        "true or false",
        strict=True,
    )


class Stream(Section):
    """Events that are scored as they come, besides or instead of HTTP."""

    url: URLField | None = _key(
        None,
        "The broker: nats://, kafka:// or redis://; secrets stand in the environment, named as ${NAME}.",
        "a URL",
        "nats://events:${NATS_PASSWORD}@broker:4222",
    )
    events: Text | None = _key(
        None,
        "The subject, topic or stream of the events, each one JSON object of columns.",
        "a text",
        "orders",
    )
    predictions: Text | None = _key(
        None, "Where predictions are published; unset, the events' name with .predictions.", "a text", "orders.scored"
    )
    outcomes: Text | None = _key(None, "Where outcomes come from; unset, none are taken.", "a text", "orders.outcomes")
    dead_letters: Text | None = _key(
        None,
        "Where events go that break the contract, with the cause; unset, the events' name with .dead.",
        "a text",
        "orders.dead",
    )
    name: DurableName = _key(
        "artificer",
        "The durable name under which the broker remembers what is done; ids of predictions begin with it.",
        "1 to 32 letters, digits, - or _",
    )
    id_field: Text = _key(
        "id", "The field of an event that names it, where it has one; a name that comes twice is scored once.", "a text"
    )
    batch: Whole = _key(1000, "So many events are scored at once at most.", "a whole number from 1", ge=1, le=100_000)
    in_flight: Whole = _key(
        10_000,
        "So many events are delivered and not acknowledged at most.",
        "a whole number from 1",
        ge=1,
        le=1_000_000,
    )
    metrics_port: Whole = _key(
        8401,
        "The port of the consumer's /metrics; 0 takes any free one.",
        "a whole number from 0 to 65535",
        ge=0,
        le=65535,
    )
    create: bool = _key(False, "Make streams and topics that are absent.", "true or false", strict=True)
    options: dict[Text, URLField] | None = _key(
        None,
        "Further settings of the broker's library, as texts; ${NAME} is an environment variable.",
        'a table of texts, like { tls_ca = "ca.pem" }',
        {"tls_ca": "ca.pem"},
    )


class Problem(Section):
    """Everything a project wants, in the order of its file.

    Examples
    --------
    >>> problem = Problem.model_validate({"data": {"target": "returned"}, "requirements": ["roc_auc >= 0.8"]})
    >>> problem.training.budget.seconds, problem.requirements[0].bound
    (60.0, 0.8)
    """

    name: ModelName | None = _key(
        None,
        "The name of the project and of its model in the registry; unset, the folder's name.",
        "a text of one line without space around it, at most 100 characters",
        "shop",
    )
    requirements: tuple[RequirementField, ...] = _key(
        (),
        "What a model must reach before it is promoted, each a line like "
        '"roc_auc >= 0.80", "latency_p99_ms <= 5" or "model_mb <= 50".',
        'a list of requirements, like ["roc_auc >= 0.80"]',
    )
    data: Data
    training: Training = Training()
    cleaning: Cleaning = Cleaning()
    stores: Stores = Stores()
    journal: Journal = Journal()
    serving: Serving = Serving()
    guards: Guards = Guards()
    monitoring: Monitoring = Monitoring()
    loop: Loop = Loop()
    stream: Stream = Stream()

    @model_validator(mode="after")
    def _agree(self) -> Problem:
        data = self.data
        self._join_well()
        uses: dict[str, str] = {}
        for key, names in (
            ("target", (data.target,)),
            ("time", (data.time,)),
            ("group", (data.group,)),
            ("id", data.id),
            ("weight", (data.weight,)),
            ("drop", data.drop),
            ("monotone", tuple(data.monotone or ())),
        ):
            for name in names:
                if name is not None and uses.setdefault(name, key) != key:
                    _conflict(f"data.{key}", f'column "{name}" is both data.{uses[name]} and data.{key}; keep one')
        if self.training.quantiles is not None and data.task is not Task.QUANTILE:
            _conflict(
                "training.quantiles", 'training.quantiles are for data.task = "quantile"; state it or remove them'
            )
        if data.task is not None:
            self._suits(data.task)
        return self

    def _join_well(self) -> None:
        data = self.data
        if data.table is not None and data.query is not None:
            _conflict("data.query", "data.table and data.query exclude each other; keep one")
        names = [join.name for join in data.join]
        for join in data.join:
            if names.count(join.name) > 1:
                _conflict("data.join", f'two joins are called "{join.name}"; give each a name of its own')
            if join.time is not None and data.time is None:
                _conflict(
                    "data.join", f"the join {join.name} has a time, so the rows need one too; name it as data.time"
                )

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that are wanted; empty where the task is another."""
        if self.data.task is not Task.QUANTILE:
            return ()
        return self.training.quantiles or DEFAULT_QUANTILES

    def _suits(self, task: Task) -> None:
        if self.data.positive is not None and task is not Task.BINARY:
            _conflict("data.positive", f"data.positive is for binary tasks, and data.task is {task}; remove one")
        if self.data.monotone and task in (Task.MULTICLASS, Task.QUANTILE):
            _conflict("data.monotone", f"data.monotone is for values and two classes, and data.task is {task}")
        if self.training.class_weights is not None and not task.is_classification:
            _conflict("training.class_weights", f"training.class_weights are for classes, and data.task is {task}")
        if self.training.metric is not None and task not in metrics()[self.training.metric].tasks:
            suited = ", ".join(metrics(task))
            _conflict("training.metric", f"{self.training.metric} does not measure a {task} task; use one of {suited}")
        if self.training.metric == "interval_coverage":
            _conflict(
                "training.metric",
                "interval_coverage is no aim, as endless intervals cover all; use pinball_loss, and a requirement like "
                '"interval_coverage >= 0.75"',
            )
        for requirement in self.requirements:
            if requirement.metric is not None and task not in requirement.metric.tasks:
                suited = ", ".join(metrics(task))
                _conflict("requirements", f"{requirement.name} does not measure a {task} task; use one of {suited}")

    def to_json(self) -> Json:
        """Every value as JSON, for lineage and reports; passwords in URLs are hidden."""
        return {
            **({} if self.name is None else {"name": self.name}),
            "requirements": [str(requirement) for requirement in self.requirements],
            **{
                name: {
                    key: plain(value, hide=True)
                    for key in type(section).model_fields
                    if (value := getattr(section, key)) is not None
                }
                for name, section in self.sections()
            },
        }

    def sections(self) -> Iterator[tuple[str, Section]]:
        """The tables by name, in the order of the file."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield name, value


def plain(value: Any, *, hide: bool = False) -> Any:
    """A value as TOML and JSON write it; `hide` blanks passwords that were written out."""
    if isinstance(value, StoreURL):
        return str(value) if hide else value.template
    if isinstance(value, Mapping):
        return {key: plain(item, hide=hide) for key, item in value.items()}
    if isinstance(value, Join):
        return value.to_json()
    if isinstance(value, tuple):
        return [plain(item, hide=hide) for item in value]
    if isinstance(value, Task | Budget | Duration | Requirement):
        return str(value)
    return value


def section_keys() -> dict[str, dict[str, FieldInfo]]:
    """Every table with its keys as declared above; the top level stands under the empty name.

    Examples
    --------
    >>> list(section_keys()["training"])
    ['metric', 'budget', 'quantiles', 'class_weights', 'seed', 'split', 'test_share']
    """
    tables: dict[str, dict[str, FieldInfo]] = {"": {}}
    for name, info in Problem.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            tables[name] = dict(kind.model_fields)
        else:
            tables[""][name] = info
    return tables


def declared(info: FieldInfo, what: str) -> Any:
    """What a key's declaration says of itself: ``expects`` or ``example``."""
    extra = info.json_schema_extra
    return extra.get(what) if isinstance(extra, dict) else None


def _conflict(key: str, message: str) -> None:
    # Braces in a column's name must not be taken for the template's own.
    raise PydanticCustomError("conflict", "{message}", {"message": message, "key": key})
