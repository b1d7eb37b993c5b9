"""The two pages for people, which need nothing from elsewhere: the status at ``/`` and the manual at ``/docs``."""

from __future__ import annotations

import json
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from artificer.server.schema import example_row
from artificer.types import Json

if TYPE_CHECKING:
    from artificer.journal.writer import JournalState
    from artificer.server.stats import Stats
    from artificer.serving.champion import ChampionState

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0; --page: #fcfcfd; --card: #fff;
  --good: #218358; --bad: #c62a2f; --mark: #f0f0f3; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #b0b4ba; --line: #363a3f; --page: #111113;
  --card: #18191b; --good: #3dd68c; --bad: #ff9592; --mark: #212225; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem } a { color: inherit }
.soft { color: var(--soft) } .good { color: var(--good) } .bad { color: var(--bad) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem;
  margin: .75rem 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
pre, textarea { background: var(--mark); color: inherit; border: 0; border-radius: 6px; padding: .75rem 1rem;
  margin: .5rem 0; overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; width: 100% }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .75rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top } th { font-weight: 600 }
button { font: inherit; padding: .35rem .9rem; border-radius: 6px; border: 1px solid var(--line);
  background: var(--mark); color: inherit; cursor: pointer } summary { cursor: pointer }
code { font: 13px ui-monospace, monospace }
"""

_SCRIPT = """
document.querySelectorAll("form").forEach(form => form.addEventListener("submit", async event => {
  event.preventDefault();
  const out = form.querySelector("output");
  const area = form.querySelector("textarea");
  const options = area ? {method: "POST", headers: {"content-type": "application/json"}, body: area.value} : {};
  try {
    const answer = await fetch(form.dataset.path, options);
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2) } catch {}
    out.textContent = answer.status + "\\n" + shown;
  } catch (error) { out.textContent = String(error) }
  out.hidden = false;
}));
"""


def status_page(champion: ChampionState, journal: JournalState, stats: Stats, uptime: float) -> str:
    """Show how the service is doing."""
    predictor = champion.predictor
    problems = [problem for problem in (champion.problem, journal.problem) if problem is not None]
    if predictor is None:
        heading, mood = "No model is serving", "bad"
    else:
        heading, mood = f"{predictor.name}, version {predictor.version}", "bad" if problems else "good"
    facts: list[tuple[str, Any]] = []
    if predictor is not None:
        contract = predictor.bundle.contract
        facts += [
            ("predicts", f"{contract.target} ({contract.task.value})"),
            ("champion since", f"{predictor.since:%Y-%m-%d %H:%M} UTC"),
            ("columns", sum(column.kind is not None for column in contract.columns)),
        ]
    statuses: dict[int, int] = {}
    for route in stats.routes.values():
        for status, count in route.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    refused = sum(count for status, count in statuses.items() if 400 <= status < 500)
    failed = sum(count for status, count in statuses.items() if status >= 500)
    facts += [
        ("up for", timedelta(seconds=int(uptime))),
        ("rows answered", f"{sum(stats.rows.values()):,}"),
        ("outcomes accepted", f"{stats.outcomes:,}"),
        ("requests refused", f"{refused:,}"),
        ("requests failed", f"{failed:,}"),
        ("journal", f"{journal.entries:,} entries durable, newest commit {journal.last_commit_seconds * 1000:.1f} ms"),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts)
    state = "answers" if mood == "good" else "needs attention"
    body = f'<h1>{escape(heading)}</h1><p class="{mood}">● {state}</p>'
    body += "".join(f'<p class="card bad">{escape(problem)}</p>' for problem in problems)
    body += f'<div class="card"><dl>{rows}</dl></div>'
    if predictor is not None:
        request = json.dumps({"rows": [example_row(predictor.bundle.contract)]}, ensure_ascii=False)
        command = f"curl -s $URL/v1/predict -H 'content-type: application/json' -d @- <<'JSON'\n{request}\nJSON"
        body += f'<h2>Ask it</h2><pre id="curl">{escape(command)}</pre>'
        body += '<script>curl.textContent = curl.textContent.replace("$URL", location.origin)</script>'
    links = ("/docs", "/v1/model", "/openapi.json", "/metrics", "/health/ready")
    body += '<p class="soft">' + " · ".join(f'<a href="{link}">{link}</a>' for link in links) + "</p>"
    return _page("Artificer", body)


def docs_page(document: Json) -> str:
    """Show an OpenAPI document, with a form to try each route."""
    info = document["info"]
    body = f'<h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>'
    body += f'<p class="soft">{escape(info.get("description", ""))} <a href="/">Status</a> · '
    body += '<a href="/openapi.json">openapi.json</a></p>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body += _operation(path, method, operation)
    body += "<h2>Shapes</h2>"
    for name, shape in document.get("components", {}).get("schemas", {}).items():
        text = escape(json.dumps(shape, indent=2, ensure_ascii=False))
        body += (
            f'<details class="card" id="{escape(name)}"><summary>{escape(name)}</summary><pre>{text}</pre></details>'
        )
    return _page("Artificer: the API", body + f"<script>{_SCRIPT}</script>")


def _operation(path: str, method: str, operation: Json) -> str:
    out = f'<section class="card"><h2 style="margin-top:0"><code>{method.upper()} {escape(path)}</code> '
    out += f'<span class="soft">{escape(operation.get("summary", ""))}</span></h2>'
    out += f"<p>{escape(operation.get('description', ''))}</p><table>"
    for status, answer in operation.get("responses", {}).items():
        names = [
            content["schema"]["$ref"].rsplit("/", 1)[-1]
            for content in answer.get("content", {}).values()
            if "$ref" in content.get("schema", {})
        ]
        links = " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in names)
        out += f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td><td>{links}</td></tr>"
    out += f'</table><form data-path="{escape(path)}">'
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        example = escape(json.dumps(content.get("example", {}), indent=2, ensure_ascii=False))
        out += f'<textarea rows="10" spellcheck="false" aria-label="request body">{example}</textarea>'
    out += "<p><button>Try it</button></p><pre><output hidden></output></pre></form></section>"
    return out.replace("<pre><output hidden></output></pre>", '<output hidden style="white-space:pre-wrap"></output>')


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
