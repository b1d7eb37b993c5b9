"""Members made of their folds' models: what they are, what they cost, and what happens when something is missing."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from search_fakes import InterruptedWhole

from artificer.bundle.calibration import Calibration
from artificer.clock import ManualClock
from artificer.features.spec import EncoderStep, RepresentationSpec
from artificer.graph import Graph
from artificer.search.admission import BASE_MB
from artificer.search.choice import Selection, choose, library_of, limits_for, pool_of
from artificer.search.executor import InlineExecutor
from artificer.search.frontier import SAFETY, Limits, limits_of, price_of
from artificer.search.latency import CALL_US, Price, price
from artificer.search.members import Made, kept_parts, loaded, make_members
from artificer.search.processes import ProcessExecutor
from artificer.search.records import Budget
from artificer.search.run import Run
from artificer.search.search import prepare, refit, run_search
from artificer.search.tasks import FitTask, encode
from artificer.types import Kind, Task


def raced(request, candidates, budget=None):
    """A run whose race is over."""
    data, objective = prepare(request)
    session = InlineExecutor(request.clock).start(data)
    run = Run(replace(request, budget=budget or request.budget), candidates, data, objective, session, 0.0)
    run.race.adaptive = False
    run.baseline()
    run.search()
    return run


def answers(part, blocks):
    import onnxruntime

    feed = {"numbers": blocks.numbers, "strings": blocks.strings, "times": blocks.times}
    first = onnxruntime.InferenceSession(part.representation.model)
    features = first.run(None, {name: feed[name] for name in part.representation.inputs})[0]
    second = onnxruntime.InferenceSession(part.model.model)
    return second.run(None, {part.model.inputs[0]: features})[0]


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_member_is_its_folds_models_and_no_fit_is_thrown_away(task, request_of, fakes):
    request = request_of(task, candidates=(fakes("plain"),))
    result = run_search(request)
    (member,) = result.members
    assert len(member.parts) == 3
    assert result.fits == 3
    found = np.concatenate(
        [answers(p, request.blocks)[v] for p, (_, v) in zip(member.parts, request.folds, strict=True)]
    )
    stated = result.oof_scores if task is not Task.REGRESSION else (result.oof_scores - result.calibration.offset)
    stated = stated if task is not Task.REGRESSION else stated / result.calibration.scale
    if result.calibration.kind in ("identity", "affine"):
        np.testing.assert_allclose(found, stated, atol=1e-4)
    assert sorted(result.oof_rows) == list(range(300))
    assert result.leaderboard.interval.low < result.leaderboard.score < result.leaderboard.interval.high


def test_folds_share_the_look_up_of_texts(request_of, fakes):
    result = run_search(request_of(candidates=(fakes("plain"),)))
    graph = Graph()
    blocks = {
        "numbers": graph.input("numbers", "float32", 3),
        "strings": graph.input("strings", "string", 1),
        "times": graph.input("times", "int64", 1),
    }
    for part in result.members[0].parts:
        graph.inline(part.representation, {name: blocks[name] for name in part.representation.inputs})
    kinds = [node.op_type for node in graph.nodes]
    assert kinds.count("StringConcat") == kinds.count("LabelEncoder") == 1


def test_members_over_time_are_fitted_on_all_rows(request_of, fakes):
    rows = np.arange(300)
    chained = tuple((rows[:cut], rows[cut : cut + 75]) for cut in (75, 150, 225))
    result = run_search(request_of(folds=chained, candidates=(fakes("plain"),)))
    assert [len(m.parts) for m in result.members] == [1]
    assert result.members[0].parts[0].representation_key.split("-")[1] == "all"
    assert result.recipe["members"][0]["form"] == "whole"


def test_one_interrupt_ends_all_fits_on_all_rows(request_of, fakes, monkeypatch):
    monkeypatch.setattr(InterruptedWhole, "times", 0)
    rows = np.arange(300)
    chained = tuple((rows[:cut], rows[cut : cut + 75]) for cut in (75, 150, 225))
    options = tuple(fakes("interrupted_whole", blur=blur) for blur in (0.0, 0.1, 0.2))
    result = run_search(request_of(folds=chained, candidates=options))
    assert InterruptedWhole.times == 1
    assert sum("was interrupted;" in note for note in result.notes) == 1
    assert result.members


@pytest.mark.parametrize("again", [False, True], ids=["search", "recipe"])
def test_fits_on_all_rows_take_no_more_rows_than_memory_has_room_for(again, request_of, fakes):
    rows = np.arange(4000)
    chained = tuple((rows[:cut], rows[cut : cut + 1000]) for cut in (1000, 2000, 3000))
    request = request_of(n=4000, folds=chained, candidates=(fakes("plain"),))
    tight = replace(request, memory_mb=BASE_MB + 0.4)
    result = refit(run_search(request).recipe, tight) if again else run_search(tight)
    assert [m.candidate.algorithm for m in result.members] == ["fake_plain"]
    (note,) = [note for note in result.notes if "memory limit" in note]
    assert "was fitted on a sample of 2,6" in note


def test_what_a_model_may_cost_decides_how_many_folds_it_keeps(request_of, fakes):
    request = request_of(candidates=(fakes("plain"),))
    whole = run_search(request)
    one, three = (next(o.row_us for o in whole.options if o.models == count) for count in (1, 3))
    less = run_search(replace(request, row_ms=(0.3 * one + 0.7 * three + CALL_US) / SAFETY / 1e3))
    assert [len(m.parts) for m in whole.members] == [3]
    assert len(less.members[0].parts) == 2
    assert one < less.options[-1].row_us < three
    assert [o.chosen for o in whole.options] == [False] * (len(whole.options) - 1) + [True]
    assert {o.models for o in whole.options} == {1, 3}


def test_no_requirement_is_broken_for_a_better_score(request_of, fakes):
    request = request_of(candidates=(fakes("plain"),))
    assert run_search(replace(request, row_ms=1e-3)).members[0].candidate.name == "constant"
    assert run_search(replace(request, model_mb=1e-5)).members[0].candidate.name == "constant"


def test_a_short_budget_leaves_no_time_to_put_a_large_model_together(request_of, fakes):
    run = raced(request_of(candidates=()), (fakes("plain", "constant"), fakes("plain")))
    sizes = []
    for budget in (Budget(fits=5), Budget(seconds=60), Budget(seconds=10), Budget(seconds=1)):
        run.request = replace(run.request, budget=budget)
        sizes.append(limits_of(run).mb / SAFETY)
    assert sizes[0] == pytest.approx(20)
    assert sizes[0] >= sizes[1] > sizes[2] > sizes[3] > 0


def test_a_usual_limit_gives_way_to_the_best_candidate_alone(request_of, fakes, monkeypatch):
    monkeypatch.setattr("artificer.search.frontier.ROW_US", 40.0)
    result = run_search(request_of(candidates=(fakes("plain", "best"),)))
    assert [(m.candidate.name, len(m.parts)) for m in result.members] == [("best", 1)]
    assert any("larger or slower" in note for note in result.notes)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fits are forked")
def test_models_stay_files_until_they_are_wanted_and_a_lost_file_costs_one_part(request_of, fakes, tmp_path):
    request = request_of(candidates=())
    data, objective = prepare(request)
    plain = fakes("plain")
    executor = ProcessExecutor(parent=tmp_path, modules=("search_fakes_in_worker",))
    with executor.open(data) as session:
        run = Run(request, (fakes("plain", "baseline"), plain), data, objective, session, 0.0)
        run.race.adaptive = False
        run.search()
        parts = kept_parts(run, 1)
        assert [part.model for part in parts] == [None] * 3
        shutil.rmtree(parts[1].place)
        made = make_members(run, {1: 1.0}, Limits(1e6, 1e3))[1]
        assert [part.task.fold for part in made.parts] == [0, 2]
        assert all(part.model is not None for part in made.parts)
        assert any("cannot be read" in note for note in run.notes)
        for part in parts:
            shutil.rmtree(part.place, ignore_errors=True)
        assert loaded(run, parts) is None
        assert make_members(run, {1: 1.0}, Limits(1e6, 1e3))[1].folds == (), "fitted on all rows instead"
    assert not list(tmp_path.iterdir())


def test_a_recipe_of_folds_is_repeated_and_falls_back_on_one_fit_in_a_hurry(request_of, fakes):
    clock = ManualClock()
    slow = fakes("ticking", "slow", takes=2.0, cost=2.0)
    request = request_of(candidates=(slow,), clock=clock, executor=InlineExecutor(clock), budget=Budget(seconds=60))
    found = run_search(request)
    assert found.recipe["members"][0]["form"] == "folds"
    again = refit(found.recipe, request)
    assert len(again.members[0].parts) == 3
    started = clock.monotonic()
    hasty = refit(found.recipe, replace(request, budget=Budget(seconds=6)))
    assert clock.monotonic() - started <= 6
    assert len(hasty.members[0].parts) == 1
    assert hasty.members[0].candidate.name == "slow"


def test_a_score_is_stated_by_weights_that_other_folds_chose(request_of, fakes):
    options = tuple(fakes("plain", f"p{i}", blur=3.0) for i in range(8))
    run = raced(request_of(n=150, candidates=()), (fakes("plain", "constant", blur=9.0), *options))
    pool = pool_of(run)
    choice = choose(run, pool)
    library = library_of(run, pool)
    weights = np.array([choice.weights.get(i, 0.0) for i in pool.indices])
    assert choice.losses.mean() >= library.loss(weights), "choosing flatters"
    ensemble, alone, _ = Selection(run, pool, limits_for(run, pool)).judge()
    assert len(choice.weights) == 1 or ensemble.mean() < alone.mean()


def test_prices_count_trees_texts_and_products() -> None:
    graph = Graph()
    x = graph.input("x", "float32", 100)
    product = graph.op("MatMul", x, graph.constant(np.ones((100, 50), np.float32)))
    graph.output("y", product, "float32", 50)
    small, large = price(graph.fragment()), None
    wide = Graph()
    x = wide.input("x", "float32", 100)
    wide.output("y", wide.op("MatMul", x, wide.constant(np.ones((100, 5000), np.float32))), "float32", 5000)
    large = price(wide.fragment())
    assert large.us > 10 * small.us
    assert large.mb == pytest.approx(2.0, rel=0.01)
    assert Price(1, 2).times(3) == Price(3, 6)
    assert not Price(3, 1).within(2, 2)


def test_equal_encoders_count_once(request_of, fakes):
    run = raced(request_of(candidates=()), (fakes("plain", "constant"), fakes("plain"), fakes("plain")))
    one, other = (Made((run.race.standings[i].outcomes[0],)) for i in (1, 2))
    both = price_of([one, other])
    assert both.us < price_of([one]).us + price_of([other]).us
    assert both.us > max(price_of([one]).us, price_of([other]).us)
    assert Calibration.identity() == run_search(request_of(n=6, k=0, folds=(), candidates=())).calibration
    assert onnx.load_model_from_string(one.parts[0].model.model).graph.node


def test_groups_of_validation_have_no_part_in_encoders_nor_are_these_shared(request_of, fakes):
    request = request_of(candidates=(fakes("plain"),), grouped=True)
    strings = request.blocks.strings.copy()
    strings[request.folds[0][1]] = "new"
    blocks = replace(request.blocks, strings=strings)
    data, _ = prepare(replace(request, blocks=blocks))
    spec = RepresentationSpec("trees", (EncoderStep("categorical_count", {}, Kind.STRINGS, (0,)),))
    task = FitTask(1, "a", "ridge", {}, spec, fold=0, seed=0, keep_model=True, apart=True)
    train, valid = data.folds[0]
    strangers = encode(task, data, train, valid, request.clock).valid
    known = encode(replace(task, apart=False), data, train, valid, request.clock).valid
    assert strangers.max() < known.min(), "a group that is yet to be met is as rare as it will be in use"
    keys = [
        {part.representation_key for part in run_search(r).members[0].parts}
        for r in (request, replace(request, grouped=False))
    ]
    assert [len(found) for found in keys] == [3, 1]
