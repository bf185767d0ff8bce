"""Runs the benchmarks, prints one table, and writes `benchmarks/results/latest.json`."""

import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path

from benchmarks import page

RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    """All suites in one go; 0 when they ran."""
    rows, ratios = page.run()
    machine = {
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{
            name: importlib.metadata.version(name)
            for name in ("celery", "pika", "flask", "sqlalchemy", "gunicorn")
        },
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"ratios": ratios, "rows": rows, "machine": machine}, indent=2) + "\n")
    width = max(len(row["figure"]) for row in rows)
    for row in rows:
        print(f"{row['figure']:<{width}}  {row['value']:>10.3f} {row['unit']}")
    for name, value in ratios.items():
        print(f"{name:<{width}}  {value:>10.3f}")
    print(f"written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
