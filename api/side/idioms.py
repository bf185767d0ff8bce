"""Each feature as one writes it in a project of one's own: by Celery, and by hand with pika.

`app` is a Celery application, `channel` a pika channel of a connection of its thread's own; what else is not defined is
the project's.
"""

from typing import Final

IDIOMS: Final[dict[str, tuple[str, str]]] = {
    "submit": (
        """
@app.task
def resize(path):
    ...

resize.delay("a.jpg")
""",
        """
channel.queue_declare("resize", durable=True)
channel.basic_publish(
    "", "resize", json.dumps({"path": "a.jpg"}).encode(),
    pika.BasicProperties(delivery_mode=2))

# the worker
def on_message(channel, method, properties, body):
    resize(**json.loads(body))
    channel.basic_ack(method.delivery_tag)

channel.basic_consume("resize", on_message)
channel.start_consuming()
""",
    ),
    "idempotent": (
        """
with db.begin():
    # UNIQUE (key): the second request finds the row
    job, is_new = Job.get_or_create(key=request.headers["Idempotency-Key"])
if is_new:
    resize.apply_async(("a.jpg",), task_id=job.id)
""",
        """
with db.begin():
    # UNIQUE (key): the second request finds the row
    job, is_new = Job.get_or_create(key=request.headers["Idempotency-Key"])
if is_new:
    publish("resize", {"id": job.id, "path": "a.jpg"})
""",
    ),
    "confirms": (
        """
app.conf.broker_transport_options = {"confirm_publish": True}
""",
        """
channel.confirm_delivery()
try:
    channel.basic_publish("", "resize", body, durable, mandatory=True)
except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
    keep_for_later(body)
""",
    ),
    "late-acks": (
        """
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
""",
        """
def on_message(channel, method, properties, body):
    resize(**json.loads(body))
    channel.basic_ack(method.delivery_tag)  # after the work
""",
    ),
    "prefetch": (
        """
app.conf.worker_prefetch_multiplier = 1
""",
        """
channel.basic_qos(prefetch_count=1)
""",
    ),
    "dead-letters": (
        """
app.conf.task_queues = [Queue("resize", queue_arguments={
    "x-queue-type": "quorum", "x-delivery-limit": 5,
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "resize.dead",
})]
""",
        """
channel.queue_declare("resize.dead", durable=True)
channel.queue_declare("resize", durable=True, arguments={
    "x-queue-type": "quorum", "x-delivery-limit": 5,
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "resize.dead",
})
""",
    ),
    "unreadable": (
        """
# Celery acknowledges what it cannot read, and logs it: it is gone.
""",
        """
def on_message(channel, method, properties, body):
    try:
        job = json.loads(body)
    except ValueError:
        channel.basic_reject(method.delivery_tag, requeue=False)
        return
    run(job)
    channel.basic_ack(method.delivery_tag)
""",
    ),
    "retry-backoff": (
        """
@app.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=3)
def fetch(url):
    ...
""",
        """
def on_message(channel, method, properties, body):
    job = json.loads(body)
    try:
        fetch(job["url"])
    except OSError:
        if job["attempt"] < 3:
            wait = 2 ** job["attempt"] * random.uniform(0.5, 1)
            later(wait, {**job, "attempt": job["attempt"] + 1})
    channel.basic_ack(method.delivery_tag)

def later(seconds, job):
    # waits here, and comes back to its queue when it expires
    name = f"fetch.wait.{round(seconds)}"
    channel.queue_declare(name, durable=True, arguments={
        "x-message-ttl": round(seconds) * 1000,
        "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "fetch",
    })
    channel.basic_publish("", name, json.dumps(job).encode(), durable)
""",
    ),
    "retry-fixed": (
        """
@app.task(bind=True, default_retry_delay=5, max_retries=3)
def fetch(self, url):
    try:
        ...
    except OSError as error:
        raise self.retry(exc=error)
""",
        """
# once: a queue whose messages go back to "fetch" after 5 seconds
channel.queue_declare("fetch.wait", durable=True, arguments={
    "x-message-ttl": 5000,
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "fetch",
})

def on_message(channel, method, properties, body):
    job = json.loads(body)
    try:
        fetch(job["url"])
    except OSError:
        if job["attempt"] < 3:
            job["attempt"] += 1
            channel.basic_publish("", "fetch.wait", json.dumps(job).encode())
    channel.basic_ack(method.delivery_tag)
""",
    ),
    "countdown": (
        """
resize.apply_async(("a.jpg",), countdown=60)
resize.apply_async(("a.jpg",), eta=datetime(2030, 1, 1, tzinfo=UTC))
""",
        """
channel.queue_declare("resize.in.60s", durable=True, arguments={
    "x-message-ttl": 60_000,
    "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "resize",
})
channel.basic_publish("", "resize.in.60s", body, durable)
""",
    ),
    "expiry": (
        """
resize.apply_async(("a.jpg",), expires=60)
""",
        """
until = pika.BasicProperties(delivery_mode=2, expiration="60000")
channel.basic_publish("", "resize", body, until)
""",
    ),
    "time-limits": (
        """
@app.task(soft_time_limit=60, time_limit=65)
def resize(path):
    ...
""",
        """
process = multiprocessing.Process(target=resize, args=(path,))
process.start()
process.join(60)
if process.is_alive():
    process.kill()
    process.join()
    failed("took longer than 60 seconds")
""",
    ),
    "priority": (
        """
app.conf.task_queues = [
    Queue("urgent", queue_arguments={"x-max-priority": 10})]
resize.apply_async(("a.jpg",), queue="urgent", priority=9)
""",
        """
channel.queue_declare("urgent", durable=True,
                      arguments={"x-max-priority": 10})
first = pika.BasicProperties(delivery_mode=2, priority=9)
channel.basic_publish("", "urgent", body, first)
""",
    ),
    "rate-limit": (
        """
@app.task(rate_limit="10/s")  # of each worker
def fetch(url):
    ...
""",
        """
next_at = 0.0

def on_message(channel, method, properties, body):
    global next_at
    connection.sleep(max(0.0, next_at - time.monotonic()))
    next_at = time.monotonic() + 0.1
    fetch(**json.loads(body))
    channel.basic_ack(method.delivery_tag)
""",
    ),
    "cancel": (
        """
app.control.revoke(task_id, terminate=True)
""",
        """
# the sender
channel.exchange_declare("cancel", "fanout")
channel.basic_publish("cancel", "", job_id.encode())

# each worker, beside its jobs
own = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(own, "cancel")
channel.basic_consume(own, lambda *told: cancelled.add(told[3].decode()),
                      auto_ack=True)

# each job, now and then
if job_id in cancelled:
    return
""",
    ),
    "progress": (
        """
@app.task(bind=True)
def resize_all(self, paths):
    for done, path in enumerate(paths):
        self.update_state(state="PROGRESS", meta={"done": done})
        resize(path)
""",
        """
def resize_all(job_id, paths):
    for done, path in enumerate(paths):
        requests.post(f"{API}/jobs/{job_id}", json={"done": done})
        resize(path)
""",
    ),
    "keep-result": (
        """
app.conf.result_backend = "db+postgresql://localhost/results"

@app.task(ignore_result=True)  # where nobody asks for it
def resize(path):
    ...
""",
        """
result = resize(**job["params"])
if job["keep"]:
    db.execute("INSERT INTO results (id, value) VALUES (%s, %s)",
               (job["id"], json.dumps(result)))
""",
    ),
    "inspect": (
        """
app.control.inspect().active()
""",
        """
# who asks
reply = channel.queue_declare("", exclusive=True).method.queue
channel.basic_publish("control", "", b"active",
                      pika.BasicProperties(reply_to=reply))
answers = []
for *_, body in channel.consume(reply, auto_ack=True, inactivity_timeout=1):
    if body is None:
        break
    answers.append(json.loads(body))

# each worker
def on_control(channel, method, properties, body):
    told = json.dumps({"worker": NAME, "active": list(running)}).encode()
    channel.basic_publish("", properties.reply_to, told)
""",
    ),
    "pool": (
        """
app.control.pool_grow(1, destination=["celery@one"])
""",
        """
def grow(n):
    for _ in range(n):
        threads.append(Thread(target=work, args=(jobs,)))
        threads[-1].start()
    channel.basic_qos(prefetch_count=len(threads))

def shrink(n):
    for _ in range(n):
        jobs.put(None)  # the thread that takes it ends
""",
    ),
    "callback": (
        """
resize.apply_async(("a.jpg",), link=notify.s(), link_error=alarm.s())
""",
        """
job = {"path": "a.jpg", "then": "notify", "or_else": "alarm"}
publish("resize", job)

# the worker
try:
    publish(job["then"], {"result": resize(job["path"])})
except Exception as error:
    publish(job["or_else"], {"error": str(error)})
""",
    ),
    "group": (
        """
group(resize.s(path) for path in paths).delay()
""",
        """
for path in paths:
    publish("resize", {"path": path, "group": group_id})
""",
    ),
    "chain": (
        """
chain(fetch.s(url), resize.s(), store.s()).delay()
""",
        """
publish("fetch", {"value": url, "slip": ["resize", "store"]})

# each worker
value = run(job["value"])
if job["slip"]:
    publish(job["slip"][0], {"value": value, "slip": job["slip"][1:]})
""",
    ),
    "chord": (
        """
chord((resize.s(path) for path in paths), pack.s()).delay()
""",
        """
# the worker, at the end of each job of the group
with db.begin():
    db.execute("INSERT INTO results (group_id, job_id, value)"
               " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
               (group_id, job_id, value))
    # the lock makes one of two last jobs see the other
    db.execute("SELECT 1 FROM groups WHERE id = %s FOR UPDATE", (group_id,))
    results = db.fetch("SELECT value FROM results WHERE group_id = %s",
                       (group_id,))
if len(results) == job["size"]:
    publish("pack", {"id": group_id, "values": results})
""",
    ),
    "map": (
        """
@app.task(bind=True)
def dmap(self, paths, each):
    raise self.replace(group(each.clone((path,)) for path in paths))

chain(list_paths.s(), dmap.s(resize.s())).delay()
""",
        """
# the worker that has listed the paths
for path in list_paths():
    publish("resize", {"path": path, "group": group_id})
""",
    ),
    "periodic": (
        """
app.conf.beat_schedule = {
    "report": {"task": "report", "schedule": crontab(hour=8, minute=0)}}
""",
        "",
    ),
}
"""By the feature's id: Celery's, and by hand; "" where it is not worth doing by hand."""
