from consumer.delays import Delays


def test_works_come_out_when_their_time_has_come_the_earliest_first() -> None:
    delays: Delays[str] = Delays()
    for at, work in ((3.0, "c"), (1.0, "a"), (2.0, "b"), (1.0, "a2")):
        delays.hold(at, work)
    assert delays.next_at() == 1.0
    assert delays.due(0.9) == []
    assert delays.due(2.0) == ["a", "a2", "b"]
    assert (len(delays), delays.next_at()) == (1, 3.0)


def test_works_can_be_taken_out_before_their_time() -> None:
    delays: Delays[int] = Delays()
    for n in range(5):
        delays.hold(float(n), n)
    assert sorted(delays.pick(lambda n: n % 2 == 0)) == [0, 2, 4]
    assert delays.due(9.0) == [1, 3]
    assert delays.next_at() is None
