from pathlib import Path

import pytest

from harness.node import RabbitNode
from harness.processes import until
from lab.broker import amqp, owner
from lab.settings import Settings
from tests.vhosts import make_vhost

ONE, OTHER = owner.mark((b"one",)), owner.mark((b"other",))


@pytest.fixture
def url(node: RabbitNode) -> str:
    return make_vhost(node)


def free_for(url: str, lab: str) -> bool:
    with amqp.connected(url, "test") as connection:
        try:
            owner.claim(connection.channel(), lab)
        except owner.AnotherLab:
            return False
        return True


def test_several_parts_of_one_lab_hold_a_virtual_host_and_another_lab_is_refused(url: str) -> None:
    with amqp.connected(url, "first") as first, amqp.connected(url, "second") as second:
        owner.hold(first.channel(), ONE)
        owner.hold(second.channel(), ONE)
        assert not free_for(url, OTHER)
        first.close()
        assert not free_for(url, OTHER)
    assert until(lambda: free_for(url, OTHER), 20)


def test_a_refusal_says_what_to_do(url: str, tmp_path: Path) -> None:
    with amqp.connected(url, "first") as first:
        owner.hold(first.channel(), ONE)
        settings = Settings.from_env({"RMQ_URL": url, "LAB_VAR": str(tmp_path)})
        with pytest.raises(owner.AnotherLab, match="name another virtual host at the end of RMQ_URL"):
            owner.refuse_another(settings)


def test_a_broker_that_is_away_tells_nothing(tmp_path: Path) -> None:
    owner.refuse_another(Settings.from_env({"RMQ_URL": "amqp://127.0.0.1:1/", "LAB_VAR": str(tmp_path)}))


def test_the_mark_is_the_same_for_the_same_secret_and_does_not_show_it() -> None:
    assert owner.mark((b"one",)) == ONE != OTHER
    assert b"one".hex() not in ONE


def test_a_lab_with_a_new_key_stays_itself_while_the_old_one_holds(url: str) -> None:
    lab = owner.mark((b"third", b"second", b"one"))
    with amqp.connected(url, "not restarted yet") as first:
        owner.hold(first.channel(), ONE)
        assert free_for(url, lab)
    assert owner.mark((b"third", b"second")) == owner.mark((b"second",)) != ONE
