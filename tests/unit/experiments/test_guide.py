from itertools import product

import pytest

from api.side.rows import FEATURES
from experiments.guide import Gap, advise
from experiments.guide_plans import plan_for
from experiments.guide_questions import CONTRADICTIONS, QUESTIONS
from experiments.model import Experiment, Interval, Mark
from experiments.plan import Workload
from tests.experiment_samples import ARMS, a_plan, an_experiment, an_open_plan
from transports.methods import METHODS

BY_ID = {question.id: question for question in QUESTIONS}


def measured(plan_work: Workload = Workload.NOOP, *, burst: bool = True, **values: float) -> Experiment:
    """A finished experiment in which each method measured its value of throughput or of p99."""
    plan = (a_plan if burst else an_open_plan)(work=plan_work, repetitions=3)
    figure = "throughput" if burst else "end_to_end.p99"
    whole = an_experiment(plan)
    totals = [
        total.model_copy(update={"figures": {figure: near(values[plan.arms[total.arm].method])}})
        for total in whole.totals
    ]
    return whole.model_copy(update={"totals": totals})


def near(value: float) -> Interval:
    return Interval(value=value, low=value * 0.98, high=value * 1.02)


@pytest.mark.parametrize(
    ("answers", "choice"),
    [
        ({"periodic": "yes", "workflows": "joins", "team": "celery"}, "celery"),
        ({"cancel": "force", "length": "long"}, "celery"),
        ({"broker": "other", "length": "seconds"}, "celery"),
        ({"languages": "run", "throughput": "more"}, "rabbitmq"),
        ({"languages": "send", "team": "amqp"}, "rabbitmq"),
        ({"length": "instant", "latency": "instant"}, "sync"),
        ({"loss": "never"}, "either"),
    ],
)
def test_clear_needs_have_a_clear_answer(answers: dict[str, str], choice: str) -> None:
    advice = advise(answers)
    assert advice.choice == choice
    assert not advice.contradictions
    assert advice.reasons


def test_the_same_answers_give_the_same_advice() -> None:
    answers = {question.id: question.answers[-1].id for question in QUESTIONS}
    assert advise(answers) == advise(dict(reversed(answers.items())))


def test_every_reason_cites_a_row_that_exists_or_a_run() -> None:
    for question in QUESTIONS:
        for answer in question.answers:
            assert bool(answer.reason) == bool(answer.row), (question.id, answer.id)
            assert answer.reason or (not answer.weights and not answer.rules_out)
            assert bool(answer.reason) == bool(answer.unless), (question.id, answer.id)
            assert not answer.row or answer.row in FEATURES, answer.row
            assert set(answer.weights) <= set(METHODS)
    for advice in (advise({"throughput": "more"}, [measured(celery=900, rabbitmq=4_000, sync=50)]),):
        assert all(bool(reason.row) is not bool(reason.experiment_id) for reason in advice.reasons)


def test_questions_and_answers_have_ids_of_their_own() -> None:
    assert len(BY_ID) == len(QUESTIONS)
    for question in QUESTIONS:
        assert len({answer.id for answer in question.answers}) == len(question.answers) >= 2


@pytest.mark.parametrize("pair", CONTRADICTIONS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_answers_that_do_not_go_together_are_told_so(
    pair: tuple[tuple[str, str], tuple[str, str], str],
) -> None:
    first, second, why = pair
    for question, answer in (first, second):
        assert BY_ID[question].answer(answer)
    advice = advise(dict([first, second]))
    assert advice.choice == "none"
    assert why in advice.contradictions
    assert advice.methods == ()
    assert advise(dict([first])).choice != "none"


def test_answers_that_rule_out_all_methods_together_contradict_each_other() -> None:
    for first, second in product(QUESTIONS, QUESTIONS):
        for one, other in product(first.answers, second.answers):
            if first is not second and one.rules_out | other.rules_out == set(METHODS):
                assert advise({first.id: one.id, second.id: other.id}).choice == "none"
    assert advise({"broker": "other", "loss": "never"}).choice == "celery"


def test_answers_that_pull_both_ways_are_told_so() -> None:
    advice = advise({"languages": "send", "later": "yes"})
    assert advice.choice == "both"
    assert advice.methods == ("celery", "rabbitmq")
    assert advice.summary.startswith("Use both: Celery and a consumer of your own.")


def test_any_two_answers_give_advice_with_a_sentence() -> None:
    for first, second in product(QUESTIONS, QUESTIONS):
        for one, other in product(first.answers, second.answers):
            advice = advise({first.id: one.id, second.id: other.id})
            assert advice.summary
            assert advice.choice in (*METHODS, "either", "both", "other", "none", "unknown")


def test_nothing_answered_or_nonsense_gives_no_advice() -> None:
    assert advise({}).choice == advise({"team": "martians", "weather": "fine"}).choice == ""


def test_the_readers_own_runs_count_instead_of_what_is_so_in_general() -> None:
    run = measured(celery=3_000, rabbitmq=500, sync=100)
    advice = advise({"throughput": "more"}, [run])
    assert advice.choice == "celery"
    assert {reason.experiment_id for reason in advice.reasons} == {run.id}
    (celery,) = (reason for reason in advice.reasons if "celery" in reason.weights)
    assert celery.text == (
        "Your run of “Celery, safe”, 200 jobs at once, kept it: 2940 to 3060 jobs/s by its interval, where 2000"
        " were asked for."
    )
    assert all(reason.unless for reason in advice.reasons)
    assert advice.gaps == ()


def test_a_run_that_its_own_jobs_held_up_does_not_speak_against_a_method() -> None:
    advice = advise({"throughput": "thousand"}, [measured(Workload.WAIT, celery=290, rabbitmq=290, sync=290)])
    assert advice.choice == "rabbitmq"
    assert advice.summary.startswith("As far as is known")
    assert not any(reason.experiment_id for reason in advice.reasons)
    assert advice.gaps == (Gap("throughput", tuple(METHODS)),)


@pytest.mark.parametrize(
    "answers",
    [
        {"throughput": "hundred"},
        {"latency": "second", "throughput": "hundred"},
        {"twice": "once"},
        {"loss": "may"},
    ],
)
def test_nothing_is_concluded_from_what_is_not_known(answers: dict[str, str]) -> None:
    of_no_use = [measured(Workload.WAIT, celery=90, rabbitmq=90, sync=90), a_failed_one()]
    advice = advise(answers, of_no_use)
    assert (advice.choice, advice.methods) == ("unknown", ())
    assert {gap.question for gap in advice.gaps} == answers.keys() & {"throughput", "latency"}


def a_failed_one() -> Experiment:
    return measured(burst=False, celery=1, rabbitmq=1, sync=1).model_copy(update={"status": "FAILED"})


def test_a_method_that_was_not_measured_is_not_as_good_as_one_that_kept_the_bound() -> None:
    run = measured(celery=3_000, rabbitmq=3_000, sync=3_000)
    alone = run.model_copy(update={"totals": run.totals[:1]})
    advice = advise({"throughput": "hundred"}, [alone])
    assert advice.choice == "celery"
    assert advice.summary == "As far as is known, this: Celery."
    assert advice.gaps == (Gap("throughput", ("rabbitmq", "sync")),)


def test_methods_that_all_missed_the_bound_are_not_called_as_good_as_each_other() -> None:
    advice = advise({"throughput": "hundred"}, [measured(celery=50, rabbitmq=60, sync=50)])
    assert (advice.choice, advice.methods) == ("none", ())
    assert advice.summary == "None of them kept what you need, in your own runs on this machine."


@pytest.mark.parametrize(
    "answers",
    [{question.id: choice.id} for question in QUESTIONS for choice in question.answers if choice.needs]
    + [{"latency": "tenth", "throughput": "thousand"}, {"latency": "second", "throughput": "flood"}],
)
def test_the_experiment_that_the_guide_proposes_tells_what_it_did_not_know(answers: dict[str, str]) -> None:
    for gap in advise(answers).gaps:
        plan = plan_for(gap.question, answers, gap.methods)
        assert plan is not None
        assert [arm.method for arm in plan.arms] == list(gap.methods)
        figure, bound = BY_ID[gap.question].figure, BY_ID[gap.question].answer(answers[gap.question])
        assert bound is not None
        assert bound.needs is not None
        for factor in (0.5, 2.0):
            totals = [
                total.model_copy(update={"figures": {figure: near(bound.needs * factor)}})
                for total in an_experiment(a_plan(arms=plan.arms, repetitions=3)).totals
            ]
            run = an_experiment().model_copy(update={"plan": plan, "totals": totals})
            assert gap.question not in {left.question for left in advise(answers, [run]).gaps}


def test_without_a_figure_there_is_no_experiment_to_propose() -> None:
    assert plan_for("team", {"team": "few"}) is None
    assert plan_for("latency", {"latency": "any"}) is None
    assert plan_for("", {}) is None


def test_latency_is_taken_from_open_loops_less_the_work_itself() -> None:
    run = measured(Workload.WAIT, burst=False, celery=19, rabbitmq=105, sync=250)
    advice = advise({"latency": "tenth"}, [measured(celery=1, rabbitmq=1, sync=1), run])
    kept = {
        method: "kept it" in r.text and "not keep" not in r.text
        for r in advice.reasons
        for method in r.weights
    }
    assert kept == {"celery": True, "rabbitmq": True, "sync": False}
    assert "100 jobs a second" in advice.reasons[0].text


def test_runs_that_lost_jobs_are_no_evidence() -> None:
    run = measured(celery=3_000, rabbitmq=3_000, sync=3_000)
    lossy = run.model_copy(update={"totals": [total.model_copy(update={"lost": 1}) for total in run.totals]})
    running = run.model_copy(update={"status": "IN_PROGRESS"})
    naive = run.model_copy(
        update={
            "plan": a_plan(arms=[{"method": "celery", "delivery": "naive"}, *ARMS[1:]], work=Workload.NOOP)
        }
    )
    assert not any(r.experiment_id for r in advise({"throughput": "more"}, [lossy, running]).reasons)
    told = {method for r in advise({"throughput": "ten"}, [naive]).reasons for method in r.weights}
    assert told == {"rabbitmq", "sync"}


def weights(answers: dict[str, str], *experiments: Experiment) -> dict[str, int]:
    """What the runs add to each method's score."""
    reasons = [reason for reason in advise(answers, experiments).reasons if reason.experiment_id]
    return {method: weight for reason in reasons for method, weight in reason.weights.items()}


def test_the_newest_run_counts_even_where_an_older_one_was_better() -> None:
    newest = measured(celery=500, rabbitmq=3_000, sync=3_000)
    oldest = measured(celery=3_000, rabbitmq=500, sync=3_000)
    assert weights({"throughput": "more"}, newest, oldest) == {"celery": -3, "rabbitmq": 1, "sync": 1}


def test_a_slow_run_says_nothing_of_latency_at_a_higher_rate_but_that_it_was_missed() -> None:
    run = measured(burst=False, celery=5, rabbitmq=5, sync=500)
    assert weights({"latency": "tenth", "throughput": "hundred"}, run) == {
        "celery": 1,
        "rabbitmq": 1,
        "sync": -3,
    }
    assert weights({"latency": "tenth", "throughput": "thousand"}, run) == {"sync": -3}


def test_a_bound_within_the_interval_is_neither_kept_nor_missed() -> None:
    assert weights({"throughput": "more"}, measured(celery=2_010, rabbitmq=1_990, sync=3_000)) == {"sync": 1}


def test_runs_whose_jobs_failed_are_no_evidence() -> None:
    run = measured(celery=3_000, rabbitmq=3_000, sync=3_000)
    totals = [total.model_copy(update={"failed": 1}) for total in run.totals]
    assert weights({"throughput": "more"}, run.model_copy(update={"totals": totals})) == {}


@pytest.mark.parametrize(
    ("situation", "choice", "said"),
    [
        (
            {"length": "hour", "work": "computes", "loss": "never"},
            "celery",
            [
                "RabbitMQ waits 30 minutes for an acknowledgement",
                "As it comes, Celery acknowledges before a job runs",
            ],
        ),
        (
            {"twice": "once", "loss": "never"},
            "either",
            ["Nothing delivers exactly once", "task_reject_on_worker_lost"],
        ),
        (
            {"languages": "run", "workflows": "joins", "team": "celery"},
            "rabbitmq",
            ["Celery's workers are Python"],
        ),
        ({"periodic": "only", "team": "few"}, "other", ["cron, a systemd timer"]),
        ({"throughput": "flood", "loss": "never"}, "rabbitmq", ["the cost of a message decides"]),
        ({"work": "waits", "throughput": "hundred", "team": "amqp"}, "rabbitmq", ["an asyncio consumer"]),
        ({"throughput": "few", "loss": "may"}, "other", ["FOR UPDATE SKIP LOCKED"]),
        ({"workflows": "days"}, "other", ["Temporal, Airflow or Prefect"]),
    ],
    ids=["ml", "payments", "go workers", "cron reports", "5,000 a second", "asyncio", "a table", "an engine"],
)
def test_situations_that_people_ask_about_get_advice_for_reasons_that_hold(
    situation: dict[str, str], choice: str, said: list[str]
) -> None:
    advice = advise(situation)
    reasons = " ".join(reason.text for reason in advice.reasons)
    assert advice.choice == choice
    for text in said:
        assert text in reasons


def test_advice_says_in_which_case_it_is_wrong() -> None:
    (reason,) = advise({"throughput": "flood"}).reasons
    assert reason.unless == "many messages fit into one job: gathered by the thousand, any method does."


def test_a_method_that_does_not_fit_is_not_called_as_good_as_another_where_a_timer_does() -> None:
    advice = advise({"periodic": "only"})
    assert (advice.methods, advice.summary) == ((), "None of these: cron or a timer of the system does it.")


def test_all_runs_that_fit_are_cited_newest_first_and_what_contradicts_is_said() -> None:
    newest, middle, oldest = (
        measured(celery=rate, rabbitmq=9_000, sync=9_000).model_copy(update={"id": name})
        for name, rate in (("new", 500), ("middle", 600), ("old", 3_000))
    )
    reasons = [
        r for r in advise({"throughput": "more"}, [newest, middle, oldest]).reasons if "Celery" in r.text
    ]
    assert [r.experiment_id for r in reasons] == ["new", "middle", "old"]
    assert [r.weights for r in reasons] == [{"celery": -3}, {}, {}]
    assert [r.same for r in reasons] == [False, True, False]
    assert [r.text.startswith("An older run contradicts the newer one.") for r in reasons] == [
        False,
        False,
        True,
    ]


def test_a_run_that_was_disturbed_is_no_evidence() -> None:
    run = measured(celery=3_000, rabbitmq=3_000, sync=3_000)
    marked = run.model_copy(update={"marks": {"foreign_load": [Mark(arm=0, turn=1, value=0.4)]}})
    assert weights({"throughput": "more"}, marked) == {"rabbitmq": 1, "sync": 1}
