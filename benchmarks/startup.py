"""How soon maskwright answers: import, --help, and (with --install) from nothing to the first mask.

python benchmarks/startup.py [--install]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from writing import HERE, table, write_page

FIRST_MASK = "import sys; from maskwright.assemble.showcase import Showcase; from pathlib import Path;" \
             " p = Path(sys.argv[1]); p.mkdir(); Showcase(p).segment()"  # fmt: skip


def median_ms(command: list[str], times: int = 10) -> float:
    """Milliseconds of the whole process, median of `times`."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def install() -> dict[str, Any]:
    """A fresh virtual environment, `pip install .`, the first mask: seconds of each, and MB of wheels."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
        pip = [str(folder / "env/bin/pip"), "--disable-pip-version-check"]
        began = time.perf_counter()
        subprocess.run([*pip, "install", "-q", str(HERE.parent)], check=True)
        installed = time.perf_counter()
        subprocess.run([str(folder / "env/bin/python"), "-c", FIRST_MASK, str(folder / "out")], check=True)
        masked = time.perf_counter()
        subprocess.run([*pip, "download", "-q", "-d", str(folder / "wheels"), str(HERE.parent)], check=True)
        size = sum(p.stat().st_size for p in (folder / "wheels").iterdir())
        return {"install_s": installed - began, "first_mask_s": masked - installed, "wheels_mb": size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true")
    args = parser.parse_args()
    python = sys.executable
    values: dict[str, Any] = {
        "python -c pass": median_ms([python, "-c", "pass"]),
        "import maskwright": median_ms([python, "-c", "import maskwright"]),
        "maskwright --help": median_ms([str(Path(python).parent / "maskwright"), "--help"]),
    }
    goals = {"import maskwright": "< 100", "maskwright --help": "< 200"}
    rows: list[list[Any]] = [[name, f"{ms:.0f} ms", goals.get(name, "")] for name, ms in values.items()]
    if args.install:
        found = install()
        values.update(found)
        rows += [
            ["pip install . (index to disk)", f"{found['install_s']:.0f} s", ""],
            ["first mask after that", f"{found['first_mask_s']:.1f} s", "both < 180 s"],
            ["wheels downloaded", f"{found['wheels_mb']:.0f} MB", "< 300"],
        ]
    body = "Whole processes, median of 10.\n\n" + table(("what", "reached", "goal"), rows)
    print(write_page("startup", "How soon it answers", body, values))


if __name__ == "__main__":
    main()
