"""What transports tell of the connections that they publish over."""

from pathlib import Path

from lab.settings import Settings
from lab.traffic import Traffic
from transports import TRANSPORTS, create_transport


def test_only_methods_with_a_broker_have_traffic_and_none_can_tell_it(tmp_path: Path) -> None:
    settings = Settings.from_env({"LAB_VAR": str(tmp_path)})
    told = {
        name: create_transport(name, settings, lambda job, attempt: None).traffic() for name in TRANSPORTS
    }  # type: ignore[arg-type, return-value]
    assert told == {"celery": Traffic(), "rabbitmq": Traffic(), "sync": None}
