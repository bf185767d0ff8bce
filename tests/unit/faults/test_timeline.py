import re
import xml.etree.ElementTree as ET
from dataclasses import replace

from experiments.charts import SLIM, WIDE
from faults.document import FaultDocument, FaultPlan, FaultStatus, new_document
from faults.timeline import draw, legend, seconds_table, throughput
from tests.fault_samples import a_document

RUN = FaultDocument.model_validate(a_document("celery:naive", "celery:safe", jobs=24))


def test_each_job_has_a_mark_whose_form_says_what_became_of_it() -> None:
    svg = draw(RUN, WIDE, link=lambda arm, job: f"?arm={arm}&job={job}")
    root = ET.fromstring(svg)
    marks = [link.find("path") for link in root.iter("a")]
    assert len(marks) == 48
    forms = {mark.get("d") for mark in marks if mark is not None}
    assert len(forms) == 3  # done, lost, ran twice
    assert "lost 1" in (root.find("desc").text or "")  # type: ignore[union-attr]
    assert svg.count('tabindex="-1"') == 48


def test_the_band_of_a_fault_that_goes_on_reaches_to_the_end() -> None:
    going = RUN.model_copy(update={"status": FaultStatus.IN_PROGRESS, "phases": {"fault": (2.0, None)}})
    bands = re.findall(
        r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="[\d.]+" fill="url', draw(going, WIDE)
    )
    assert [float(left) + float(width) for left, width in bands] == [WIDE.width - 8]


def test_a_run_of_which_nothing_is_known_has_empty_lanes() -> None:
    blank = new_document(FaultPlan(card="deploy"), "none", "2026-11-29T08:00:00.000000Z")
    ET.fromstring(draw(blank, replace(SLIM, prefix="p")))
    assert len(seconds_table(blank).rows) == 1


def test_ends_are_counted_by_the_second_they_fell_into() -> None:
    assert sum(throughput(RUN, "celery:safe")) == 25
    assert len({mark for _name, mark, _words in legend()}) == 5
