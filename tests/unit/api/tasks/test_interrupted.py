from api.services import Services
from api.tasks.interrupted import Interrupted
from lab.status import StatusUpdate, TaskStatus
from store.tables import tasks
from store.tasks import NewTask


def test_what_no_request_can_run_any_more_is_failed_and_the_rest_left_alone(parts: Services) -> None:
    timed = {"kind": "process_task", "params": {"timeout": 1.0}, "timeout": 1.0}
    pending, begun, late = (parts.store.add([NewTask("sync", **timed)]).rows[0] for _ in range(3))
    brokered = parts.store.add([NewTask("celery", **timed)], relay="r").rows[0]
    parts.store.apply([StatusUpdate(task_id=begun["id"], status=TaskStatus.IN_PROGRESS, attempt=2)])
    with parts.store.engine.begin() as connection:
        old = tasks.update().where(tasks.c.id != late["id"])
        connection.execute(old.values(created_us=tasks.c.created_us - 60_000_000))
    Interrupted(parts.store, 2.0).step()
    rows = {
        row["id"]: row for row in parts.store.get_all([one["id"] for one in (pending, begun, late, brokered)])
    }
    assert [rows[one["id"]]["status"] for one in (pending, begun)] == ["FAILED", "FAILED"]
    assert rows[begun["id"]]["error"].startswith("interrupted")
    assert [rows[one["id"]]["status"] for one in (late, brokered)] == ["PENDING", "PENDING"]
