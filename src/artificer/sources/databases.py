"""Databases by URL: PostgreSQL over Arrow (ADBC), MySQL, MariaDB and whatever else SQLAlchemy has a driver for.

Nothing is ever written: the session is read-only where the database knows such a thing, and always rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from artificer.errors import ConfigurationError, SourceError
from artificer.problem.places import StoreURL
from artificer.sources.base import Part, ReadOptions, ReadResult
from artificer.sources.cursors import frames
from artificer.sources.fingerprints import rows_fingerprint
from artificer.sources.locate import REMOTE, scheme_of
from artificer.sources.secrets import template, told
from artificer.sources.union import united

if TYPE_CHECKING:
    import polars as pl

Batches: TypeAlias = "Iterator[pl.DataFrame]"
POSTGRES = ("postgresql", "postgres")
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
WAIT_SECONDS = 15
BYTES_PER_ROW = 200
READ_ONLY = {"mysql": "SET SESSION TRANSACTION READ ONLY", "mariadb": "SET SESSION TRANSACTION READ ONLY"}
"""What tells a database that nothing will be written, by dialect."""
_REFUSED = ("password", "access denied", "authentication", "no pg_hba.conf entry", "role")
_UNREACHED = ("connection refused", "could not connect", "can't connect", "could not translate", "timeout", "no route")


def is_database(spec: str) -> bool:
    """Whether a source is asked, rather than read as a file."""
    return scheme_of(spec) not in ("", "file", *REMOTE)


def read_database(spec: str, options: ReadOptions) -> ReadResult:
    """Read what a query answers, or a whole table.

    Raises
    ------
    SourceError
        The database cannot be reached, refuses the credentials or the query, goes away midway, or answers no rows.
    ConfigurationError
        An environment variable that the URL names is not set.
    """
    url, options = _asked(spec, options)
    parts = list(batches_of_database(spec, options))
    what = options.query or f"table {options.table}"
    if not any(part.height for part in parts):
        raise SourceError(f'"{url}" answers no rows for {_short(what)}; check the query, or wait until there are some')
    frame, notes = united([(str(number), part) for number, part in enumerate(parts)])
    fingerprint = rows_fingerprint(frame)
    part = Part(what, frame.height, 0, None, fingerprint)
    return ReadResult(frame, frame.height, 0, None, fingerprint, notes, str(url), (part,))


def batches_of_database(spec: str, options: ReadOptions) -> Iterator[pl.DataFrame]:
    """The rows as the database gives them, some at a time."""
    url, options = _asked(spec, options)
    scheme = url.template.split("://")[0].lower()
    reader = _postgres if scheme in POSTGRES else _through_sqlalchemy
    rows = 0
    try:
        for frame in reader(url, options):
            rows += frame.height
            yield frame
    except (SourceError, ConfigurationError, GeneratorExit):
        raise
    except Exception as error:
        if not _from_a_driver(error):
            raise
        # `from None`: a driver's own text may quote the URL with its password.
        raise SourceError(_sentence(url, error, rows)) from None


def _asked(spec: str, options: ReadOptions) -> tuple[StoreURL, ReadOptions]:
    """The URL without ``#table``, and the options with it."""
    base, mark, table = spec.rpartition("#")
    if mark:
        options = replace(options, table=table)
    url = template(base if mark else spec)
    if (options.table is None) == (options.query is None):
        more = "not both" if options.table else f'as in "{url}#orders"'
        raise SourceError(f'"{url}" is a database; name a table or a query to read, {more}')
    return url, options


def _statement(options: ReadOptions, quote: Callable[[str], str]) -> str:
    if options.query is not None:
        return options.query.strip().rstrip(";")
    return "SELECT * FROM " + ".".join(quote(part) for part in (options.table or "").split("."))  # noqa: S608 -- quoted


def _postgres(url: StoreURL, options: ReadOptions) -> Iterator[pl.DataFrame]:
    import adbc_driver_postgresql.dbapi as adbc
    import polars as pl
    from adbc_driver_postgresql import StatementOptions

    place = url.resolve()
    if "connect_timeout" not in place:
        place += ("&" if "?" in place else "?") + f"connect_timeout={WAIT_SECONDS}"
    size = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(options.batch_rows * BYTES_PER_ROW)}
    statement = _statement(options, lambda name: '"' + name.replace('"', '""') + '"')
    with adbc.connect(place) as connection, connection.cursor(adbc_stmt_kwargs=size) as cursor:
        with connection.cursor() as first:
            first.execute("SET TRANSACTION READ ONLY")
        cursor.execute(_readable(connection, statement))
        for batch in cursor.fetch_record_batch():
            yield pl.DataFrame(pl.from_arrow(batch))


def _readable(connection: Any, statement: str) -> str:
    """The query with the columns as text or number whose types Arrow has no form for."""
    import pyarrow as pa

    with connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema(statement)
    casts = []
    for field in schema:
        name = '"' + field.name.replace('"', '""') + '"'
        kind = (field.metadata or {}).get(b"ADBC:postgresql:typname", b"").decode()
        opaque = isinstance(field.type, pa.BaseExtensionType) or pa.types.is_interval(field.type)
        if kind == "numeric":
            casts.append(f"{name}::float8")
        elif opaque or (kind and pa.types.is_binary(field.type) and kind != "bytea"):
            casts.append(f"{name}::text")
        else:
            casts.append(name)
    if not any("::" in cast for cast in casts) or len(set(casts)) < len(casts):
        return statement
    # The statement may end in a comment, which would swallow the bracket.
    return f"SELECT {', '.join(casts)} FROM ({statement}\n) AS rows"  # noqa: S608 -- names are quoted


def _through_sqlalchemy(url: StoreURL, options: ReadOptions) -> Iterator[pl.DataFrame]:
    from sqlalchemy import create_engine, pool
    from sqlalchemy.engine import make_url

    given = make_url(url.resolve())
    given = given.set(drivername=DRIVERS.get(given.drivername, given.drivername))
    name = given.get_backend_name()
    waiting = {"connect_timeout": WAIT_SECONDS} if name in READ_ONLY else {}
    try:
        engine = create_engine(given, poolclass=pool.NullPool, connect_args=waiting, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise SourceError(
            f'"{url}" needs the Python package {error.name}, which is not installed; install it'
        ) from None
    with engine.connect() as connection:
        if name in READ_ONLY:
            connection.exec_driver_sql(READ_ONLY[name])
            connection.rollback()
        streamed = connection.execution_options(
            stream_results=True, max_row_buffer=options.batch_rows, no_parameters=True
        )
        statement = _statement(options, engine.dialect.identifier_preparer.quote_identifier)
        with closing(streamed.exec_driver_sql(statement)) as result:
            yield from frames([str(key) for key in result.keys()], result.fetchmany, options.batch_rows)  # noqa: SIM118


def _from_a_driver(error: Exception) -> bool:
    """Whether the database, its driver or the way to it is at fault."""
    module = type(error).__module__.split(".")[0]
    return module in ("adbc_driver_manager", "sqlalchemy", "pymysql", "pyarrow") or isinstance(error, OSError)


def _sentence(url: StoreURL, error: Exception, rows: int) -> str:
    said = told(url, getattr(error, "orig", None) or error)
    small = said.lower()
    if any(sign in small for sign in _UNREACHED) and not rows:
        return f'"{url}" cannot be reached ({said}); check host, port and network'
    if any(sign in small for sign in _REFUSED) and not rows and "permission denied" not in small:
        named = "".join(f" and ${{{name}}}" for name in url.variables)
        return f'"{url}" refuses the credentials ({said}); check the user{named or " and its password"}'
    if any(
        sign in small for sign in ("terminating", "closed the connection", "lost connection", "gone away", "broken")
    ):
        return f'"{url}" closed the connection after {rows:,} rows ({said}); nothing of them was kept, so try again'
    if "NoSuchModule" in type(error).__name__ or "parse" in small:
        return f'"{url}" is no place that can be read ({said}); name a file, a store or a database'
    return f'"{url}" cannot answer ({said}); correct the query or the table'


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
