"""Budgets, durations, requirements, and URLs whose secrets stay out of sight."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.errors import ConfigurationError
from artificer.metrics.base import metrics
from artificer.problem.amounts import Budget, Duration
from artificer.problem.places import StoreURL, mask
from artificer.problem.requirements import OPERATIONAL, Requirement, requirement_names


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("5m", 300),
        ("1h30m", 5400),
        ("7d", 604800),
        (" 1H 30M ", 5400),
        ("1.5s", 1.5),
        ("0s", 0),
        ("0.5h", 1800),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration.parse(text) == Duration(seconds)
    assert Duration.parse(str(Duration(seconds))) == Duration(seconds)


@pytest.mark.parametrize(
    "text", ["", "60", "s", "-5s", "5m1h", "5s5s", "1e3s", "5 minutes", "5ms", "٣s", "1..5s", "nan", "5s\n5"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a duration like"):
        Duration.parse(text)
    with pytest.raises(ValueError, match="a budget like"):
        Budget.parse(text)


def test_a_duration_ends_somewhere() -> None:
    with pytest.raises(ValueError, match="ten years"):
        Duration.parse("9" * 400 + "d")


@given(st.floats(1e-6, 3e8).map(lambda value: round(value, 6)))
def test_durations_read_back(seconds: float) -> None:
    assert Duration.parse(str(Duration(seconds))).seconds == seconds


def test_budgets() -> None:
    assert Budget.parse("40 fits") == Budget(fits=40)
    assert Budget.parse("1 fit") == Budget(fits=1)
    assert str(Budget(fits=1)) == "1 fit"
    assert (str(Budget(60.0)), str(Budget(90.0)), str(Budget(300.0))) == ("60s", "90s", "5m")
    for text in ("0 fits", "0s", "0m"):
        with pytest.raises(ValueError, match="a budget above zero"):
            Budget.parse(text)
    with pytest.raises(ValueError, match="either"):
        Budget()
    with pytest.raises(ValueError, match="either"):
        Budget(seconds=1, fits=1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("roc_auc >= 0.80", "roc_auc >= 0.8"),
        ("  rmse<=1e3 ", "rmse <= 1000"),
        ("latency_p99_ms < 5", "latency_p99_ms < 5"),
        ("r2 > -.5", "r2 > -0.5"),
        ("rows_per_s >= 10000", "rows_per_s >= 10000"),
    ],
)
def test_requirements(text: str, written: str) -> None:
    requirement = Requirement.parse(text)
    assert str(requirement) == written
    assert Requirement.parse(written) == requirement
    assert requirement.is_operational == (requirement.name in OPERATIONAL)
    assert (requirement.metric is None) == requirement.is_operational


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'like "roc_auc >= 0.8"'),
        ("roc_auc", 'like "roc_auc >= 0.8"'),
        ("model_mb = 50", 'like "model_mb <= 50"'),
        ("rmse <= 5 ms", 'like "rmse <= 0.1"'),
        ("roc_auc >= nan", "a requirement like"),
        ("roc_auc => 0.8", "a requirement like"),
        ("0.8 <= roc_auc", "a requirement like"),
        ("latency_p99 <= 5", 'did you mean "latency_p99_ms"?'),
        ("zzz >= 5", "it may be one of accuracy, average_precision"),
        ("roc_auc <= 0.8", '"roc_auc >= 0.8": roc_auc grows as a model gets better'),
        ("model_mb >= 50", '"model_mb <= 50": model_mb shrinks as a model gets better'),
        ("roc_auc >= 80", "a bound that roc_auc can reach, between 0 and 1"),
        ("rmse <= -1", "a bound that rmse can reach, between 0 and inf"),
        ("rmse <= 1e999", "a bound that rmse can reach"),
    ],
)
def test_what_is_no_requirement(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is compared below, as it stands
        Requirement.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [(">=", False, True, True), (">", False, False, True), ("<=", True, True, False), ("<", True, False, False)],
)
def test_bounds_hold(operator: str, below: bool, at: bool, above: bool) -> None:
    requirement = Requirement("x", operator, 1.0)  # type: ignore[arg-type]
    assert [requirement.holds(value) for value in (0.9, 1.0, 1.1)] == [below, at, above]
    assert not requirement.holds(math.nan)


def test_requirements_may_bound_every_metric_and_measurement() -> None:
    assert set(requirement_names()) == {*metrics(), *OPERATIONAL}
    assert not set(metrics()) & set(OPERATIONAL)


def test_secrets_come_from_the_environment() -> None:
    url = StoreURL("postgresql://${DB_USER}:${DB_PASSWORD}@db/${DB_USER}")
    environment = {"DB_USER": "shop", "DB_PASSWORD": "hunter2"}
    assert url.resolve(environment) == "postgresql://shop:hunter2@db/shop"
    assert url.variables == ("DB_USER", "DB_PASSWORD")
    assert "hunter2" not in f"{url} {url!r}"
    assert str(url) == url.template
    assert url.hide("cannot reach db as shop:hunter2", environment) == "cannot reach db as ***:***"
    with pytest.raises(
        ConfigurationError, match="names the environment variable DB_PASSWORD, which is not set; set it"
    ):
        url.resolve({"DB_USER": "shop"})


def test_a_password_that_was_written_out_is_hidden() -> None:
    url = StoreURL("postgresql://shop:hunter2@db/shop?sslpassword=x&token=abc")
    assert f"{url!r}" == "StoreURL('postgresql://shop:***@db/shop?sslpassword=***&token=***')"
    assert url.hide("bad password hunter2") == "bad password ***"
    assert url.resolve({}) == url.template
    assert mask("sqlite:///a/b.db") == "sqlite:///a/b.db"
    assert mask("s3://bucket/x@y") == "s3://bucket/x@y"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://h/t?X-Amz-Credential=S3CRET&X-Amz-Signature=S3CRET",
            "https://h/t?X-Amz-Credential=***&X-Amz-Signature=***",
        ),
        ("https://h/t?a=1&X-Amz-Security-Token=S3CRET", "https://h/t?a=1&X-Amz-Security-Token=***"),
        ("https://h/t?sv=1&sig=S3CRET&se=2", "https://h/t?sv=1&sig=***&se=2"),
        ("https://h/t?access_token=S3CRET", "https://h/t?access_token=***"),
        ("https://h/t?client_secret=S3CRET", "https://h/t?client_secret=***"),
        ("https://h/t?x=1;subscription-key=S3CRET", "https://h/t?x=1;subscription-key=***"),
        ("https://h/t#id_token=S3CRET", "https://h/t#id_token=***"),
        ("postgresql://db/x?user=u&sslpassword=S3CRET", "postgresql://db/x?user=u&sslpassword=***"),
        ("postgresql://db/x?user=u&passwd=S3CRET", "postgresql://db/x?user=u&passwd=***"),
        ("nats://S3CRET@h:4222", "nats://***@h:4222"),
        ("https://S3CRET:@h/t", "https://***:@h/t"),
        ("redis://:S3CRET@h:6379/0", "redis://:***@h:6379/0"),
        ("postgresql://u:pa@S3CRET@db/x@y", "postgresql://u:***@db/x@y"),
        ("postgresql://u:pa:S3CRET@db/x", "postgresql://u:***@db/x"),
    ],
)
def test_secrets_of_every_common_form_are_hidden(url: str, shown: str) -> None:
    assert mask(url) == str(StoreURL(url)) == shown
    assert "S3CRET" not in StoreURL(url).hide(f"cannot open {url}: refused")
    referenced = url.replace("pa@S3CRET", "S3CRET").replace("pa:S3CRET", "S3CRET").replace("S3CRET", "${SECRET}")
    assert mask(referenced) == referenced


def test_a_user_alone_is_no_secret_where_places_are_declared() -> None:
    assert mask("postgresql://shop@db/x", users=False) == "postgresql://shop@db/x"
    assert mask("postgresql://shop:pw@db/x", users=False) == "postgresql://shop:***@db/x"


@pytest.mark.parametrize("template", ["${", "a${x", "${}", "${1A}", "${A B}"])
def test_a_reference_must_be_a_name(template: str) -> None:
    with pytest.raises(ValueError, match="environment variable"):
        StoreURL(template)
