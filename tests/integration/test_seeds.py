"""The blocks of code of the texts that the lab was made from, run as they stand.

Their tasks stand in modules `tasks` and `task`; names that a text leaves open are given before its block.
"""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from tests.local_server import S3_LOGIN, s3_server

pytestmark = pytest.mark.slow

OBJECTS = {f"path/to/file{n}": f"file {n}\n".encode() for n in (1, 2, 3)}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server with the bucket `foo-bucket`."""
    with s3_server(OBJECTS, "foo-bucket") as url:
        yield url


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode, s3: str) -> Iterator[Lab]:
    modules = tmp_path_factory.mktemp("modules")
    for name in ("tasks", "task"):
        (modules / f"{name}.py").write_text(
            "import sys, celery_tasks\nsys.modules[__name__] = celery_tasks\n"
        )
    env = {
        "PYTHONPATH": f"{ROOT}:{modules}",
        "LAB_IMAGE_SECONDS": "0.1",
        "LAB_S3_ENDPOINT": s3,
        "LAB_S3_BUCKETS": "foo-bucket",
        **S3_LOGIN,
    }
    with (
        RabbitNode(tmp_path_factory.mktemp("seeds-node"), management=False) as broker,
        Lab(tmp_path_factory.mktemp("seeds-lab"), broker.url, env=env) as running,
    ):
        running.start_celery(concurrency=3)
        yield running


def run(lab: Lab, code: str) -> list[str]:
    """What Python prints of `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=lab.base, env=lab.env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_short_guide_sends_a_task_and_has_one_of_its_own(own_lab: Lab) -> None:
    code = """
task_num, timeout = 1, 0.5
from celery_tasks import process_task

# Асинхронная отправка
celery_task = process_task.delay(task_num, timeout, 'celery')
task_id = celery_task.id

# Получение результата (если нужно)
result = celery_task.get(timeout=30)
print(result)

from celery_app import celery_app
@celery_app.task(bind=True, max_retries=3, default_retry_delay=60)
def my_task(self):
    try:
        return "done"
    except Exception as exc:
        raise self.retry(exc=exc)
print(my_task())
"""
    assert run(own_lab, code) == ["{'status': 'success', 'task_num': 1}", "done"]


def test_the_notes_call_tasks_in_every_way(own_lab: Lab) -> None:
    code = """
from tasks import add, multiply
result = add.delay(4, 4)
print(result.get(timeout=30))
result = add.apply_async((4, 4), countdown=10)
from celery import signature
sig = signature('add', args=(2, 2), immutable=True)
print(sig.delay().get(timeout=30))
from celery import chain
res = chain(add.s(4, 4), multiply.s(10))()
print(res.get(timeout=30))
from celery import group
group_result = group(add.s(2, 2), add.s(4, 4))()
print(group_result.get(timeout=30))
from celery import chord
print(chord([add.s(2, 2), add.s(4, 4)])(multiply.s(2)).get(timeout=60))
print(result.get(timeout=60))
"""
    assert run(own_lab, code) == ["8", "4", "80", "[4, 8]", "[4, 8, 4, 8]", "8"]


def test_a_map_downloads_what_a_bucket_holds(own_lab: Lab) -> None:
    code = """
from celery import chain
from task import get_files_from_bucket, download_file_from_s3, dmap

work_flow = chain(get_files_from_bucket.s(), dmap.s(download_file_from_s3.s()))
for path in work_flow().get(timeout=60):
    print(open(path).read().strip())
"""
    assert run(own_lab, code) == ["file 1", "file 2", "file 3"]


def test_a_conditional_map_downloads_each_and_writes_a_list(own_lab: Lab) -> None:
    code = """
from task import dmap, get_paths_from_db, write_paths_to_file

work_flow = dmap.s(get_paths_from_db.s(), write_paths_to_file.s())
listed = open(work_flow.delay().get(timeout=60)).read().splitlines()
print([open(path).read() for path in listed])
"""
    assert run(own_lab, code) == ["['file 1\\n', 'file 2\\n', 'file 3\\n']"]


@pytest.mark.parametrize(
    ("store", "setting"), [("gcp", "LAB_GCP_BUCKETS"), ("azure", "LAB_AZURE_CONTAINERS")]
)
def test_a_store_that_is_not_opened_says_what_opens_it(own_lab: Lab, store: str, setting: str) -> None:
    code = f"""
from task import download_file_from_{store} as download
result = download.delay("{store}://foo/file")
result.get(timeout=30, propagate=False)
print(result.result)
"""
    assert run(own_lab, code) == [f"the bucket 'foo' is not open: {setting} names those that are"]


def test_the_answer_to_a_question_calls_and_composes_tasks(own_lab: Lab) -> None:
    code = """
from tasks import add, send_email, process_image, reliable_task
# Асинхронный вызов (немедленно возвращает AsyncResult)
result = add.delay(4, 6)
assert result.id

# Проверка статуса
assert result.status in ('PENDING', 'STARTED', 'SUCCESS')

# Получение результата (блокирующий вызов)
value = result.get(timeout=10)  # 10
print(value, result.status)

# Альтернативный синтаксис
result = add.apply_async(args=[4, 6], countdown=10)  # Выполнить через 10 сек

# С указанием времени
from datetime import datetime, timedelta
eta = datetime.utcnow() + timedelta(hours=1)
late = send_email.apply_async(
    args=['user@example.com', 'Тема', 'Текст'],
    eta=eta  # Выполнить через 1 час
)
from celery.result import AsyncResult
print(AsyncResult(late.id).status)
task = send_email.delay("user@example.com", "Уведомление", "message")
print(task.get(timeout=30)["to"])

from celery import chain, group, chord
job = group([
    process_image.s(f"image_{i}.jpg")
    for i in range(10)
])
print(len(job.apply_async().get(timeout=60)))

from celery_app import app
from celery.schedules import crontab
app.conf.beat_schedule = {
    'daily-report': {
        'task': 'tasks.generate_daily_report',
        'schedule': crontab(hour=8, minute=0),
    },
}
@app.task
def health_check():
    return {"status": "healthy"}
print(health_check(), reliable_task([1, 2])["sum"])
print(result.get(timeout=60))
"""
    said = ["10 SUCCESS", "PENDING", "user@example.com", "10", "{'status': 'healthy'} 3.0", "10"]
    assert run(own_lab, code) == said
