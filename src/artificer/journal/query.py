"""SQL over the journal, read-only: DuckDB with the sealed files and what is not sealed yet under one name.

``predictions`` and ``outcomes`` have a column for each feature and the journal's own (see
:mod:`artificer.journal.frames`), with ``_time``, the moment as a timestamp, beside ``_at``. ``labelled`` is each
prediction with its newest outcome as ``_outcome``. Entries that were written twice are there twice.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from artificer.errors import JournalError, UsageError
from artificer.journal.entries import OUTCOMES, PREDICTIONS
from artificer.journal.frames import to_frame
from artificer.journal.reader import DamagedGroup, all_pieces, entries_of, opened
from artificer.journal.sealing import ContractOf
from artificer.journal.segments import NAMES, folder_of
from artificer.journal.store import parts_of
from artificer.problem.places import Place
from artificer.types import Json

_LABELLED: Final = """
    create view labelled as
    select predictions.*, latest._outcome from predictions
    join (
        select _id, arg_max(_value, (_at, _order)) as _outcome
        from (select *, row_number() over () as _order from outcomes) group by _id
    ) as latest using (_id)
"""
"""The rows of ``outcomes`` are in the order of writing, which settles equal times as it does for the reader."""


def query(path: Place, sql: str, limit: int = 1000, contract_of: ContractOf = lambda version: None) -> Json:
    """Answer one SELECT over the views ``predictions``, ``outcomes`` and ``labelled``.

    Parameters
    ----------
    limit : so many rows of the answer at the most; ``more`` says whether there were others.
    contract_of : types the columns of what is not sealed yet.

    Raises
    ------
    UsageError
        The text is not one SELECT, or names what is not there.
    JournalError
        The journal or one of its segments cannot be read.
    """
    import duckdb

    with closing(duckdb.connect(":memory:")) as connection:
        damaged = _views(connection, path, contract_of)
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("the query is not one SELECT; the journal is only read here")
            answer = connection.execute(statements[0])
            rows = answer.fetchmany(limit + 1)
            columns = [{"name": name, "type": str(kind)} for name, kind, *_ in answer.description]
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise JournalError(f"a segment cannot be read ({_first(error)}); run artificer journal verify") from error
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be answered: {_first(error)}") from error
    return {
        "columns": columns,
        "rows": [list(row) for row in rows[:limit]],
        "more": len(rows) > limit,
        "damaged": [{"segment": d.segment, "group": d.seq, "entries": d.count, "reason": d.reason} for d in damaged],
    }


def _views(connection: Any, path: Place, contract_of: ContractOf) -> list[DamagedGroup]:
    """Make the views, then take from the connection what is not needed to read them."""
    damaged: list[DamagedGroup] = []
    folders = [str(folder_of(part)) + "/" for part in parts_of(path) if isinstance(part, Path)]
    for kind in (PREDICTIONS, OUTCOMES):
        parts, files = _unsealed(path, kind, contract_of, damaged)
        selects = []
        if files:
            listed = ", ".join(_quoted(name) for name in files)
            selects.append(f"select * from read_parquet([{listed}], union_by_name = true, hive_partitioning = false)")  # noqa: S608
        for number, frame in enumerate(parts):
            connection.register(f"_unsealed_{kind}_{number}", frame.to_arrow())
            selects.append(f"select * from _unsealed_{kind}_{number}")  # noqa: S608
        whole = " union all by name ".join(selects)
        connection.execute(
            f"create view {NAMES[kind]} as select *, make_timestamp((_at * 1e6)::bigint) as _time from ({whole})"  # noqa: S608
        )
    connection.execute(_LABELLED)
    connection.execute(f"set allowed_directories = [{', '.join(map(_quoted, folders))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return damaged


def _unsealed(
    path: Place, kind: int, contract_of: ContractOf, damaged: list[DamagedGroup]
) -> tuple[list[Any], list[str]]:
    """Tables of what is not sealed yet, one a version, and the files' names; one of both there is, for its columns."""
    by_version: dict[str, list[Any]] = defaultdict(list)
    files: list[str] = []
    with opened(path) as parts:
        for (connection, part), piece in all_pieces(parts, kind):
            if piece.segment is None:
                for entry in entries_of(connection, part, piece, damaged):
                    by_version[getattr(entry, "version", "")].append(entry)
            elif isinstance(part, Path) and (folder_of(part) / piece.segment.name).is_file():
                files.append(str(folder_of(part) / piece.segment.name))
            else:
                found = piece.segment
                damaged.append(DamagedGroup(found.number, found.count, "the file is not there", found.name))
    frames = [to_frame(kind, rows, contract_of(name) if name else None)[0] for name, rows in by_version.items()]
    return (frames if frames or files else [to_frame(kind, [])[0]]), files


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].split())[:300].rstrip(".")
