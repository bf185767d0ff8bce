from experiments.between import between
from experiments.model import Finding
from tests.experiment_samples import ARMS, a_plan, an_experiment, runs_of


def test_arms_of_the_same_name_are_compared_and_the_others_named() -> None:
    found = between(an_experiment(), an_experiment(a_plan(arms=ARMS[:2], seed=2)))
    assert {change.arm for change in found.changes} == {"Celery, safe", "RabbitMQ, safe"}
    assert found.unmatched == ("Sync",)
    assert {change.figure for change in found.changes} >= {"throughput", "end_to_end.p90", "per_job.bytes"}


def test_an_experiment_does_not_differ_from_itself() -> None:
    one = an_experiment()
    found = between(one, one)
    assert (found.plan, found.environment, found.fairness, found.unmatched) == ((), (), (), ())
    assert {change.difference.value for change in found.changes} == {0}
    assert Finding.DIFFERS not in {change.answer for change in found.changes}


def test_a_difference_between_experiments_is_found_with_its_sign() -> None:
    plan = a_plan(arms=[ARMS[1]])
    slow = an_experiment(plan, runs=runs_of(plan, slower_us=(20_000,)))
    by_key = {change.figure: change for change in between(an_experiment(plan), slow).changes}
    overhead = by_key["overhead.p50"]
    assert overhead.answer is Finding.DIFFERS
    assert 19 < overhead.difference.value < 21
    assert overhead.other - overhead.one == overhead.difference.value
    assert by_key["publish.p50"].answer is not Finding.DIFFERS


def test_what_differs_in_plan_environment_and_fairness_is_named_with_both_values() -> None:
    one = an_experiment()
    other = an_experiment(a_plan(seed=9, payload_bytes=10, title="another"))
    other = other.model_copy(
        update={
            "environment": {**one.environment, "celery": "5.8.0", "new": "1"},
            "fairness": other.fairness[:1],
        }
    )
    found = between(one, other)
    assert set(found.plan) == {("Seed", "1", "9"), ("Bytes beside the job", "0", "10")}
    assert found.environment == (("celery", "5.7.0", "5.8.0"), ("new", "", "1"))
    assert [(key, there) for key, _here, there in found.fairness] == [("Kind of pool", "")]


def test_durations_of_the_readers_own_are_told_in_a_sentence_and_never_one_by_one() -> None:
    values = [0.001 * n for n in range(1, 1_000)]
    other = an_experiment(a_plan(duration={"law": "values", "values": values}))
    ((name, one, drawn),) = between(an_experiment(), other).plan
    assert (name, one) == ("How long it takes", "0.01 s")
    assert drawn == "drawn from 999 values, from 0.001 to 0.999 s, mean 0.5 s"
