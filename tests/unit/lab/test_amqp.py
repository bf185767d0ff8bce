from lab import amqp


def test_a_quorum_queue_counts_deliveries_itself() -> None:
    assert amqp.delivery_count({"x-delivery-count": 3}, redelivered=True) == 3


def test_other_queues_only_know_whether_it_was_the_first_time() -> None:
    assert amqp.delivery_count({}, redelivered=True) == 1
    assert amqp.delivery_count(None, redelivered=False) == 0


def test_connections_beat_every_ten_seconds_and_do_not_hang_on_a_blocked_broker() -> None:
    made = amqp.parameters("amqp://u:p@host:5673/vhost", "name")
    assert (made.host, made.port, made.virtual_host) == ("host", 5673, "vhost")
    assert made.heartbeat == 10
    assert made.blocked_connection_timeout == 5.0
