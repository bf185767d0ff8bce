"""Photos of twelve megapixels through each transport: ten, and sixty among the long tests."""

import io
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from PIL import Image

from harness import proc
from harness.lab import Lab
from harness.node import RabbitNode
from tests.pictures import encode, photo
from tests.vhosts import make_vhost

FEW, MANY = 10, 60
MOST_GROWTH = 100 * 1024 * 1024
ORIENTATION = 6  # stored on its side: shown upright it is 3000 wide and 4000 high


@pytest.fixture(scope="module")
def roomy_lab(tmp_path_factory: pytest.TempPathFactory, node: RabbitNode) -> Iterator[Lab]:
    """A lab of its own, whose memory nobody else uses."""
    with Lab(tmp_path_factory.mktemp("lab"), make_vhost(node)) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


@pytest.fixture(scope="module")
def memory_before(roomy_lab: Lab) -> int:
    """What the API held before it saw an image."""
    return _memory(roomy_lab)


@pytest.fixture(
    scope="module", params=[FEW, pytest.param(MANY, marks=pytest.mark.faults)], ids=["ten", "sixty"]
)
def uploads(request: pytest.FixtureRequest, roomy_lab: Lab, memory_before: int) -> list[str]:
    """The ids of uploads, each tenth a PNG, the others JPEG on its side with EXIF."""
    exif = Image.Exif()
    exif[0x0112] = ORIENTATION
    exif[0x010F] = "A camera that nobody needs to know"
    picture = photo()
    jpeg = encode(picture, "JPEG", quality=85, exif=exif)
    png = encode(picture, "PNG", compress_level=1)
    ids: list[str] = []
    for start in range(0, request.param, 10):
        files = [
            ("files", (f"{i}.jpg", io.BytesIO(jpeg if i % 10 else png))) for i in range(start, start + 10)
        ]
        answer = roomy_lab.session.post(f"{roomy_lab.url}/api/images", files=files, timeout=120)
        assert answer.status_code == 201, answer.text
        ids += [image["id"] for image in answer.json()["images"]]
    return ids


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_photos_of_twelve_megapixels_come_out_right_and_pass_the_api_by(
    roomy_lab: Lab, memory_before: int, uploads: list[str], method: str
) -> None:
    body = {"method": method, "images": uploads, "operation": {"name": "grayscale"}}
    group = roomy_lab.session.post(f"{roomy_lab.url}/api/groups", json=body, timeout=30).json()["group"]
    peak = _memory(roomy_lab)
    deadline = time.monotonic() + 150
    while (now := _group(roomy_lab, group["id"]))["share"] < 1:
        peak = max(peak, _memory(roomy_lab))
        assert time.monotonic() < deadline, now["counts"]
        assert not now["counts"]["FAILED"], next(t["error"] for t in now["tasks"] if t["error"])
        time.sleep(0.2)
    archive = roomy_lab.session.get(f"{roomy_lab.url}{group['archive_url']}", timeout=120)
    peak = max(peak, _memory(roomy_lab))
    assert peak - memory_before < MOST_GROWTH, f"{(peak - memory_before) / 2**20:.0f} MiB"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as made:
        assert made.testzip() is None
        names = made.namelist()
        assert len(names) == len(uploads)
        for name in names:
            with Image.open(io.BytesIO(made.read(name))) as image:
                assert image.mode == "L"
                assert image.format == ("JPEG" if name.endswith(".jpg") else "PNG")
                assert image.size == ((3000, 4000) if name.endswith(".jpg") else (4000, 3000))
                assert not image.getexif()


def _group(lab: Lab, group_id: str) -> dict[str, Any]:
    group: dict[str, Any] = lab.session.get(f"{lab.url}/api/groups/{group_id}", timeout=30).json()["group"]
    return group


def _memory(lab: Lab) -> int:
    """Bytes that the API's processes hold of their own, together: without files that they map."""
    told = (psutil.Process(pid).memory_info() for pid in proc.family(lab.api.pid))
    return sum(one.rss - one.shared for one in told)
