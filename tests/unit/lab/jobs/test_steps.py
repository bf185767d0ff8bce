"""The steps of workflows as plain functions: what they fetch, what they refuse, what they make."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from lab.job import Job
from lab.jobs.context import Context
from lab.jobs.steps import (
    count_words,
    dmap,
    download,
    download_file,
    download_web,
    list_paths,
    merge_files,
    write_paths,
)
from lab.jobs.steps.download import BadPath, TooMuch
from lab.jobs.steps.paths import NothingFound
from lab.jobs.steps.stores import NotAllowed
from lab.places import Places
from tests import flows
from tests.https_server import HTTPSServer


class Kept:
    """The API's files, in memory: the task in hand is `task_id`."""

    def __init__(self) -> None:
        self.task_id = "t0"
        self.kept: dict[str, bytes] = {}

    def next(self) -> None:
        self.task_id = f"t{len(self.kept)}"

    def fetch(self, target: Path) -> None:
        raise AssertionError("steps work on no upload")

    def fetch_from(self, task_id: str, target: Path) -> None:
        target.write_bytes(self.kept[task_id])

    def deliver(self, source: Path, part: str = "result") -> None:
        assert part == "result"
        self.kept[self.task_id] = source.read_bytes()


class Asked:
    """The API, which knows a table of paths and makes nodes."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if path == "paths":
            return {"paths": ["file:///a.txt", "file:///b.txt"]}
        assert body is not None
        return {"nodes": [{"node": f"item-{n}", "job": {}} for n, _ in enumerate(body["items"], 1)]}


@pytest.fixture
def files() -> Kept:
    return Kept()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "open"
    (base / "notes").mkdir(parents=True)
    (base / "a.txt").write_bytes(b"One  two\r\ntwo three \n")
    (base / "notes/b.txt").write_bytes("Zwölf\u0301 Boxkämpfer".encode())
    (tmp_path / "secret.txt").write_text("secret")
    (base / "way-out").symlink_to(tmp_path / "secret.txt")
    (base / "way-out-too").symlink_to(tmp_path)
    return base


def context(folder: Path, files: Kept, **places: Any) -> Context:
    return Context(1, files=files, api=Asked(), places=Places(folder=folder, **places))


def test_a_table_a_folder_and_paths_are_listed(folder: Path, files: Kept) -> None:
    here = context(folder, files)
    assert list_paths(here, {"table": "samples"}) == ["file:///a.txt", "file:///b.txt"]
    assert list_paths(here, {"folder": ""}) == ["file:///a.txt", "file:///notes/b.txt"]
    assert list_paths(here, {"folder": "notes"}) == ["file:///notes/b.txt"]
    assert list_paths(here, {"paths": ["x", "y"]}, count=5) == ["x", "y", "x", "y", "x"]


@pytest.mark.parametrize("name", ["..", "notes/../..", "way-out-too"])
def test_a_folder_outside_is_not_listed(folder: Path, files: Kept, name: str) -> None:
    with pytest.raises(NotAllowed):
        list_paths(context(folder, files), {"folder": name})


def test_a_folder_that_is_none_fails(folder: Path, files: Kept) -> None:
    with pytest.raises(NothingFound):
        list_paths(context(folder, files), {"folder": "nowhere"})


def test_a_file_is_fetched_and_delivered(folder: Path, files: Kept) -> None:
    told = download(context(folder, files), "file:///a.txt")
    raw = (folder / "a.txt").read_bytes()
    assert told == {**flows.fetched("file:///a.txt", raw), "task": "t0"}
    assert files.kept["t0"] == raw


def test_of_a_list_the_path_at_the_index_is_taken(folder: Path, files: Kept) -> None:
    paths = ["file:///a.txt", "data:,x"]
    here = context(folder, files)
    assert [download(here, paths, index)["path"] for index in (0, 1, 2)] == [*paths, paths[0]]


@pytest.mark.parametrize(
    "path",
    [
        "file:///../secret.txt",
        "file:///%2e%2e/secret.txt",
        "file:///way-out",
        "file:///way-out-too/secret.txt",
    ],
)
def test_no_path_and_no_link_leads_out_of_the_folder(folder: Path, files: Kept, path: str) -> None:
    with pytest.raises(NotAllowed):
        download(context(folder, files), path)
    assert not files.kept


@pytest.mark.parametrize(
    "path",
    ["file://host/a.txt", "file:///none.txt", "file:///notes", "ftp://host/a", "a.txt", "http://host/a"],
)
def test_a_path_that_names_nothing_to_fetch_fails_for_good(folder: Path, files: Kept, path: str) -> None:
    with pytest.raises(BadPath):
        download(context(folder, files), path)


def test_a_step_of_one_scheme_takes_no_other(folder: Path, files: Kept) -> None:
    with pytest.raises(BadPath):
        download_file(context(folder, files), "data:,x")


def test_a_file_that_is_too_large_is_not_taken(folder: Path, files: Kept) -> None:
    with pytest.raises(TooMuch):
        download(context(folder, files, most_bytes=5), "file:///a.txt")
    assert not files.kept


@pytest.mark.parametrize("path", ["https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x"])
def test_a_host_that_is_not_named_is_not_asked(folder: Path, files: Kept, path: str) -> None:
    with pytest.raises(NotAllowed, match="LAB_DOWNLOAD_HOSTS"):
        download_web(context(folder, files, hosts=("example.org",)), path)


def test_a_bucket_that_is_not_named_is_not_read(folder: Path, files: Kept) -> None:
    with pytest.raises(NotAllowed, match="LAB_S3_BUCKETS"):
        download(context(folder, files, buckets={"s3": ("open",)}), "s3://closed/a.txt")


@pytest.mark.parametrize(
    ("scheme", "protocol", "setting"),
    [("gcp", "gs", "LAB_GCP_BUCKETS"), ("azure", "abfs", "LAB_AZURE_CONTAINERS")],
)
def test_an_object_of_another_store_is_taken_where_its_bucket_is_open_and_its_package_there(
    folder: Path, files: Kept, scheme: str, protocol: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{scheme}://open/notes/a.txt"
    with pytest.raises(NotAllowed, match=setting):
        download(context(folder, files), path)
    here = context(folder, files, buckets={scheme: ("open",)})
    with pytest.raises(NotAllowed, match="pip install"):
        download(here, path)
    monkeypatch.setattr(fsspec, "filesystem", lambda *_, **__: MemoryFileSystem())
    MemoryFileSystem().pipe("open/notes/a.txt", b"an object")
    assert download(here, path)["bytes"] == 9
    assert list_paths(here, {"bucket": f"{scheme}://open/notes"}) == [path]


def test_words_are_counted_in_the_normalised_text(folder: Path, files: Kept) -> None:
    here = context(folder, files)
    for place, path in enumerate(("file:///a.txt", "file:///notes/b.txt")):
        files.task_id = f"source-{place}"
        fetched = download(here, path)
        files.task_id = f"counted-{place}"
        told = count_words(here, fetched)
        raw = files.kept[f"source-{place}"]
        assert flows.without_task(told) == flows.counted(path, raw)
        assert files.kept[f"counted-{place}"].decode() == flows.normalised(raw)


def test_paths_are_written_and_files_merged_in_their_order(folder: Path, files: Kept) -> None:
    here, fetched = context(folder, files), []
    for place, path in enumerate(("file:///notes/b.txt", "file:///a.txt")):
        files.task_id = f"source-{place}"
        fetched.append(download(here, path))
    files.task_id = "list"
    assert write_paths(here, fetched)["files"] == 2
    assert files.kept["list"].decode() == flows.listing(fetched)
    files.task_id = "merged"
    merge_files(here, fetched)
    raws = [(one["path"], files.kept[one["task"]]) for one in fetched]
    assert files.kept["merged"].decode() == flows.merged(raws)


def test_nothing_makes_an_empty_file(folder: Path, files: Kept) -> None:
    assert write_paths(context(folder, files), [])["bytes"] == 0
    assert files.kept["t0"] == b""


def test_dmap_returns_the_names_of_the_tasks_that_the_api_made(folder: Path, files: Kept) -> None:
    assert dmap(context(folder, files), ["x", "y"]) == ["item-1", "item-2"]


@pytest.mark.parametrize(
    ("kind", "params", "name"),
    [
        ("download", {"index": 1}, "path"),
        ("count_words", {}, "file"),
        ("write_paths", {}, "files"),
        ("failing_step", {}, "given"),
        ("dmap", {}, "items"),
    ],
)
def test_a_step_s_first_parameter_takes_what_the_one_before_returned(
    kind: str, params: dict[str, Any], name: str
) -> None:
    job = Job(task_id="x", num=1, kind=kind, params=params)
    assert job.with_input("given").params == {**params, name: "given"}


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an HTTPS server on this machine, whose certificate is trusted."""
    redirects = {"/out": "https://elsewhere.example/x", "/plain": "http://localhost/x", "/round": "/round"}
    redirects |= {"/odd": "https://127.0.0.1\\@localhost/x", "/user": "https://user@localhost/x"}
    with HTTPSServer(tmp_path, {"/a.txt": b"from afar"}, redirects) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        yield server.url


def test_an_allowed_host_is_asked_over_https(folder: Path, files: Kept, web: str) -> None:
    here = context(folder, files, hosts=("localhost",))
    assert download(here, f"{web}/a.txt")["bytes"] == 9
    assert files.kept["t0"] == b"from afar"


@pytest.mark.parametrize(
    "path",
    [
        "https://127.0.0.1:{port}\\@localhost/a.txt",
        "https://127.0.0.1:{port}\\.localhost/a.txt",
        "https://localhost:{port}\\a.txt",
        "https://user@localhost:{port}/a.txt",
        "https://localhost@127.0.0.1:{port}/a.txt",
        "https://localhost:{port}@127.0.0.1:{port}/a.txt",
        "https://127.0.0.1:{port}#@localhost/a.txt",
        "https://127.0.0.1:{port}/a.txt?@localhost",
        "https://[::1/a.txt",
        "https:///a.txt",
    ],
)
def test_an_address_is_judged_as_it_would_be_asked(folder: Path, files: Kept, web: str, path: str) -> None:
    here = context(folder, files, hosts=("localhost",))
    with pytest.raises((NotAllowed, ValueError)):
        download_web(here, path.format(port=web.rpartition(":")[2]))


@pytest.mark.parametrize("path", ["/out", "/plain", "/odd", "/user"])
def test_a_redirect_leads_to_allowed_hosts_over_https_only(
    folder: Path, files: Kept, web: str, path: str
) -> None:
    with pytest.raises(NotAllowed):
        download(context(folder, files, hosts=("localhost",)), web + path)


@pytest.mark.parametrize("path", ["/round", "/missing"])
def test_what_an_allowed_host_has_not_fails_for_good(folder: Path, files: Kept, web: str, path: str) -> None:
    with pytest.raises(BadPath):
        download(context(folder, files, hosts=("localhost",)), web + path)
