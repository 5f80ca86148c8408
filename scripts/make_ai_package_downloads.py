"""Cut a tidy history of Python package downloads down to the table that the demo carries.

    python scripts/make_ai_package_downloads.py ai_packages_30d_downloads_monthly.csv ingest/data/ai_package_downloads.csv

The history has columns snapshot, package, downloads_30d, list_len and cutoff_downloads, one row a package that a snapshot of
hugovk/top-pypi-packages holds. What stays: packages that the catalogue names, snapshots of the years that the gap is shown for.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from counterpoise.series.load import load_catalogue
from ingest.releases.sources.parse.pypi import SERIES

FROM = "2022-01-01"
COLUMNS = ("snapshot", "package", "downloads_30d", "list_len", "cutoff_downloads")
HEADER = """\
# Downloads of Python packages in the period of each snapshot, about a month (downloads_30d, whatever its length): PyPI download
# statistics (public), from the monthly lists of hugovk/top-pypi-packages @ 5501c5c9. Only packages that the series pypi-edge-share
# names. list_len is how many packages the snapshot holds, cutoff_downloads the downloads of the last of them: a package that is not
# in it has fewer.
"""


def main(source: str, target: str) -> None:
    series = load_catalogue()[SERIES]
    named = {name for one in series.lists for name in (*one.by_name, *one.excluded_names)}
    with Path(source).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["snapshot"] >= FROM]
    kept = sorted(
        (row for row in rows if series.owner_of(row["package"]) in named),
        key=lambda row: (row["snapshot"], row["package"]),
    )
    lines = [",".join(COLUMNS), *(",".join(row[name] for name in COLUMNS) for row in kept)]
    Path(target).write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
