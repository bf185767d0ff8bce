"""The blocks of code of the texts that the lab was made from, run as they stand.

Their tasks stand in modules `tasks` and `task`; names that a text leaves open are given before its block.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.lab import ROOT, Lab
from harness.node import RabbitNode
from harness.processes import until
from tests.local_server import S3_LOGIN, s3_server
from tests.vhosts import make_vhost

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
    with Lab(tmp_path_factory.mktemp("seeds-lab"), make_vhost(node), env=env) as running:
        running.start_celery(concurrency=3, name="module")
        yield running


@contextmanager
def typed(folder: Path, commands: str, env: dict[str, str], until_said: str) -> Iterator[Path]:
    """Commands as they are typed into a terminal, running: entered once they have said `until_said`; ended with
    SIGTERM. Gives the file of what they say."""
    said = folder / "said"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with said.open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-c", commands],
            cwd=folder,
            env=env | {"PATH": path},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        # Beat's first word may be a whole minute away.
        assert until(lambda: until_said in said.read_text(), 90), said.read_text()
        yield said
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(60)


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


IMAGES = """
import random

from flask import Flask, request, jsonify
from celery import Celery, group
import time

app = Flask(__name__)

celery = Celery(
 app.name,
 broker='redis://localhost:6379/0',
 backend='redis://localhost:6379/0',
)

@celery.task
def process_image(image_id: str):
 time.sleep(random.randint(5, 15))
 return f'Image {image_id} processed'

@app.route('/process_images', methods=['POST'])
def process_images():
 images = request.json.get('images')

 if images and isinstance(images, list):
   task_group = group(
     process_image.s(image_id)
     for image_id in images
   )

   result = task_group.apply_async()
   result.save()

   return jsonify({'group_id': result.id}), 202
 else:
   return jsonify({'error': 'Missing or invalid images parameter'}), 400

@app.route('/status/<group_id>', methods=['GET'])
def get_group_status(group_id: str):
 result = celery.GroupResult.restore(group_id)

 if result:
   status = result.completed_count() / len(result)
   return jsonify({'status': status}), 200
 else:
   return jsonify({'error': 'Invalid group_id'}), 404

if __name__ == '__main__':
 app.run(debug=True)
"""
ASKS = """
import json, time
from app import app
client = app.test_client()
refused = client.post('/process_images', json={'images': 'a.jpg'})
group = client.post('/process_images', json={'images': ['a.jpg', 'b.jpg']})
seen = []
while not seen or seen[-1] < 1:
    seen.append(client.get(f"/status/{group.json['group_id']}").json['status'])
    time.sleep(0.2)
unknown = client.get('/status/unknown')
print(json.dumps([refused.status_code, refused.json, group.status_code, sorted(set(seen)), unknown.status_code]))
"""


def test_the_application_that_processes_images_runs_beside_the_lab_as_it_stands(
    redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(IMAGES.replace("redis://localhost:6379/0", f"{redis_url}7"))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with typed(tmp_path, "celery -A app.celery worker --loglevel=info", env, "ready."):
        asked = subprocess.run(
            [sys.executable, "-c", ASKS], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90
        )
    refused, why, accepted, shares, unknown = json.loads(asked.stdout)
    assert (refused, why) == (400, {"error": "Missing or invalid images parameter"})
    assert (accepted, unknown) == (202, 404)
    assert shares[-1] == 1
    assert set(shares) <= {0, 0.5, 1}


LOCAL_WORKER = """
# 3. Установите переменные окружения
export RMQ_URL=amqp://student:qwerty@localhost:5672/
export API_URL=http://localhost:8080/update_task_status_api/

# 4. Запустите worker
celery -A celery_app worker --loglevel=info --concurrency=3
"""


def test_the_short_guide_starts_a_worker_looks_at_it_and_empties_the_queue(
    tmp_path: Path, node: RabbitNode
) -> None:
    with Lab(tmp_path / "lab", make_vhost(node)) as lab:
        commands = LOCAL_WORKER.replace("amqp://student:qwerty@localhost:5672/", lab.env["RMQ_URL"])
        commands = commands.replace("http://localhost:8080/", f"{lab.url}/")
        bare = {name: value for name, value in lab.env.items() if name not in ("RMQ_URL", "API_URL")}

        def celery(command: str) -> str:
            typed_in = f"export PATH={Path(sys.executable).parent}:$PATH; celery -A celery_app {command}"
            done = subprocess.run(
                ["bash", "-c", typed_in],
                cwd=lab.root,
                env=lab.env,
                input="yes\n",
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        with typed(tmp_path, f"cd {lab.root}\n{commands}", bare, "ready.") as said:
            (task,) = lab.submit("celery", 15)  # it has to run for as long as the command takes to start
            lab.wait_for([task["id"]], "IN_PROGRESS")
            assert task["id"] in celery("inspect active")
            registered = celery("inspect registered")
            assert "process_task" in registered
            assert "process_data" in registered
            assert '"max-concurrency": 3' in celery("inspect stats")
            lab.wait_for([task["id"]])
            for line in ("Received task: process_task[", "Начало обработки задачи", "завершена успешно"):
                assert line in said.read_text(), line
        lab.submit("celery", 5, 4)
        assert until(lambda: "Purged 4 messages" in celery("purge"), 30)


# What the text leaves open: its tasks, their arguments, and `result`, which stands where a result will.
ANY_TASKS = """
from types import SimpleNamespace
from celery_app import celery_app
import sys, tasks
result = object()
arg1, arg2, arg3, arg4, arg5, arg6, arg7, argz = 1, 2, 3, 4, 5, 6, 7, 8
def signature_of(task):
    return lambda *args: task.s(*(arg for arg in args if arg is not result))
callback = lambda *args: tasks.process_data.s()
names = SimpleNamespace(task_zero=tasks.add.si(4, 4), callback=callback)
names.task_a = names.task_b = names.task_c = signature_of(tasks.add)
sys.modules["task"] = names
"""


def test_the_curious_case_composes_chains_groups_and_chords(own_lab: Lab) -> None:
    code = (
        ANY_TASKS
        + """
from celery import chain
from task import task_a, task_b, task_c

work_flow = chain(task_a(arg1, arg2), task_b(result, arg4), task_c(result, arg6))
print(work_flow().get(timeout=30))

# еще один способ выразить цепочку с помощью каналов

work_flow = task_a(arg1, arg2) | task_b(result, arg4) | task_c(result, arg6)
print(work_flow().get(timeout=30))

from celery import group
from task import task_a, task_b, task_c

work_flow = group(task_a(arg1, arg2), task_b(arg4, arg5), task_c(arg6, arg7))
print(work_flow().get(timeout=30))

from celery import group, chain
from task import task_zero, task_a, task_b, task_c

work_flow = chain(
    task_zero,
    group(task_a(result, arg1), task_b(result, arg2), task_c(result, arg3))
)
print(work_flow().get(timeout=30))

# если мы хотим выразить цепочку с помощью каналов
work_flow = task_zero | group(task_a(result, arg1), task_b(result, arg2))
print(work_flow().get(timeout=30))

from celery import group, chain, chord
from task import task_zero, task_a, task_b, task_c

header = group(task_a(result, arg1), task_b(result, arg2), task_c(result, arg3))

callback = callback(result, argz)

work_flow = chain(task_zero, chord(header, callback))
print(work_flow().get(timeout=60)["sum"])
"""
    )
    assert run(own_lab, code) == ["13", "13", "[3, 9, 13]", "[9, 10, 11]", "[9, 10]", "30.0"]


def test_the_answer_to_a_question_serves_tasks_by_fastapi(own_lab: Lab) -> None:
    code = """
from fastapi import FastAPI, BackgroundTasks
from celery.result import AsyncResult
from tasks import send_email, process_image

app = FastAPI()

@app.post("/send-notification")
def send_notification(email: str, message: str):
    task = send_email.delay(email, "Уведомление", message)
    return {"task_id": task.id, "status": "queued"}

@app.get("/task/{task_id}")
def get_task_status(task_id: str):
    result = AsyncResult(task_id)

    response = {
        "task_id": task_id,
        "status": result.status,
    }

    if result.status == 'SUCCESS':
        response["result"] = result.result
    elif result.status == 'FAILURE':
        response["error"] = str(result.result)
    elif result.status == 'PROCESSING':
        response["progress"] = result.info.get('progress', 0)

    return response

queued = send_notification("user@example.com", "message")
AsyncResult(queued["task_id"]).get(timeout=30)
print(queued["status"], get_task_status(queued["task_id"])["result"]["to"])
"""
    assert run(own_lab, code) == ["queued user@example.com"]


def test_the_answer_to_a_question_has_a_chain_and_a_chord(own_lab: Lab) -> None:
    code = """
from tasks import download_file_from_s3, get_files_from_bucket, process_image, write_paths_to_file
download_file, process_file, upload_result = get_files_from_bucket, write_paths_to_file, process_image
process_chunk, merge_results = download_file_from_s3, write_paths_to_file
url = "s3://foo-bucket/path"
chunks = [f"{url}/to/file{n}" for n in (1, 2)]

from celery import chain, group, chord

# Цепочка — последовательное выполнение
workflow = chain(
    download_file.s(url),
    process_file.s(),
    upload_result.s()
)
result = workflow.apply_async()
print(result.get(timeout=60).startswith("Image "))

# Chord — группа + callback после завершения всех
workflow = chord(
    [process_chunk.s(chunk) for chunk in chunks],
    merge_results.s()
)
result = workflow.apply_async()
print([open(path).read() for path in open(result.get(timeout=60)).read().splitlines()])
"""
    assert run(own_lab, code) == ["True", "['file 1\\n', 'file 2\\n']"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("celery -A celery_app worker --loglevel=info", "ready."),
        ("celery -A celery_app worker --concurrency=4", "concurrency: 4 (prefork)"),
        ("celery -A celery_app beat --loglevel=info", "beat: Starting..."),
        ("celery -A celery_app worker --beat --loglevel=info", "Sending due task"),
    ],
)
def test_the_answer_to_a_question_starts_workers_and_beat(
    own_lab: Lab, tmp_path: Path, command: str, says: str
) -> None:
    env = own_lab.env | {"LAB_VAR": str(tmp_path)}
    with typed(tmp_path, f"cd {own_lab.root}\n{command}", env, says):
        pass
