"""One repetition's samples, worked up into its figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from experiments import curves
from experiments.histogram import Histogram
from experiments.marks import clock_offset, sending_of
from experiments.model import METRICS, Disturbance, Figures, Sample, Spread, Usage
from experiments.plan import Plan, Reports
from experiments.words import PART_TITLES, POINT_TITLES, title_of, unit_of
from lab.status import TaskStatus

UNDISTURBED: Final = Disturbance()
ENDED: Final = frozenset({TaskStatus.DONE.value, TaskStatus.FAILED.value})
ENOUGH: Final = {"p90": 100, "p99": 1_000, "p999": 10_000}
"""How many jobs a percentile needs: with fewer it is hardly more than the longest one."""

CLIENTS: Final = ("workers", "publisher")
"""The parts whose connections carry the method's own traffic."""

KEYS: Final = (
    "throughput",
    *(f"{metric}.{point}" for metric in METRICS for point in POINT_TITLES),
    *(f"cpu.{part}" for part in PART_TITLES),
    *(f"memory.{part}" for part in PART_TITLES),
    "per_job.bytes",
)
TITLES: Final = {key: (title_of(key), unit_of(key)) for key in KEYS}
"""Each figure's English title and the unit it is shown in (memory is stored in bytes, shown in MiB)."""


def end_us(sample: Sample, reports: Reports) -> int | None:
    """When a job had ended: by its worker's stamp, or when the API stored it where that is in the path."""
    return sample.finished_us if reports is Reports.BESIDE else sample.recorded_us


def spans_of(sample: Sample, reports: Reports) -> dict[str, int]:
    """The spans of one job, in microseconds, by metric; those that it did not come to are missing, and "report"
    where nothing waited for it.

    Two machines' clocks may differ by more than a short span takes: what would be negative counts as 0.
    """
    begun, ended = sample.started_us, sample.finished_us
    asked = round(sample.seconds * 1_000_000)
    spans = {
        "submit": sample.submit_us,
        "publish": _between(sample.due_us, sample.published_us),
        "queue": _between(sample.published_us, begun),
        "overhead": _between(None if begun is None else begun + asked, ended),
        "report": _between(ended, sample.recorded_us) if reports is Reports.IN_PATH else None,
        "end_to_end": _between(sample.due_us, end_us(sample, reports)),
    }
    return {metric: span for metric, span in spans.items() if span is not None}


def figures_of(
    samples: Sequence[Sample],
    plan: Plan,
    begun_us: int,
    usage: Mapping[str, Usage],
    disturbance: Disturbance = UNDISTURBED,
) -> Figures:
    """The figures of one arm in one repetition.

    Args:
        plan: what was asked for; its deadline ends the curves of a repetition that lost jobs, and its reports say
            when a job had ended.
        begun_us: when the repetition began, in microseconds since the epoch.
        usage: by part, as `Figures.usage` has it.
        disturbance: what came from outside.

    Spreads are of the jobs that ended; those that were lost have no latency, and are counted instead.
    """
    ended = [sample for sample in samples if has_ended(sample, plan.reports)]
    ends = [end for sample in ended if (end := end_us(sample, plan.reports)) is not None]
    last = max(ends, default=begun_us)
    took = max(0, last - min((sample.due_us for sample in samples), default=begun_us)) / 1e6
    spans = [spans_of(sample, plan.reports) for sample in ended]
    histograms = {metric: Histogram(span[metric] for span in spans if metric in span) for metric in METRICS}
    lost = len(samples) - len(ended)
    horizon = begun_us + round(plan.deadline * 1e6) if lost and not ends else last
    return Figures(
        jobs=len(samples),
        seconds=took,
        throughput=len(ended) / took if took else 0.0,
        spreads={metric: _spread(found) for metric, found in histograms.items() if found.count},
        usage=dict(usage),
        per_job=_per_job(usage, len(samples)),
        per_worker=dict(sorted(Counter(s.worker for s in ended if s.worker is not None).items())),
        failed=sum(sample.status == TaskStatus.FAILED.value for sample in ended),
        retries=sum(sample.retries for sample in samples),
        duplicates=sum(max(0, sample.attempts - 1 - sample.retries) for sample in samples),
        lost=lost,
        disturbance=disturbance,
        clock_offset=clock_offset(samples, disturbance.clock_offset),
        **sending_of(samples, plan, begun_us),
        done_curve=curves.done(ends, len(samples), begun_us),
        throughput_curve=curves.throughput(ends, begun_us),
        depth_curve=curves.depth(samples, begun_us, horizon),
        latency_curve=[(share, us / 1000) for share, us in histograms["end_to_end"].curve()],
    )


def has_ended(sample: Sample, reports: Reports) -> bool:
    """Whether the job came to an end of its own, DONE or FAILED, and the API heard of it."""
    return sample.status in ENDED and end_us(sample, reports) is not None


def values_of(figures: Figures) -> dict[str, float]:
    """Every figure of `KEYS` that this repetition has, by key; memory in bytes, CPU time in ms a job."""
    values = {"throughput": figures.throughput}
    for metric, spread in figures.spreads.items():
        values |= {
            f"{metric}.{point}": getattr(spread, point)
            for point in POINT_TITLES
            if spread.count >= ENOUGH.get(point, 0)
        }
    for part, used in figures.usage.items():
        if used.cpu_seconds is not None and figures.jobs:
            values[f"cpu.{part}"] = used.cpu_seconds * 1000 / figures.jobs
        if used.memory is not None:
            values[f"memory.{part}"] = float(used.memory)
    values |= {f"per_job.{unit}": value for unit, value in figures.per_job.items()}
    return {key: values[key] for key in KEYS if key in values}


def _between(begin: int | None, end: int | None) -> int | None:
    return None if begin is None or end is None else max(0, end - begin)


def _spread(histogram: Histogram) -> Spread:
    points = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}
    found = histogram.at(points.values())
    return Spread(
        count=histogram.count,
        mean=histogram.mean / 1000,
        max=histogram.max / 1000,
        **{point: found[percentile] / 1000 for point, percentile in points.items()},
    )


def _per_job(usage: Mapping[str, Usage], jobs: int) -> dict[str, float]:
    parts = [usage[part] for part in CLIENTS if part in usage]
    carried = _sum(count for part in parts for count in (part.bytes_in, part.bytes_out))
    return {"bytes": carried / jobs} if carried is not None and jobs else {}


def _sum(counts: Iterable[int | None]) -> int | None:
    seen = list(counts)
    known = [count for count in seen if count is not None]
    return sum(known) if seen and len(known) == len(seen) else None
