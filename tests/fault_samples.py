"""Documents of fault runs that are made up, as the engine tells them."""

import json
import sys
from typing import Any

from api.services import Services
from faults.document import ARMS
from faults.judge import NOWHERE


def a_document(*arms: str, card: str = "worker-killed", jobs: int = 60, **changes: Any) -> dict[str, Any]:
    """A run of `jobs` jobs by each of `arms`, whose naive ones lost the third job, and whose safe ones ran the fourth
    one twice."""
    arms = arms or ARMS
    lost, doubled = 2, 3
    marks = {}
    for arm in arms:
        naive, told = arm.endswith(":naive"), []
        for job in range(jobs):
            begin = job / 6 if job / 6 < 4 else job / 6 + 3
            runs = [[begin, begin + 0.2, "worker-1"]]
            status = "done"
            if naive and job == lost:
                status, runs = "lost", [[begin, None, "worker-1"]]
            if not naive and job == doubled:
                status, runs = "doubled", [*runs, [begin + 6, begin + 6.2, "worker-2"]]
            history = [[begin, "IN_PROGRESS", 1, "worker-1"]]
            mark = {
                "job": job + 1,
                "status": status,
                "at": runs[-1][1] or begin,
                "runs": runs,
                "history": history,
            }
            told.append(mark | ({"where": NOWHERE} if status == "lost" else {}))
        marks[arm] = told
    document = {
        "schema_version": 1,
        "id": "made-up",
        "card": card,
        "status": "DONE",
        "seed": 1,
        "jobs": jobs,
        "seconds": 0.2,
        "strength": 1.0,
        "prediction": {},
        "created_at": "2026-11-29T08:00:00.000000Z",
        "begun_at": "2026-11-29T08:00:05.000000Z",
        "ended_at": "2026-11-29T08:00:20.000000Z",
        "phases": {"baseline": [0.0, 4.0], "fault": [4.0, 7.0], "recovery": [7.0, 13.5]},
        "arms": {
            arm: {
                "accepted": jobs,
                "confirmed": jobs,
                "done_once": jobs - 1,
                "lost": int(arm.endswith(":naive")),
                "doubled": int(not arm.endswith(":naive")),
                "recovered": int(not arm.endswith(":naive")),
                "first_success_s": 3.2,
                "longest_gap_s": 3.1,
                "recovery_ratio": 0.97,
            }
            for arm in arms
        },
        "marks": marks,
        "depth": {arm: [[0.0, jobs], [4.0, jobs - 24], [7.0, jobs - 24], [13.4, 0]] for arm in arms},
        "agrees": True,
        "disagreements": [],
        "versions": {"python": "3.11"},
        "error": None,
    }
    return {**document, **changes}


ENGINE = """
import json, signal, sys, time
document, ends = json.loads(sys.argv[1]), sys.argv[2]
target = sys.argv[sys.argv.index("--progress-file") + 1]
def tell(**changes):
    document.update(changes)
    with open(target, "w") as file:
        json.dump(document, file)
def stop(*_):
    tell(status="CANCELLED")
    sys.exit(130)
signal.signal(signal.SIGTERM, stop if ends != "deaf" else signal.SIG_IGN)
if ends == "fails":
    sys.exit("no room for a broker")
tell(status="IN_PROGRESS")
while ends != "done":
    time.sleep(0.02)
tell(status="DONE")
"""


def an_engine(document: dict[str, Any], ends: str = "done") -> tuple[str, ...]:
    """A command in the engine's place, which tells `document` and then `ends`: "done", "fails", "waits" until it is
    asked to end, or is "deaf" to that."""
    return (sys.executable, "-c", ENGINE, json.dumps(document), ends)


def keep(parts: Services, document: dict[str, Any], prediction: dict[str, Any] | None = None) -> str:
    """Stores `document` as that of a run that is done, and returns the run's id."""
    names = ("card", "jobs", "seconds", "seed", "strength")
    plan = {name: document[name] for name in names} | {"arms": list(document["arms"])}
    (run_id,) = parts.faults.rows.add([plan | {"prediction": prediction or {}}])
    parts.faults.rows.claim()
    parts.faults.rows.finish(run_id, "DONE", None, document)
    return run_id
