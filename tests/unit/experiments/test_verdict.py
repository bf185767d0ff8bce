import re

import pytest

from experiments.model import ArmTurn, Experiment, FairnessRow, Finding, Mark
from experiments.next_steps import NextStep
from experiments.plan import OpenLoop, Plan
from experiments.report_tables import differences
from experiments.totals import comparisons_of, totals_of
from experiments.verdict import verdict_of
from experiments.words import untranslated
from lab.delivery import Delivery
from tests.experiment_samples import ARMS, a_plan, an_experiment, an_open_plan, bare_run


def judged(plan: Plan, *arms: tuple[float, float, float], repetitions: int = 5) -> Experiment:
    """An experiment whose arms have these values of throughput, p50 and p99, with a little noise in each turn."""
    runs: list[ArmTurn] = [
        bare_run(turn, arm, *(value * (1 + 0.01 * ((turn * 7 + arm * 3) % 5 - 2)) for value in values))
        for turn in range(1, repetitions + 1)
        for arm, values in enumerate(arms)
    ]
    return an_experiment().model_copy(
        update={
            "plan": plan,
            "runs": runs,
            "totals": totals_of(plan, runs),
            "comparisons": comparisons_of(plan, runs),
            "fairness": [],
        }
    )


def test_a_burst_is_judged_by_throughput_who_by_how_much_and_how_surely() -> None:
    verdict = verdict_of(judged(a_plan(arms=ARMS[:2]), (200, 10, 20), (400, 10, 20)))
    (sentence,) = verdict.sentences
    assert sentence.startswith(
        "“RabbitMQ, safe” ended 2.00 times as many jobs a second as “Celery, safe” (1.9"
    )
    assert sentence.endswith(" times): 400 against 200.")
    assert verdict.line == sentence
    assert verdict.warnings == ()


def test_the_first_arm_may_be_the_faster_one() -> None:
    (sentence,) = verdict_of(judged(a_plan(arms=ARMS[:2]), (400, 10, 20), (200, 10, 20))).sentences
    found = re.fullmatch(
        "“Celery, safe” ended 2.00 times as many jobs a second as “RabbitMQ, safe”"
        r" \((.*) to (.*) times\): 400 against 200\.",
        sentence,
    )
    assert found is not None
    assert 1.9 < float(found[1]) < 2 < float(found[2]) < 2.1


def test_an_open_loop_is_judged_by_median_and_p99() -> None:
    plan = an_open_plan(arms=ARMS[:2], margin=0.1)
    median, p99 = verdict_of(judged(plan, (100, 10, 80), (100, 30, 81))).sentences
    assert median.startswith(
        "End to end, median: “RabbitMQ, safe” takes 3.00 times as long as “Celery, safe” (2.8"
    )
    assert median.endswith(" times): 30.0 against 10.0 ms.")
    assert p99.startswith(
        "End to end, p99: “Celery, safe” (80.0 ms) and “RabbitMQ, safe” (81.0 ms) are equal within 10 %"
    )


def test_the_winners_come_first_with_whom_by_how_much_and_in_how_many_turns() -> None:
    verdict = verdict_of(judged(a_plan(), (100, 1, 1), (300, 1, 1), (200, 1, 1)))
    rows = [[row.title, *(cell.value for cell in row.cells)] for row in verdict.winners.rows]
    assert rows == [
        ["Throughput", "RabbitMQ, safe", "Celery, safe", "3.00×", "won 5 of 5 turns", rows[0][5]],
        ["Throughput", "RabbitMQ, safe", "Sync", "1.50×", "won 5 of 5 turns", rows[1][5]],
    ]
    assert re.fullmatch(r"differs, at least 1\.4\d×", rows[1][5])
    assert verdict.winners.rows[0].cells[0].remarks == ("300\N{NO-BREAK SPACE}jobs/s",)
    assert len(verdict.sentences) == 2


def test_celery_against_rabbitmq_comes_first_also_where_sync_is_the_fastest() -> None:
    verdict = verdict_of(judged(a_plan(), (100, 1, 1), (150, 1, 1), (300, 1, 1)))
    rows = [[cell.value for cell in row.cells[:3]] for row in verdict.winners.rows]
    assert rows == [
        ["RabbitMQ, safe", "Celery, safe", "1.50×"],
        ["Sync", "RabbitMQ, safe", "2.00×"],
        ["Sync", "Celery, safe", "3.00×"],
    ]
    told = [re.findall("“(.*?)”", sentence) for sentence in verdict.sentences]
    assert told == [row[:2] for row in rows]
    assert verdict.line == verdict.sentences[0]


def test_of_four_contenders_those_that_deliver_alike_come_first() -> None:
    naive = [arm.model_copy(update={"delivery": Delivery.NAIVE}) for arm in ARMS[:2]]
    plan = a_plan(arms=[*naive, *ARMS[:2]])
    verdict = verdict_of(judged(plan, (400, 1, 1), (300, 1, 1), (100, 1, 1), (200, 1, 1)))
    assert [[cell.value for cell in row.cells[:2]] for row in verdict.winners.rows] == [
        ["Celery, as it comes", "RabbitMQ, by the tutorial"],
        ["RabbitMQ, safe", "Celery, safe"],
        ["Celery, as it comes", "RabbitMQ, safe"],
        ["Celery, as it comes", "Celery, safe"],
    ]


def test_there_are_three_sentences_at_most_the_closest_rivals_of_each_figure_first() -> None:
    plan = an_open_plan()
    verdict = verdict_of(judged(plan, (100, 10, 80), (100, 30, 240), (100, 90, 700)))
    assert len(verdict.winners.rows) == 4
    told = [re.findall("“(.*?)”", sentence) for sentence in verdict.sentences]
    assert told == [
        ["RabbitMQ, safe", "Celery, safe"],
        ["Sync", "Celery, safe"],
        ["RabbitMQ, safe", "Celery, safe"],
    ]
    assert [sentence.partition(":")[0] for sentence in verdict.sentences] == [
        "End to end, median",
        "End to end, median",
        "End to end, p99",
    ]


def test_who_won_every_turn_is_said_to_be_ahead_also_where_it_is_not_known_by_how_much() -> None:
    plan = a_plan(arms=ARMS[:2], repetitions=3)
    runs = [
        bare_run(turn, arm, value, 1, 1)
        for turn, values in enumerate(((100, 101), (100, 180), (100, 300)), 1)
        for arm, value in enumerate(values)
    ]
    found = {
        "plan": plan,
        "runs": runs,
        "totals": totals_of(plan, runs),
        "comparisons": comparisons_of(plan, runs),
    }
    verdict = verdict_of(an_experiment().model_copy(update=found))
    (sentence,) = verdict.sentences
    assert sentence.startswith(
        "Throughput: “RabbitMQ, safe” (194 jobs/s) was ahead of “Celery, safe” (100 jobs/s) in all 3 turns, but by how"
        " much is not known: 0."
    )
    (row,) = verdict.winners.rows
    assert [cell.value for cell in row.cells][3:] == ["won 3 of 3 turns", "not known"]
    assert "no difference" not in " ".join(verdict.lines).lower()


def test_of_several_disturbances_the_first_line_names_all() -> None:
    marks = {
        kind: [Mark(arm=0, turn=1, value=0.3)] for kind in ("foreign_load", "late_sender", "clock_offset")
    }
    verdict = verdict_of(an_experiment().model_copy(update={"marks": marks}))
    assert verdict.marks[0] == "Disturbed in several ways: other programs, late sender, clocks differ."
    assert len(verdict.marks) == 4
    assert verdict.lines[0] == verdict.marks[0]


def test_two_equal_arms_are_equal_within_the_margin_and_the_sentence_says_how_large_a_ratio_may_be() -> None:
    (sentence,) = verdict_of(judged(a_plan(arms=[ARMS[0], ARMS[0]]), (200, 1, 1), (200, 1, 1))).sentences
    assert sentence.startswith(
        "Throughput: “Celery, safe 1” (200 jobs/s) and “Celery, safe 2” (200 jobs/s) are equal within 5 %: the ratio is"
        " 0.9"
    )


def test_what_is_not_known_is_said_with_what_would_tell() -> None:
    plan = a_plan(arms=[ARMS[0], ARMS[0]], margin=0.01)
    (sentence,) = verdict_of(judged(plan, (200, 1, 1), (200, 1, 1))).sentences
    assert sentence.startswith(
        "Throughput: not known whether “Celery, safe 1” (200 jobs/s) and “Celery, safe 2” (200 jobs/s) differ: the"
        " ratio is 0.9"
    )
    (row,) = verdict_of(judged(plan, (200, 1, 1), (200, 1, 1))).winners.rows
    assert row.cells[-1].value == "not known"
    assert row.cells[-1].remarks == ("10 % would have shown",)


def test_where_the_repetitions_scatter_it_is_said_how_many_more_are_needed() -> None:
    experiment = judged(a_plan(arms=[ARMS[0], ARMS[0]]), (200, 1, 1), (200, 1, 1))
    (found,) = [one for one in experiment.comparisons if one.figure == "throughput"]
    unknown = found.model_copy(update={"answer": Finding.UNKNOWN, "more": 7})
    verdict = verdict_of(experiment.model_copy(update={"comparisons": [unknown]}))
    assert verdict.winners.rows[0].cells[-1].remarks == ("7 more repetitions would tell 10 %",)
    step = verdict.steps[0]
    assert (step.title, step.plan.repetitions, step.options) == ("7 more repetitions", 12, "--repetitions 12")


@pytest.mark.parametrize("repetitions", [1, 2])
def test_too_few_repetitions_are_said_to_be_too_few(repetitions: int) -> None:
    verdict = verdict_of(judged(a_plan(arms=ARMS[:2]), (200, 1, 1), (400, 1, 1), repetitions=repetitions))
    assert verdict.sentences == (
        "Too few repetitions to tell chance from difference: at least 3 are needed, five are better.",
    )


def test_one_arm_alone_and_nothing_measured_are_said() -> None:
    assert "nothing to compare" in verdict_of(judged(a_plan(arms=ARMS[:1]), (200, 1, 1))).line
    nothing = an_experiment(runs=[], totals=[], comparisons=[], fairness=[])
    assert verdict_of(nothing).line == "Nothing was measured."
    running = nothing.model_copy(update={"finished_us": None, "status": "IN_PROGRESS"})
    assert verdict_of(running).line == ""


def test_losses_duplicates_and_unequal_conditions_are_warned_of() -> None:
    whole = an_experiment()
    totals = [
        total.model_copy(
            update={
                "lost": 3 * (total.arm == 1),
                "duplicates": total.arm,
                "failed": 5,
                "disturbed": total.arm,
            }
        )
        for total in whole.totals
    ]
    warnings = verdict_of(whole.model_copy(update={"totals": totals, "status": "CANCELLED"})).warnings
    assert warnings == (
        "It did not run to its end; this is of the turns that did.",
        "Jobs that had not ended in time: “Celery, safe”: 0, “RabbitMQ, safe”: 3, “Sync”: 0. They are in no latency and"
        " in no throughput, which look better for it.",
        "Jobs that began again without being asked to: “Celery, safe”: 0, “RabbitMQ, safe”: 1, “Sync”: 2.",
        "Jobs that failed: “Celery, safe”: 5, “RabbitMQ, safe”: 5, “Sync”: 5. They count as ended.",
        "Not the same for all: Kind of pool. These differences affect the figures too.",
    )


@pytest.mark.parametrize(
    ("kind", "mark", "said"),
    [
        (
            "foreign_load",
            {"value": 0.231},
            "Other programs took a share of the machine: “Celery, safe”: 23 %.",
        ),
        (
            "growing_queue",
            {"value": 260.0, "of": 300.0},
            "More came than was done, and the queue grew: “Celery, safe”: 300/s offered, 40.0/s done.",
        ),
        ("late_sender", {"value": 4.0}, "The sender was late: “Celery, safe”: up to 4.00 s."),
        (
            "clock_offset",
            {"value": -0.05},
            "A worker's clock differs from the sender's: “Celery, safe”: −0.050 s.",
        ),
        ("outages", {"value": 1.0}, "The broker was away: “Celery, safe”: 1."),
        ("restarts", {"value": 2.0}, "Workers restarted: “Celery, safe”: 2."),
        (
            "other_tasks",
            {"value": 9.0},
            "Workers ran tasks that are not of the experiment: “Celery, safe”: 9.",
        ),
    ],
)
def test_what_disturbed_an_experiment_is_said_before_anything_else(
    kind: str, mark: dict[str, float], said: str
) -> None:
    marks = {kind: [Mark(arm=0, turn=1, **mark)]}  # type: ignore[arg-type]
    verdict = verdict_of(an_experiment().model_copy(update={"marks": marks}))
    assert verdict.marks[0].startswith(said)
    assert verdict.line.startswith(said)


def test_a_row_in_which_only_sync_is_unlike_the_others_is_no_warning_and_one_that_changed_is() -> None:
    rows = [
        FairnessRow(key="confirms", values=["100 at once", "100 at once", "none"], equal=False),
        FairnessRow(key="concurrency", values=["3 → 2", "3", "3"], equal=False, changed=True),
    ]
    (warning,) = verdict_of(an_experiment().model_copy(update={"fairness": rows})).warnings
    assert warning == "Changed while it ran: Concurrency in all. The figures are of both."


def test_after_a_cancellation_all_numbers_of_a_sentence_are_of_the_same_turns() -> None:
    plan = a_plan(arms=ARMS[:2])
    runs = [bare_run(turn, arm, 100.0 * (arm + 1) + turn, 1, 1) for turn in range(1, 4) for arm in range(2)]
    runs.append(bare_run(4, 0, 5_000.0, 1, 1))
    whole = judged(plan, (1, 1, 1), (1, 1, 1))
    found = {"runs": runs, "totals": totals_of(plan, runs), "comparisons": comparisons_of(plan, runs)}
    (sentence,) = verdict_of(whole.model_copy(update=found)).sentences
    assert sentence.startswith(
        "“RabbitMQ, safe” ended 1.98 times as many jobs a second as “Celery, safe” (1.96 to 2.00 times): 202 against"
    )


@pytest.mark.parametrize("what", ["lost", "failed"])
def test_an_arm_that_lost_or_failed_more_than_one_job_in_a_hundred_wins_nothing(what: str) -> None:
    plan = an_open_plan(arms=ARMS[:2])
    whole = judged(plan, (200, 10, 20), (400, 2, 4))
    runs = [
        run.model_copy(update={"figures": run.figures.model_copy(update={what: 3})}) if run.arm else run
        for run in whole.runs
    ]
    found = {"runs": runs, "totals": totals_of(plan, runs), "comparisons": comparisons_of(plan, runs)}
    experiment = whole.model_copy(update=found)
    sentences = verdict_of(experiment).sentences
    assert len(sentences) == 2
    for sentence in sentences:
        assert "“Celery, safe” and “RabbitMQ, safe” cannot be compared." in sentence
        assert "lost or failed: “Celery, safe”: 0, “RabbitMQ, safe”: 5" in sentence
    (table,) = differences(experiment, untranslated)
    assert {row.cells[-1].value for row in table.rows} == {"cannot be compared"}


def test_numbers_have_the_decimal_sign_of_the_language() -> None:
    def russian(text: str) -> str:
        return {"1.5": "1,5"}.get(text, text)

    experiment = judged(an_open_plan(arms=ARMS[:2]), (100, 10, 80), (100, 30, 81))
    for sentence in verdict_of(experiment, russian).sentences:
        assert not re.search(r"[0-9]\.[0-9]", sentence)
        assert re.search(r"[0-9],[0-9]", sentence)


def test_every_sentence_goes_through_the_translation() -> None:
    seen: list[str] = []

    def recording(text: str) -> str:
        seen.append(text)
        return text

    verdict_of(judged(a_plan(arms=ARMS[:2]), (200, 10, 20), (400, 10, 20)), recording)
    assert any("%(better)s ended %(times)s times" in text for text in seen)
    assert "Throughput" in seen


def steps(experiment: Experiment) -> dict[str, NextStep]:
    return {step.key: step for step in verdict_of(experiment).steps}


def test_after_a_burst_comes_half_of_what_the_slowest_did() -> None:
    found = steps(judged(a_plan(arms=ARMS[:2]), (200, 1, 1), (400, 1, 1)))
    assert found.keys() == {"half"}
    plan = found["half"].plan
    assert (plan.arrival, plan.seconds) == (OpenLoop(law="open", rate=100.0), 2.0)
    assert found["half"].options == "--rate 100 --seconds 2"


def test_what_disturbed_it_decides_what_to_do_next() -> None:
    whole = an_experiment(an_open_plan(jobs=500))
    half = Mark(arm=0, turn=1, value=60.0, of=100.0)
    marks = {"foreign_load": [half], "growing_queue": [half]}
    found = steps(whole.model_copy(update={"marks": marks}))
    assert list(found) == ["quiet", "half", "jobs"]
    assert found["quiet"].title == "Without the busy program"
    assert found["half"].plan.arrival == OpenLoop(law="open", rate=20.0)
    assert found["jobs"].plan.count == 1_000
    assert next(iter(steps(whole.model_copy(update={"marks": {"outages": [half]}})))) == "again"
    assert next(iter(steps(whole.model_copy(update={"status": "CANCELLED"})))) == "again"


def test_one_alone_is_run_against_the_others_and_a_winner_against_itself() -> None:
    alone = steps(judged(a_plan(arms=ARMS[:1]), (200, 1, 1)))
    assert len(alone["rivals"].plan.arms) == 3
    won = steps(judged(an_open_plan(arms=ARMS[:2]), (100, 10, 80), (100, 30, 240)))
    assert won["itself"].plan.arms == [ARMS[0], ARMS[0]]


def test_a_running_experiment_has_no_next_step() -> None:
    assert steps(an_experiment().model_copy(update={"status": "IN_PROGRESS"})) == {}
