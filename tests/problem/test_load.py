"""What a person writes wrong in artificer.toml is named: the line, the key, the nearest valid name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artificer.errors import ConfigurationError, MissingError
from artificer.problem.amounts import Budget
from artificer.problem.load import PROJECT_FILE, build_problem, load_problem, override, parse_problem
from artificer.problem.model import section_keys
from artificer.types import Task

GOOD = '[data]\ntarget = "y"\n'

REFUSED = [
    # unknown names
    ('[data]\ntaget = "y"', 2, '"taget" is not a key of [data]; did you mean "target"?'),
    (f"{GOOD}zzzz = 1", 3, '"zzzz" is not a key of [data]; its keys are source, target, positive,'),
    (f'{GOOD}budget = "60s"', 3, '"budget" does not belong to [data]; move it to [training]'),
    (f"{GOOD}budgett = 1", 3, 'did you mean "budget" of [training]?'),
    ('target = "y"', 1, '"target" does not belong to the top of the file; move it to [data]'),
    (f"{GOOD}[loop]\nrequirements = []", 4, "move it to the top of the file, above every section"),
    (f"{GOOD}[trainning]\nseed = 1", 3, 'there is no section [trainning]; did you mean "training"?'),
    (f"{GOOD}[zzzz]\nseed = 1", 3, "there is no section [zzzz]; the sections are data, training, cleaning"),
    # wrong types
    ("data = 3", 1, "data must be a section that starts with the line [data]"),
    ('[[data]]\ntarget = "y"', 1, "data must be a section"),
    ("[data]\ntarget = 1", 2, "data.target = 1 must be the name of a column"),
    ("[data]\ntarget = {a = 1}", 2, "data.target = (a table) must be the name of a column"),
    (f'{GOOD}drop = "a"', 3, 'data.drop = "a" must be a list of names, like ["a", "b"]'),
    (f'{GOOD}drop = [\n"a",\n3,\n]', 5, "data.drop[1] = 3 must be a text in quotes"),
    (f'{GOOD}[training]\ntest_share = "0.2"', 4, 'training.test_share = "0.2" must be a number above 0 and below 1'),
    (f"{GOOD}[training]\nseed = 1.5", 4, "training.seed = 1.5 must be a whole number from 0"),
    (f"{GOOD}[training]\nbudget = 60", 4, 'training.budget = 60 must be a budget like "60s", "5m"'),
    (f"{GOOD}[serving]\nport = true", 4, "serving.port = true must be a whole number from 0 to 65535"),
    (f"{GOOD}[monitoring]\nwindow = 07:00:00", 4, "monitoring.window = 07:00:00 must be a duration like"),
    ('requirements = "roc_auc >= 0.8"\n' + GOOD, 1, "must be a list of requirements"),
    # values
    ('[data]\ntarget = ""', 2, "must be a text that is not empty"),
    (f'{GOOD}task = "binry"', 3, 'data.task = "binry" must be "binary", "multiclass", "regression" or "quantile"'),
    (f'{GOOD}[training]\nmetric = "rmsee"', 4, 'did you mean "rmse"?'),
    (f"{GOOD}[training]\ntest_share = 1.0", 4, "must be a number above 0 and below 1"),
    (f"{GOOD}[training]\ntest_share = nan", 4, "must be a number above 0 and below 1"),
    (f'{GOOD}[training]\nbudget = "6 parsecs"', 4, "must be a budget like"),
    (f'{GOOD}[training]\nbudget = "0s"', 4, "must be a budget above zero"),
    (f'{GOOD}[loop]\ninterval = "0s"', 4, "loop.interval"),
    (f"{GOOD}[serving]\nport = 70000", 4, "serving.port = 70000 must be a whole number from 0 to 65535"),
    (f"{GOOD}[training]\nseed = 0x{'f' * 9000}", 4, "training.seed = (a huge number) must be a whole number"),
    (f"{GOOD}positive = 0x{'f' * 9000}", 3, "data.positive = (a huge number) must be a class label"),
    (f"{GOOD}max_reject_share = -0.1", 3, "must be a number from 0 to 1"),
    ('requirements = [\n  "roc_auc >= 0.8",\n  "roc_auk >= 0.8",\n]\n' + GOOD, 3, 'did you mean "roc_auc"?'),
    ("requirements = [3]\n" + GOOD, 1, "requirements[0] = 3 must be a text in quotes"),
    # keys that disagree
    (f'{GOOD}id = ["a"]\ndrop = ["a"]', 4, 'column "a" is both data.id and data.drop; keep one'),
    (f'{GOOD}drop = ["y"]', 3, 'column "y" is both data.target and data.drop; keep one'),
    ('[data]\ntarget = "{x}"\ntime = "{x}"', 3, 'column "{x}" is both data.target and data.time; keep one'),
    (f'{GOOD}drop = ["a", "a"]', 3, 'a list in which "a" stands once'),
    (f'{GOOD}task = "regression"\npositive = 1', 4, "data.positive is for binary tasks"),
    (
        f'{GOOD}task = "regression"\n[training]\nmetric = "f1"',
        5,
        "f1 does not measure a regression task; use one of mae",
    ),
    (f'requirements = ["rmse <= 3"]\n{GOOD}task = "binary"', 1, "rmse does not measure a binary task; use one of"),
    # not TOML
    ("[data]\ntarget = y", 2, "this is not TOML (invalid value; text stands in quotes); correct the line"),
    (f'{GOOD}target = "z"', 3, "this is not TOML (cannot overwrite a value)"),
    ('[data]\ntarget = "y', 2, "this is not TOML"),
    ("[data\n", 1, "this is not TOML"),
    ("a = " + "[" * 5000, 1, "nested too deeply"),
    ("a = " + "1" * 5000, 1, "a number of thousands of digits"),
]


@pytest.mark.parametrize(("text", "line", "said"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_wrong_is_named(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_problem(text)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    if "nested" not in said and "thousands" not in said:
        assert message.startswith(f"artificer.toml, line {line}: ")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^artificer.toml: the section \[data\] is missing; add it with target"
    ):
        parse_problem("")
    with pytest.raises(ConfigurationError, match=r'line 1: \[data\] lacks target; add target = "..."'):
        parse_problem("[data]\nid = []")


def test_the_first_of_several_faults_is_named_and_the_rest_counted() -> None:
    with pytest.raises(ConfigurationError, match=r"line 4: training.seed .* \(1 more to correct after it\)$"):
        parse_problem(f"{GOOD}[training]\nseed = -1\ntest_share = 7")


def test_a_password_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_problem(f'{GOOD}[stores]\nloop = "postgresql://me:hunter2@db/${{X"')
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_defaults_and_values() -> None:
    problem = parse_problem(
        'requirements = ["roc_auc >= 0.8", "model_mb <= 50"]\n'
        '[data]\ntarget = "y"\npositive = true\ntask = "binary"\n[training]\nbudget = "40 fits"\n'
        '[monitoring]\nwindow = "1d12h"\n'
    )
    assert problem.data.positive == "true"
    assert problem.data.task is Task.BINARY
    assert problem.training.budget == Budget(fits=40)
    assert problem.monitoring.window.seconds == 36 * 3600
    assert [requirement.name for requirement in problem.requirements] == ["roc_auc", "model_mb"]
    assert (problem.serving.port, problem.training.seed, problem.training.test_share) == (8400, 0, 0.2)
    assert parse_problem(f"{GOOD}positive = 1").data.positive == "1"


def test_a_name_of_ones_own() -> None:
    problem = parse_problem(f'name = "shop north"\n{GOOD}')
    assert problem.name == "shop north"
    assert problem.to_json()["name"] == "shop north"
    assert override(problem, {"training.seed": 1}).name == "shop north"
    assert override(problem, {"name": "south"}).name == "south"
    assert "name" not in parse_problem(GOOD).to_json()


@pytest.mark.parametrize("value", ['""', '" "', '" shop"', '"a\\nb"', f'"{"x" * 101}"', "3", "[]"])
def test_what_is_no_name(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^artificer.toml, line 1: name = .* must be a text"):
        parse_problem(f"name = {value}\n{GOOD}")


def test_a_problem_does_not_change() -> None:
    problem = parse_problem(GOOD)
    with pytest.raises(ValueError, match="frozen"):
        problem.data.target = "z"  # type: ignore[misc]
    assert hash(problem) == hash(parse_problem(GOOD))


def test_every_key_is_explained_and_says_what_it_expects() -> None:
    for keys in section_keys().values():
        for name, info in keys.items():
            assert info.description, name
            assert isinstance(info.json_schema_extra, dict)
            assert info.json_schema_extra["expects"], name
            if info.default is None:
                assert info.json_schema_extra["example"], name


def test_override_validates_and_names_the_key() -> None:
    problem = parse_problem('requirements = ["roc_auc >= 0.8"]\n' + GOOD)
    changed = override(problem, {"training.budget": "5m", "data.task": None, "requirements": ["f1 >= 0.5"]})
    assert changed.training.budget == Budget(seconds=300)
    assert [str(requirement) for requirement in changed.requirements] == ["f1 >= 0.5"]
    assert problem.training.budget == Budget(seconds=60)
    assert override(problem, {}) == problem
    with pytest.raises(ConfigurationError, match=r'^--budget: training.budget = "soon" must be a budget like'):
        override(problem, {"training.budget": "soon"}, where="--budget")
    with pytest.raises(ConfigurationError, match=r'no key "training.bugdet"; did you mean "training.budget"'):
        override(problem, {"training.bugdet": "5m"})


def test_a_problem_from_a_call() -> None:
    assert build_problem({"data": {"target": "y"}, "training": {"budget": Budget(fits=3)}}).training.budget.fits == 3
    with pytest.raises(ConfigurationError, match=r'^the problem: "taget" is not a key of \[data\]'):
        build_problem({"data": {"taget": "y"}})


def test_to_json_is_json_without_secrets() -> None:
    import json

    text = json.dumps(parse_problem(f'{GOOD}[stores]\nregistry = "https://me:hunter2@host"').to_json())
    assert "hunter2" not in text
    assert '"budget": "60s"' in text


def write(folder: Path, content: bytes) -> Path:
    (folder / PROJECT_FILE).write_bytes(content)
    return folder


def test_encodings(tmp_path: Path) -> None:
    assert load_problem(write(tmp_path, "\ufeff[data]\r\ntarget = 'größe'\r\n".encode())).data.target == "größe"
    with pytest.raises(ConfigurationError, match=r"artificer.toml, line 2: byte 0xF6 is not UTF-8; save the file as"):
        load_problem(write(tmp_path, "[data]\ntarget = 'größe'\n".encode("latin-1")))
    with pytest.raises(ConfigurationError, match="line 3"):
        load_problem(write(tmp_path, b"[data]\r\ntarget = 'y'\r\ntaget = 'y'\r\n"))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"there is no artificer.toml in .*; create one with `artificer init`"):
        load_problem(tmp_path)
    with pytest.raises(
        MissingError, match=r"there is no folder .*nowhere; create a project in it with `artificer init`"
    ):
        load_problem(tmp_path / "nowhere")
    (tmp_path / "table.csv").touch()
    with pytest.raises(MissingError, match=r"table.csv is a file, and a project is a folder"):
        load_problem(tmp_path / "table.csv")
    (tmp_path / PROJECT_FILE).mkdir()
    with pytest.raises(ConfigurationError, match="is a folder where a file should be"):
        load_problem(tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD.encode())

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    def fail(self: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigurationError, match="may not be read by this user; change its permissions"):
        load_problem(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ConfigurationError, match="Input/output error"):
        load_problem(tmp_path)


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, b"")
    os.truncate(tmp_path / PROJECT_FILE, 10**9)
    with pytest.raises(ConfigurationError, match="larger than 1 MB"):
        load_problem(tmp_path)


def test_every_sentence_reads_without_the_validators_own_words() -> None:
    for text, _, _ in REFUSED:
        with pytest.raises(ConfigurationError) as caught:
            parse_problem(text)
        assert not re.search(r"Input should|type=|pydantic|validation error|\bNone\b", str(caught.value))


PIECES = (
    *("[data]", "[training]", "[stores]", "[x]", "[[data]]", "[data.target]", "requirements", "target", "id", "budget"),
    *(
        "=",
        " = ",
        '"y"',
        "3",
        "[",
        "]",
        "{",
        "}",
        ",",
        '"""',
        "'''",
        "#",
        "\\",
        "\r",
        "\n",
        "\n",
        "inf",
        "\x00",
        "${",
        "é",
    ),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
def test_nothing_but_a_sentence_comes_of_any_text(text: str) -> None:
    try:
        parse_problem(text)
    except ConfigurationError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most texts are refused, and one that is not is fine too


def test_a_long_file_is_read_at_once() -> None:
    names = ",\n".join(f'"c{number}"' for number in range(50_000))
    with pytest.raises(ConfigurationError, match=r'line 50004: "zzzz" is not a key'):
        parse_problem(f"{GOOD}drop = [\n{names}]\nzzzz = 1")
