from pathlib import Path

import sqlalchemy as sa

from benchmarks.page import fill
from store.tables import task_events, tasks
from store.tasks import NewTask, Query, Store


def test_a_long_history_is_one_that_the_store_could_have_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.sqlite3"
    fill(url, 5_000)
    store = Store(url)
    assert store.counts() == {**dict.fromkeys(store.counts(), 0), "DONE": 5_000}
    with store.engine.connect() as connection:
        for column in (tasks.c.num, tasks.c.id, tasks.c.change_id):
            assert connection.execute(sa.select(sa.func.count(column.distinct()))).scalar_one() == 5_000
        assert connection.execute(sa.select(sa.func.count()).select_from(task_events)).scalar_one() == 15_000
        last = connection.execute(sa.select(sa.func.max(tasks.c.change_id))).scalar_one()
    assert store.last_change() >= last
    newest = store.page(Query(limit=1))[0]
    assert newest["num"] == 5_000
    assert [event["status"] for event in store.history(newest["num"])] == ["PENDING", "IN_PROGRESS", "DONE"]
    (added,) = store.add(NewTask("celery", "process_task", {"timeout": 0.0}, 0.0)).rows
    assert added["num"] == 5_001
    store.close()
