from tools.equal_contenders import plan_of


def test_both_arms_are_the_same_and_each_run_has_jobs_of_its_own() -> None:
    one, other = (plan_of("celery:naive", seed) for seed in (1, 2))
    assert one.arms[0] == one.arms[1]
    assert (one.repetitions, one.seed, other.seed) == (5, 1, 2)
