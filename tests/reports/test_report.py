"""The report of a run says what the document says, in a file that is whole, safe and readable by everyone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artificer.errors import ArtificerError
from artificer.reports.palette import DARK, LIGHT
from artificer.reports.run import render_report, write_report

TASKS = ("binary", "multiclass", "regression")
EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;"

Document = Callable[[str], dict[str, Any]]
PageOf = Callable[[str], Any]


@pytest.fixture(scope="module")
def rendered() -> dict[str, str]:
    return {}


@pytest.fixture(params=TASKS)
def report(request: pytest.FixtureRequest, document: Document, rendered: dict[str, str]) -> str:
    """Each task's report, drawn once."""
    if request.param not in rendered:
        rendered[request.param] = render_report(document(request.param))
    return rendered[request.param]


def test_it_is_well_formed_html_without_repeated_ids(report: str, page: PageOf) -> None:
    found = page(report)
    assert found.faults == []
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_it_refers_to_nothing_outside_of_itself(report: str, page: PageOf) -> None:
    found = page(report)
    ids = {attributes.get("id") for _, attributes in found.elements}
    for tag, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "xlink:href", "srcset", "action", "data"}:
                assert value is not None
                assert value == "data:," or value[1:] in ids, (tag, name, value)
    assert "http://" not in report
    assert "https://" not in report
    assert "url(" not in report
    assert "@import" not in report
    assert not found.all("script")
    assert any(
        "default-src 'none'" in str(attributes.get("content"))
        for attributes in found.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )


def test_a_screen_reader_finds_its_way(report: str, page: PageOf) -> None:
    found = page(report)
    assert found.all("html")[0]["lang"] == "en"
    assert len(found.all("h1")) == 1
    ids = {attributes.get("id") for _, attributes in found.elements}
    assert all(attributes["aria-labelledby"] in ids for attributes in found.all("section"))
    assert all(attributes.get("scope") in {"row", "col"} for attributes in found.all("th"))
    drawn = found.all("svg")
    assert len(drawn) >= 4
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in drawn)


def test_every_colour_of_a_chart_has_a_dark_twin(report: str) -> None:
    charts = "".join(re.findall(r"<svg.*?</svg>", report, re.DOTALL))
    used = set(re.findall(r'(?:fill|stroke)="([^"]+)"', charts)) - {"none", "transparent"}
    light = {colour: name for name, colour in LIGHT.items()}
    assert used
    for colour in used:
        assert f'svg [fill="{colour}"]{{fill:var(--{light[colour]})}}' in report
        assert light[colour] in DARK


def test_the_headline_and_the_common_sections_give_the_numbers(report: str, page: PageOf) -> None:
    text = page(report).text
    assert "0.843 (95 % interval 0.814 to 0.868) on 300 test rows" in text
    assert "always predicting the same reaches 0.500" in text
    assert "This run was not entered into a registry" in text
    assert "beats the constant baseline on 300 test rows." in text
    for expected in ("training 1,200 79 %", "test 300 20 %", "without a target 10 0.7 %", "rejected 4 0.3 %"):
        assert expected in text
    assert "loans.csv held 1,514 rows" in text
    assert text.index("12 rows repeat another.") < text.index("10 % of the cells are empty."), "errors come first"
    assert "catboost was passed over" in text
    assert "3 of 4 candidates were scored" in text
    assert "lightgbm-2 (70 %) , logistic (30 %)" in text.replace("),", ") ,")
    assert "learning_rate 0.08, num_leaves 8" in text
    assert "2 of 3 columns matter beyond doubt" in text
    assert "3 of 5 columns feed the model." in text
    assert "46.3 µs" in text
    assert "54 kB" in text
    assert "724,184 rows/s" in text
    assert "read 827 ms" in text
    assert "sha256:cd" in text


def test_a_classifier_shows_calibration_and_confusion(document: Document, page: PageOf) -> None:
    made = document("multiclass")
    made["evaluation"]["confusion"]["table"] = [[80, 15, 5], [0, 100, 0], [7, 0, 93]]
    text = page(render_report(made)).text
    assert "Calibration" in text
    assert "Errors" not in text
    assert "bad 80 80 % 15 15 % 5 5.0 % 100" in text
    mistakes = text[text.index("Most frequent mistakes") :]
    assert mistakes.index("bad fair 15 15 %") < mistakes.index("good bad 7 7.0 %") < mistakes.index("bad good 5 5.0 %")


def test_a_regression_shows_its_errors(document: Document, page: PageOf) -> None:
    made = document("regression")
    made["evaluation"]["residuals"] |= {"mean": 1.234, "mean_low": 0.5, "mean_high": 1.968}
    text = page(render_report(made)).text
    assert "The mean error is 1.23 (0.50 to 1.97): the model leans to one side" in text
    assert "Calibration" not in text
    assert "Confusion" not in text


@pytest.mark.parametrize(("task", "size"), [("regression", "Mean width"), ("multiclass", "Mean size")])
def test_promised_coverage_stands_beside_what_was_measured(
    document: Document, page: PageOf, task: str, size: str
) -> None:
    run = document(task)
    text = page(render_report(run)).text
    assert f"Promised Measured 95 % interval {size}" in text
    for row in run["evaluation"]["coverage"]:
        assert f"{row['promised']:.0%}".replace("%", " %") in text
    assert "only while things stay as they were" not in text
    run["evaluation"] |= {"time_ordered": True}
    assert "only while things stay as they were" in page(render_report(run)).text
    run["evaluation"]["coverage"][0]["size"] = None
    assert "endless" in page(render_report(run)).text
    run["evaluation"]["coverage"] = []
    assert "Promised" not in page(render_report(run)).text


def test_metrics_stand_beside_the_baseline(document: Document, page: PageOf) -> None:
    made = document("binary")
    result = made["evaluation"]["metrics"][2]
    result["score"] |= {"value": 0.78675, "low": 0.75866, "high": 0.81239, "method": "Wilson"}
    result["baseline"]["value"] = 0.71829
    result["advantage"] |= {"value": 0.06846, "low": 0.04782, "high": 0.0891, "p": 8e-11}
    text = page(render_report(made)).text
    assert "accuracy higher is better 0.787 0.759 to 0.812 0.718 0.068 0.048 to 0.089 < 0.001 Wilson" in text


@pytest.mark.parametrize(("promoted", "state"), [(True, "Champion"), (False, "Not promoted")])
def test_a_registered_version_says_what_became_of_it_and_why(
    document: Document, page: PageOf, promoted: bool, state: str
) -> None:
    made = document("binary")
    comparison = {"champion": 6, "rows": 300, "score_a": 0.8429, "score_b": 0.8311, "difference": 0.0118}
    comparison |= {"low": 0.002, "high": 0.0216}
    made |= {"version": 7, "promoted": promoted}
    made["promotion"] = {"promoted": promoted, "reason": "held against version 6", "champion": 7}
    made["promotion"]["evidence"] = {"comparison": comparison}
    text = page(render_report(made)).text
    assert f"Version 7 {state}" in text
    assert f"{state} Version 7: held against version 6" in text
    assert "Against version 6 on the same 300 rows: ROC AUC 0.8429 against 0.8311" in text
    assert "0.0118 (95 % interval 0.0020 to 0.0216)" in text


def test_an_undecided_requirement_says_what_would_decide_it(document: Document, page: PageOf) -> None:
    made = document("binary") | {"gate": "UNDECIDABLE"}
    made["requirements"].append(
        {"name": "roc_auc", "verdict": "UNDECIDABLE", "rows_needed": 48123, "sentence": "Open."}
    )
    text = page(render_report(made)).text
    assert "Gate UNDECIDABLE 2 requirements" in text
    assert "About 48,123 test rows in all would decide it." in text


def test_markup_in_the_data_stays_text(document: Document, page: PageOf) -> None:
    made = document("multiclass") | {"target": EVIL, "name": EVIL, "notes": [EVIL], "gate_reason": EVIL}
    made["columns"][0] |= {"name": EVIL, "reason": EVIL, "dtype": EVIL}
    made["importance"][0]["column"] = EVIL
    made["leaderboard"][0] |= {"name": EVIL, "params": {EVIL: EVIL}, "reason": EVIL, "status": EVIL}
    made["findings"][0] |= {"column": EVIL, "evidence": EVIL, "mend": EVIL, "severity": EVIL, "examples": [EVIL]}
    made["requirements"][0] |= {"sentence": EVIL, "name": EVIL, "verdict": EVIL}
    made["lineage"] |= {EVIL: EVIL, "data": {"source": EVIL, EVIL: [EVIL]}}
    confusion = made["evaluation"]["confusion"]
    confusion["classes"][0] = confusion["by_class"][0]["name"] = EVIL
    found = page(render_report(made))
    assert found.faults == []
    assert not found.all("script")
    assert not found.all("img")
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert found.text.count(EVIL) >= 15


def test_control_characters_in_names_do_no_harm(document: Document, page: PageOf) -> None:
    made = document("binary")
    made["importance"][0]["column"] = made["columns"][1]["name"] = "a\x00b\nc\u202ed\ud800"
    made["leaderboard"][0]["name"] = ""
    found = page(render_report(made))
    assert found.faults == []
    assert "a b c d" in found.text
    assert "(empty)" in found.text


def test_a_document_with_nothing_in_it_still_makes_a_page(page: PageOf) -> None:
    found = page(render_report({}))
    assert found.faults == []
    assert "Verdict" in found.text
    assert "Leaderboard" not in found.text


@pytest.mark.parametrize("task", TASKS)
def test_whatever_is_null_leaves_the_rest(document: Document, page: PageOf, task: str) -> None:
    made = document(task)
    for key in made["evaluation"]:
        changed = made | {"evaluation": made["evaluation"] | {key: None}, "leaderboard": None, "importance": None}
        assert page(render_report(changed)).faults == [], key
    # The charts are drawn above; without them this stays quick.
    plain = made | {"leaderboard": None, "importance": None, "evaluation": None}
    for key in plain:
        assert page(render_report(plain | {key: None})).faults == [], key


def test_numbers_that_are_none_are_dashes(document: Document, page: PageOf) -> None:
    made = document("binary") | {"baseline_score": float("nan"), "score": float("nan"), "interval": [None, None]}
    made["evaluation"]["metrics"][0]["score"] |= {"value": None, "low": None, "high": None}
    made["evaluation"]["metrics"][1] |= {"baseline": None, "advantage": None}
    made["leaderboard"] = made["leaderboard"][:1]
    made["leaderboard"][0] |= {"score": float("nan"), "success_probability": None}
    text = page(render_report(made)).text
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", text)
    assert "always predicting the same" not in text


def test_one_candidate_needs_no_chart(document: Document, page: PageOf) -> None:
    made = document("binary") | {"importance": []}
    charts = len(page(render_report(made)).all("svg"))
    made["leaderboard"] = made["leaderboard"][:1]
    found = page(render_report(made))
    assert len(found.all("svg")) == charts - 1
    assert "The model is lightgbm-2 ." in found.text
    assert "Feature importance" not in found.text


def test_thousands_of_columns_are_folded_and_counted(document: Document, page: PageOf) -> None:
    made = document("regression")
    made["columns"] = [
        {"name": f"c{i}", "role": "numeric", "reason": "holds numbers", "dtype": "Float64"} for i in range(2000)
    ]
    made["importance"] = [{"column": f"c{i}", "value": 1 / (i + 1), "low": 0.0, "high": 1.0} for i in range(2000)]
    made["leaderboard"] = [made["leaderboard"][0] | {"name": f"lightgbm-{i}"} for i in range(60)]
    made["findings"] *= 200
    report = render_report(made)
    found = page(report)
    assert len(report) < 1_000_000
    assert "2,000 of 2,000 columns feed the model." in found.text
    assert "275 more columns" in found.text
    assert "1,700 more columns are left out of this file" in found.text
    assert "35 more candidates" in found.text
    assert "100 more findings are left out of this file" in found.text
    assert "The 20 most important columns" in found.text


def test_many_classes_are_a_map_with_the_worst_mistakes_in_words(document: Document, page: PageOf) -> None:
    made = document("multiclass")
    names = [f"a species with a rather long name {i}" for i in range(32)]
    table = [[9 if i == j else int(j == (i + 1) % 32) for j in range(32)] for i in range(32)]
    confusion = made["evaluation"]["confusion"]
    confusion |= {"classes": names, "table": table}
    confusion["by_class"] = [confusion["by_class"][0] | {"name": name} for name in names]
    found = page(render_report(made))
    assert any("Confusion matrix of 32 classes" in str(svg["aria-label"]) for svg in found.all("svg"))
    assert not any("matrix" in str(table.get("class")) for table in found.all("table"))
    assert "7 more classes" in found.text
    made["evaluation"]["confusion"] |= {"table": None, "classes": [str(i) for i in range(150)]}
    assert "118 rarer classes are not listed." in page(render_report(made)).text


def test_it_is_written_whole_or_not_at_all(tmp_path: Path, document: Document) -> None:
    path = write_report(document("binary"), tmp_path / "deep" / "report.html")
    assert path == tmp_path / "deep" / "report.html"
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [found.name for found in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(ArtificerError, match="the report could not be written"):
        write_report({}, path / "below-a-file.html")


def test_the_alternatives_are_listed_with_their_prices(document: Document, page: PageOf) -> None:
    found = page(render_report(document("binary")))
    assert "What a larger or smaller model would cost" in found.text
    assert "141" in found.text
