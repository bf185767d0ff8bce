"""Paths from an S3 bucket, from a folder and from hosts, fetched by real workers, each by its scheme."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.lab import Lab
from harness.node import RabbitNode
from tests import flows
from tests.https_server import HTTPSServer
from tests.local_server import S3_LOGIN, s3_server
from tests.vhosts import make_vhost

OBJECTS = {f"texts/{n:02}.txt": f"object {n}\nof a bucket\n".encode() for n in range(7)}
PAGE = b"a page of another host\n"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server with the buckets `open` and `closed`."""
    with s3_server(OBJECTS, "open", "closed") as url:
        yield url


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HTTPSServer]:
    with HTTPSServer(tmp_path_factory.mktemp("web"), {"/page.txt": PAGE}) as server:
        yield server


@pytest.fixture(scope="module")
def cloud_lab(
    tmp_path_factory: pytest.TempPathFactory, node: RabbitNode, s3: str, web: HTTPSServer
) -> Iterator[Lab]:
    """A lab that may read the bucket `open`, the host `localhost` and a folder with one file."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "note.txt").write_bytes(b"a note\n")
    env = {
        "LAB_FILES": str(folder),
        "LAB_S3_ENDPOINT": s3,
        "LAB_S3_BUCKETS": "open",
        "LAB_DOWNLOAD_HOSTS": "localhost",
        **S3_LOGIN,
        "REQUESTS_CA_BUNDLE": str(web.certificate),
    }
    host = make_vhost(node)
    with Lab(tmp_path_factory.mktemp("lab"), host, env=env) as running:
        running.start_celery(concurrency=2)
        running.start_consumer(concurrency=2)
        yield running


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_map_fetches_each_object_below_a_prefix(cloud_lab: Lab, method: str) -> None:
    sent = flows.send(cloud_lab, "map", method, source={"bucket": "s3://open/texts"})
    done = flows.wait_for(cloud_lab, sent["id"])
    fetched = [flows.fetched(f"s3://open/{key}", raw) for key, raw in OBJECTS.items()]
    assert flows.without_task(done["result"]) == fetched


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
def test_a_conditional_map_fetches_each_path_by_what_its_scheme_asks_for(
    cloud_lab: Lab, web: HTTPSServer, method: str
) -> None:
    contents = {
        "s3://open/texts/03.txt": OBJECTS["texts/03.txt"],
        f"{web.url}/page.txt": PAGE,
        "file:///note.txt": b"a note\n",
        "data:,inline": b"inline",
    }
    sent = flows.send(cloud_lab, "conditional_map", method, source={"paths": list(contents)})
    done = flows.wait_for(cloud_lab, sent["id"])
    kinds = [node["kind"] for node in done["nodes"] if node["name"].startswith("item-")]
    assert kinds == ["download_s3", "download_web", "download_file", "download_data"]
    text = flows.listing([flows.fetched(path, raw) for path, raw in contents.items()])
    assert flows.file_of(cloud_lab, done) == text


@pytest.mark.parametrize("method", ["celery", "rabbitmq"])
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("s3://closed/texts/00.txt", "NotAllowed: the bucket 'closed' is not open"),
        ("s3://open/none.txt", "BadPath: there is no such file"),
        ("https://127.0.0.1/x", "NotAllowed: "),
        ("file:///../lab.sqlite3", "NotAllowed: "),
    ],
)
def test_what_is_not_open_fails_for_good_and_says_why(
    cloud_lab: Lab, method: str, path: str, reason: str
) -> None:
    sent = flows.send(cloud_lab, "group", method, source={"paths": [path]})
    failed = flows.wait_for(cloud_lab, sent["id"], "FAILED", timeout=10)
    assert failed["error"].startswith(f"download-1 failed: {reason}")


def test_a_closed_bucket_is_not_listed(cloud_lab: Lab) -> None:
    sent = flows.send(cloud_lab, "map", "rabbitmq", source={"bucket": "s3://closed/"})
    failed = flows.wait_for(cloud_lab, sent["id"], "FAILED", timeout=10)
    assert failed["error"].startswith("list failed: NotAllowed")


@pytest.mark.slow
def test_an_s3_server_that_is_away_is_tried_again(tmp_path: Path, node: RabbitNode) -> None:
    env = {"LAB_S3_ENDPOINT": "http://127.0.0.1:1", "LAB_S3_BUCKETS": "open"}
    host = make_vhost(node)
    with Lab(tmp_path, host, env={**env, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}) as lab:
        lab.start_consumer(concurrency=1)
        sent = flows.send(lab, "group", "rabbitmq", source={"paths": ["s3://open/a.txt"]})
        flows.wait_for_node(lab, sent["id"], "download-1", "RETRYING")
