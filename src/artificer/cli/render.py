"""Documents as a person reads them in a terminal. One function a document; nothing is computed here."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from artificer.types import Json

PIPE_WIDTH = 1000
_NUMBERS = {"BIGINT", "INTEGER", "DOUBLE", "FLOAT", "HUGEINT", "DECIMAL"}
GATE_STYLE = {"PASS": "green", "FAIL": "bold red", "UNDECIDABLE": "yellow"}


def explored(document: Json) -> None:
    console = _console()
    console.print(f"[bold]{document['rows']:,} rows, {len(document['columns']):,} columns[/]")
    for insight in document["insights"]:
        style = {"bad": "bold red", "unsure": "yellow", "good": "green"}.get(insight["tone"], "")
        title = escape(insight["title"])
        console.print(
            f"[{style}]{title}[/]. {escape(insight['text'])}" if style else f"{title}. {escape(insight['text'])}"
        )
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")
    if document["report"]:
        console.print(f"Report: {escape(document['report'])}", soft_wrap=True)
    console.print(f"{document['seconds']['whole']:.1f} s")


def init(document: Json) -> None:
    console = _console()
    console.print(f"[bold]{escape(document['path'])}[/] written: {document['task']} of {escape(document['target'])}.")
    _table(
        console,
        ("column", "role", "why"),
        ([column["name"], column["role"], column["reason"]] for column in document["columns"]),
    )
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")
    console.print(f"Next: artificer train --project {escape(document['project'])}")


def _left_out(rows: Json) -> str:
    """Rows that are neither trained on nor tested with, where there are any."""
    return f", {rows['left_out']:,} left out between training and test" if rows.get("left_out") else ""


def train(document: Json) -> None:
    console = _console()
    low, high = document["interval"]
    rows = document["rows"]
    console.print(
        f"[bold]{document['metric']} {_number(document['score'])}[/] [{_number(low)}, {_number(high)}] on "
        f"{rows['test']:,} test rows; the constant baseline has {_number(document['baseline_score'])}."
    )
    console.print(
        f"Rows: {rows['read']:,} read, {rows['rejected']:,} rejected, {rows['target_missing']:,} without a target, "
        f"{rows['train']:,} trained on{_left_out(rows)}."
    )
    shown = [row for row in document["leaderboard"] if row["score"] is not None or row["weight"]][:12]
    _table(
        console,
        ("candidate", "score", "success", "weight", "fit s", "state"),
        (
            [
                row["name"],
                _number(row["score"]),
                f"{row['success_probability']:.0%}",
                f"{row['weight']:.2f}" if row["weight"] else "",
                f"{row['fit_seconds']:.1f}",
                row["status"],
            ]
            for row in shown
        ),
        right=(1, 2, 3, 4),
    )
    _gate(console, document)
    promoted = "is champion" if document["promoted"] else "was not promoted"
    reason = f": {document['promotion']['reason']}" if document.get("promotion") else ""
    console.print(f"Version {document['version']} {promoted}{escape(reason)}.")
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")
    for finding in document["findings"]:
        if finding["severity"] != "info":
            console.print(f"[yellow]{escape(finding['severity'])}[/]: {escape(finding['evidence'])}")
    untried = sum(row["status"] == "skipped" for row in document["leaderboard"])
    if untried:
        console.print(f"{untried} candidates were not tried within the budget; the report names them.")
    if document["rejects"]:
        console.print(f"Rejected lines: {escape(document['rejects'])}", soft_wrap=True)
    if document.get("report"):
        console.print(f"Report: {escape(document['report'])}", soft_wrap=True)
    console.print(f"{document['seconds']:.1f} s")


def check(document: Json) -> None:
    console = _console()
    for finding in document["findings"]:
        _finding(console, finding)
    if not document["findings"]:
        console.print("The checks found nothing to report.")
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")
    counts, rows = document["counts"], document["rows"]
    undone = sum(run["state"] != "done" for run in document["checks"])
    console.print(
        f"{counts['error']} errors, {counts['warning']} warnings, {counts['info']} notes in {rows['read']:,} rows and "
        f"{document['columns']:,} columns; {len(document['checks']) - undone} checks"
        f"{f', {undone} not done' if undone else ''}, {document['seconds']:.1f} s."
    )
    if document["report"]:
        console.print(f"Report: {escape(document['report'])}", soft_wrap=True)


def _finding(console: Console, finding: Json) -> None:
    style = {"error": "bold red", "warning": "yellow"}.get(finding["severity"], "dim")
    console.print(f"[{style}]{finding['severity']}[/] {finding['rule']}: {escape(finding['evidence'])}")
    rows = ", ".join(str(row) for row in finding["rows"][:5])
    where = f" (rows {rows}{', …' if finding['count'] > 5 else ''})" if rows else ""
    done = "done: " if finding["applied"] else ""
    console.print(f"  {done}{escape(finding['mend'])}{where}")


def clean(document: Json) -> None:
    console = _console()
    if document["undone"]:
        console.print(f"The table as it was is in {escape(document['output'])}.", soft_wrap=True)
        return
    for item in document["causes"]:
        examples = "; ".join(_example(item["action"], *pair) for pair in item["examples"])
        column = escape(item["column"] or "rows")
        console.print(f"{item['action']} {item['count']:,} {column}: {item['cause']} ({escape(examples)})")
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")
    cells, rows = document["cells"], document["rows"]
    console.print(
        f"{cells['mended']:,} cells mended, {cells['flagged']:,} found wrong and left, {rows['dropped']:,} copies of "
        f"rows dropped; {rows['written']:,} rows in {escape(document['output'])}, every change in "
        f"{escape(document['log'])} ({document['seconds']:.1f} s).",
        soft_wrap=True,
    )


def _example(action: str, before: str | None, after: str | None) -> str:
    left = f'"{before[:30]}"' if before is not None else "missing"
    if action == "flagged":
        return left
    return f"{left} → " + (f'"{after[:30]}"' if after is not None else "missing")


def predict(document: Json) -> None:
    console = _console()
    by = f"version {document['version']}" if document["version"] else "the bundle"
    console.print(
        f"{document['rows']:,} rows scored by {by} into {escape(document['output'])} ({document['seconds']:.1f} s).",
        soft_wrap=True,
    )
    if document["rejected"]:
        console.print(
            f"{document['rejected']:,} lines could not be read and are not in the output; see "
            f"{escape(document['rejects'] or '')}",
            soft_wrap=True,
        )
    for note in document["notes"]:
        console.print(f"note: {escape(note)}")


def monitor(document: Json) -> None:
    console = _console()
    for sentence in document["summary"]:
        console.print(escape(sentence))
    for alarm in document["alarms"]:
        console.print(f"[bold red]alarm[/] {escape(alarm['sentence'])}")


def models(document: Json) -> None:
    console = _console()
    if not document["models"]:
        console.print("No version yet; run: artificer train")
        return
    _table(
        console,
        ("version", "alias", "metric", "score", "gate", "created", "cause"),
        (
            [
                str(model["version"]),
                ", ".join(model["aliases"]),
                model["metric"] or "",
                _number(model["score"]),
                model["gate"] or "",
                model["created"][:19].replace("T", " "),
                model["cause"] or "",
            ]
            for model in document["models"]
        ),
        right=(0, 3),
    )


def promoted(document: Json) -> None:
    before = f" (before: version {document['previous']})" if document["previous"] else f": {document['reason']}"
    _console().print(f"Version {document['version']} is champion{before}.")


def history(document: Json) -> None:
    console = _console()
    _table(
        console,
        ("when", "what", "by", "version", "summary"),
        ([r["when"], r["kind"], r["actor"], str(r["version"] or ""), r["summary"]] for r in document["records"]),
    )


def token_added(document: Json) -> None:
    console = _console()
    console.print(escape(document["secret"]), soft_wrap=True)
    until = "for ever" if document["expires"] is None else f"until {_when_iso(document['expires'])}"
    scopes = ", ".join(document["scopes"])
    console.print(f"Token {escape(document['name'])} for {scopes}, {until}. It is shown this once; keep it safe.")


def tokens(document: Json) -> None:
    if not document["tokens"]:
        _console().print("There is no token; the service asks for none, and listens on this machine alone.")
        return
    _table(
        _console(),
        ("token", "for", "since", "until", "requests/s"),
        (
            [
                token["name"],
                ", ".join(token["scopes"]),
                _when_iso(token["created"]),
                "" if token["expires"] is None else _when_iso(token["expires"]) + (" (over)" * token["expired"]),
                "" if token["rate"] is None else f"{token['rate']:g}",
            ]
            for token in document["tokens"]
        ),
    )


def token_revoked(document: Json) -> None:
    _console().print(f"Token {escape(document['name'])} is revoked.")


def _when_iso(moment: str) -> str:
    return moment[:16].replace("T", " ")


def journal_status(document: Json) -> None:
    console = _console()
    sealed, unsealed = document["sealed"], document["unsealed"]
    console.print(f"{document['predictions']:,} predictions and {document['outcomes']:,} outcomes.")
    console.print(
        f"Not sealed: {unsealed['entries']:,} entries, {unsealed['bytes'] / 1e6:.1f} MB in "
        f"{escape(document['journal'])}",
        soft_wrap=True,
    )
    days = f", {sealed['days'][0]} to {sealed['days'][-1]}" if sealed["days"] else ""
    console.print(
        f"Sealed: {sealed['entries']:,} entries, {sealed['bytes'] / 1e6:.1f} MB in {sealed['files']:,} files{days}, in "
        f"{escape(sealed['folder'] or 'no folder')}",
        soft_wrap=True,
    )
    for record in document["audit"][:5]:
        console.print(f"{_when(record['at'])}  {record['action']}  {escape(str(record['evidence']))}", soft_wrap=True)


def journal_seal(document: Json) -> None:
    console = _console()
    console.print(
        f"{document['sealed']:,} entries sealed into {document['files']:,} files; {document['dropped']:,} dropped."
    )
    if document["damaged"]:
        console.print(f"[yellow]{document['damaged']:,} entries are damaged and stay[/]; see artificer journal verify")


def journal_verify(document: Json) -> None:
    console = _console()
    console.print(
        f"{document['groups']:,} groups and {document['segments']:,} segments with {document['entries']:,} entries "
        + ("are whole." if document["ok"] else f"checked; {document['entries_lost']:,} entries cannot be read:")
    )
    for found in document["damaged"]:
        where = found["segment"] or f"group {found['group']}"
        console.print(f"  {escape(where)}: {escape(found['reason'])} ({found['entries']:,} entries)", soft_wrap=True)


def journal_query(document: Json) -> None:
    console = _console()
    right = [i for i, column in enumerate(document["columns"]) if column["type"] in _NUMBERS]
    shown = (["" if cell is None else str(cell) for cell in row] for row in document["rows"])
    _table(console, [column["name"] for column in document["columns"]], shown, right)
    if document["more"]:
        console.print(f"There are more rows than these {len(document['rows']):,}; raise --limit.")
    for found in document["damaged"]:
        console.print(f"[yellow]not read[/]: {escape(found['segment'] or '')} {escape(found['reason'])}")


def journal_forget(document: Json) -> None:
    console = _console()
    console.print(
        f"{document['predictions']:,} predictions and {document['outcomes']:,} outcomes forgotten; "
        f"{document['segments']:,} segments written anew."
    )
    if not document["overwritten"]:
        console.print(f"[yellow]still on the disk[/]: {escape(document['advice'])}.")
    for found in document["damaged"]:
        console.print(f"[yellow]could not be searched[/]: {escape(found['segment'] or str(found['group']))}")
    for path in document["copies"]:
        console.print(f"Made of the journal earlier, and not changed: {escape(path)}", soft_wrap=True)


def exported(document: Json) -> None:
    _console().print(f"Version {document['version']} written to {escape(document['output'])}.")


def ran(document: Json) -> None:
    _console().print(f"Stopped after {document['cycles']} looks; {document['retrained']} retrainings.")


def demo(document: Json) -> None:
    """The story was told while it happened."""


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _gate(console: Console, document: Json) -> None:
    style = GATE_STYLE.get(document["gate"], "")
    console.print(f"Gate: [{style}]{document['gate']}[/]" if style else f"Gate: {document['gate']}")
    for verdict in document["requirements"]:
        console.print(f"  {verdict['verdict']}: {escape(verdict['sentence'])}")


def _table(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _console() -> Console:
    # Where no terminal sets a width, lines stay whole, so that other programs can search them.
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
