from lab.reporting.reporter import Recent


def test_it_knows_what_was_added_last_and_forgets_the_oldest() -> None:
    recent = Recent(most=2)
    recent.update(["a", "b", "c"])
    assert "a" not in recent
    assert "b" in recent
    assert "c" in recent
