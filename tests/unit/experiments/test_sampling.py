import json
import zlib

from experiments.plan import PlannedJob
from experiments.sampling import pack, samples_of, unpack

BEGUN = 1_800_000_000_000_000
JOBS = [PlannedJob(at=0.0, seconds=0.01), PlannedJob(at=0.5, seconds=0.02), PlannedJob(at=1.0, seconds=0.0)]
TASK = {
    "num": 7, "status": "DONE", "attempt": 3, "worker": "w@h", "created_us": BEGUN + 1,
    "published_us": BEGUN + 2, "started_us": BEGUN + 3, "finished_us": BEGUN + 4,
}  # fmt: skip
EVENTS = [
    {"num": 7, "status": "RETRYING", "recorded_us": BEGUN + 3},
    {"num": 7, "status": "DONE", "recorded_us": BEGUN + 9},
]
BEGINS = {7: 2}
PENDING = {
    **TASK, "num": 8, "status": "PENDING", "attempt": 0, "worker": None, "published_us": None,
    "started_us": None, "finished_us": None,
}  # fmt: skip


def test_each_job_has_a_sample_whatever_became_of_it() -> None:
    done, waiting, unsent = samples_of(
        JOBS, BEGUN, [7, 8], [PENDING, TASK], EVENTS, BEGINS, {7: 450}, in_request=False
    )
    assert (done.index, done.due_us, done.recorded_us, done.attempts, done.retries) == (
        0,
        BEGUN,
        BEGUN + 9,
        2,  # its first message was only held by a worker that died
        1,
    )
    assert (done.submit_us, waiting.submit_us) == (450, None)
    assert (waiting.status, waiting.due_us, waiting.published_us, waiting.recorded_us) == (
        "PENDING",
        BEGUN + 500_000,
        None,
        None,
    )
    assert (unsent.index, unsent.status, unsent.attempts) == (2, "PENDING", 0)


def test_a_job_without_a_broker_counts_as_published_when_it_was_stored() -> None:
    (done, *_) = samples_of(JOBS, BEGUN, [7], [TASK], EVENTS, BEGINS, {7: 450}, in_request=True)
    assert done.published_us == BEGUN + 1


def test_packed_samples_come_back_as_they_were() -> None:
    samples = samples_of(JOBS, BEGUN, [7, 8], [PENDING, TASK], EVENTS, BEGINS, {7: 450}, in_request=False)
    assert unpack(pack(samples)) == samples
    assert unpack(pack([])) == []


def test_many_samples_take_little_room() -> None:
    samples = samples_of(
        JOBS[:1] * 10_000, BEGUN, [7] * 10_000, [TASK], EVENTS, BEGINS, {7: 450}, in_request=False
    )
    assert len(pack(samples)) < 30 * 10_000


def test_samples_of_former_versions_have_no_time_of_handing_over() -> None:
    (done, *_) = samples_of(JOBS, BEGUN, [7], [TASK], EVENTS, BEGINS, {7: 450}, in_request=True)
    columns = json.loads(zlib.decompress(pack([done])))
    del columns["submit_us"]
    (read,) = unpack(zlib.compress(json.dumps(columns).encode()))
    assert read == done.model_copy(update={"submit_us": None})
