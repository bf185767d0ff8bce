import json
from pathlib import Path

import pytest
from pika.spec import BasicProperties

from benchmarks import messages
from benchmarks.messages import Ticket
from benchmarks.programs import message_file
from lab.job import Job
from lab.token import sign

TICKETS = [Ticket(f"{n}0000000-1111-4222-8333-444444444444", sign(b"key", str(n))) for n in range(3)]


def decoded(encoded: bytes) -> BasicProperties:
    properties = BasicProperties()
    properties.decode(encoded)
    return properties


def test_messages_for_the_consumer_are_jobs_with_their_ids_and_tokens() -> None:
    for ticket, (encoded, body) in zip(TICKETS, messages.for_consumer(TICKETS), strict=True):
        job = Job.model_validate_json(body)
        assert (job.task_id, job.token, job.kind) == (ticket.task_id, ticket.token, messages.KIND)
        properties = decoded(encoded)
        assert (properties.message_id, properties.delivery_mode) == (ticket.task_id, 2)


@pytest.mark.parametrize("beside", [True, False])
def test_messages_for_celery_carry_ids_tokens_and_whether_reports_travel_beside(beside: bool) -> None:
    made = messages.for_celery(TICKETS, beside=beside)
    for ticket, (encoded, body) in zip(TICKETS, made, strict=True):
        properties = decoded(encoded)
        headers = properties.headers
        assert headers["id"] == headers["root_id"] == properties.correlation_id == ticket.task_id
        assert (headers["lab_token"], headers["task"]) == (ticket.token, messages.KIND)
        assert headers.get("lab_beside", False) is beside
        assert (headers["ignore_result"], properties.delivery_mode) == (True, 2)
        args, kwargs, _ = json.loads(body)
        assert (args, list(kwargs)) == ([], ["task_num", "serial"])


def test_every_job_has_parameters_of_its_own_where_they_are_not_to_be_equal() -> None:
    def serials(*, equal: bool) -> list[int]:
        by_hand = [
            Job.model_validate_json(body).params["serial"]
            for _, body in messages.for_consumer(TICKETS, equal=equal)
        ]
        celerys = [json.loads(body)[1]["serial"] for _, body in messages.for_celery(TICKETS, equal=equal)]
        assert by_hand == celerys
        return by_hand

    assert len(set(serials(equal=False))) == len(TICKETS)
    assert len(set(serials(equal=True))) == 1


def test_strangers_have_ids_of_their_own() -> None:
    assert len({ticket.task_id for ticket in messages.strangers(50)}) == 50


def test_a_file_of_messages_reads_as_it_was_written(tmp_path: Path) -> None:
    written = [(b"", b"x"), (b"abc", b""), (b"\0" * 300, b"{}")]
    message_file.write(tmp_path / "file", written)
    assert list(message_file.read(tmp_path / "file")) == written
