"""A table that is joined to the rows, as ``[[data.join]]`` declares it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from artificer.problem.fields import DurationField, Names, Text, key
from artificer.problem.places import mask

Statistic: TypeAlias = Literal["mean", "sum", "min", "max", "last"]


def _without_secret(value: str) -> str:
    if mask(value, users=False) != value:
        raise ValueError("a place without a password in it; write ${NAME}, which is read from the environment")
    return value


SourceText: TypeAlias = Annotated[Text, AfterValidator(_without_secret)]
"""Where a table is; a URL may name environment variables and must not hold a secret itself."""


class Join(BaseModel):
    """A table whose columns are brought to each row, called ``<name>_<column>``.

    Examples
    --------
    >>> Join(name="customers", source="customers.csv", on={"customer": "id"}).on
    {'customer': 'id'}
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Text = key(..., "The name of the join, which its columns begin with.", "a name", "customers")
    source: SourceText = key(
        ..., "The table to join, named as data.source is.", 'a path or a URL, like "customers.csv"', "customers.csv"
    )
    table: Text | None = key(None, "The table of its database, or its sheet.", "a name")
    query: Text | None = key(None, "What its database is asked instead of for a whole table.", "a query")
    on: dict[Text, Text] | Annotated[Names, Field(min_length=1)] = key(
        ...,
        "The keys: names that both have, or a table from the rows' names to the joined table's.",
        'a list of names, or a table like { customer = "id" }',
        ["customer"],
    )
    time: Text | None = key(
        None,
        "Its column that says when a row of it was known: each row gets the newest at or before its own time.",
        "the name of a column",
        "changed_at",
    )
    within: DurationField | None = key(
        None, "Rows of it that are older than this are not used.", 'a duration like "30d"'
    )
    columns: Names = key((), "The columns that are brought; all when empty.", 'a list of names, like ["a", "b"]')
    known_ahead: Names = key(
        (), "Its columns of times that may lie after the row because they were known before.", "a list of names"
    )
    aggregate: dict[Text, tuple[Statistic, ...]] | None = key(
        None,
        "For a table with many rows of a key: what is made of its columns over the rows strictly before the row's "
        "time, each a list of mean, sum, min, max and last; count and recency (in days) always come with them.",
        'a table like { amount = ["mean", "last"] }',
        {"amount": ["mean", "last"]},
    )

    @model_validator(mode="after")
    def _agree(self) -> Join:
        if self.aggregate is not None and self.columns:
            _refuse(f"the join {self.name} both aggregates and names columns to bring; declare two joins")
        if self.within is not None and self.time is None:
            _refuse(f"the join {self.name} has within, and no time that it could count from; name its time")
        extremes = {"min", "max"} & {each for names in (self.aggregate or {}).values() for each in names}
        if self.within is not None and extremes:
            _refuse(
                f"the join {self.name} asks for {min(extremes)} within a time, which is not made; use mean, sum or last"
            )
        if self.table is not None and self.query is not None:
            _refuse(f"the join {self.name} has both a table and a query; keep one")
        return self

    def to_json(self) -> dict[str, Any]:
        """Every value as TOML and JSON write it; what is unset is left out."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        plain: dict[str, Any] = {}
        for name, value in found.items():
            if value is None or value == ():
                continue
            if isinstance(value, tuple):
                plain[name] = list(value)
            elif name == "aggregate":
                plain[name] = {column: list(each) for column, each in value.items()}
            else:
                plain[name] = str(value) if name == "within" else value
        return plain


def _refuse(message: str) -> None:
    raise PydanticCustomError("conflict", "{message}", {"message": message, "key": "data.join"})
