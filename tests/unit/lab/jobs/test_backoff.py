import pytest

from lab.jobs.backoff import Exponential, Fixed, delay, longest


def test_by_default_waits_double_up_to_a_minute_and_are_jittered() -> None:
    assert [longest(n) for n in range(9)] == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    assert all(0.5 * longest(n) <= delay(n) <= longest(n) for n in range(9))


def test_a_fixed_wait_is_the_same_each_time() -> None:
    policy = Fixed(policy="fixed", delay=2.5)
    assert [delay(n, policy) for n in range(3)] == [2.5, 2.5, 2.5]


def test_an_exponential_wait_doubles_from_its_base_up_to_its_cap() -> None:
    policy = Exponential(policy="exponential", base=0.5, cap=3.0, jitter=False)
    assert [delay(n, policy) for n in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize("retries", [0, 3, 10])
def test_with_jitter_a_wait_is_anything_up_to_that(retries: int) -> None:
    policy = Exponential(policy="exponential")
    waits = {delay(retries, policy) for _ in range(50)}
    assert len(waits) > 40
    assert 0.0 <= min(waits) <= max(waits) <= longest(retries, policy) <= 600.0
