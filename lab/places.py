"""Which places jobs may use: for the steps of a workflow one folder, named hosts, named buckets; a ledger."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent / "samples"


@dataclass(frozen=True)
class Places:
    """What an operator has opened; nothing else is read, whatever a path says.

    Attributes:
        folder: `file:///notes/a.txt` is `notes/a.txt` in this folder.
        hosts: the names of hosts that `https://` may ask.
        buckets: by the path's scheme, `s3`, `gcp` or `azure`, the buckets or containers that it may read, with the
            credentials that the store's own client finds by itself.
        s3_endpoint: the address of an S3 server that is not Amazon's.
        most_bytes: the size of the largest file that is taken.
        seconds: how long fetching one file may take.
        ledger: the file that timed jobs write their runs to.
    """

    folder: Path = SAMPLES
    hosts: tuple[str, ...] = ()
    buckets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    s3_endpoint: str | None = field(default=None)
    most_bytes: int = 20_000_000
    seconds: float = 60.0
    ledger: Path | None = None
