from experiments.environment import environment_of


def test_the_environment_names_machine_system_and_versions_and_what_else_is_told() -> None:
    found = environment_of(broker="RabbitMQ 4.3.6")
    assert {"begun_at", "system", "kernel", "processor", "cores", "memory", "load", "python"} <= found.keys()
    assert found["celery"].startswith("5.")
    assert int(found["cores"]) >= 1
    assert list(found)[-1] == "broker"
    assert all(found.values())
