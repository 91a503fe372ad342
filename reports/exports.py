"""All samples of a run as CSV or Parquet, with names instead of indices: for whoever asks what no report answers.

Written piece by piece, so that memory stays what it is however many samples there are. Nothing is summed up.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.record import OPERATOR, OUTCOMES, Samples
from reports.runfolder import FLEET, RunData

CHUNK: Final = 100_000
"""Samples at a time: a row group of Parquet."""
INSTALL: Final = "pip install 'fleetrush[parquet]'"

_TIMES: Final = ("due", "able", "sent", "done")
_NUMBERS: Final = ("status", "action", "attempt", "bytes_in", "bytes_out")
_DEVICE_FACTS: Final = {"department": "departments", "site": "sites", "model": "models"}

Names = tuple[str, ...]
Columns = dict[str, tuple[NDArray[Any], Names | None]]
"""By name: the numbers of a column, or the indices into its names; masked where there is none."""


class ExportError(ValueError):
    """An export that cannot be made; the message says what to do."""


def export_samples(data: RunData, path: Path) -> int:
    """Write every sample, in the order they were recorded, in the format that the file's name ends in.

    Columns: `due_s`, `able_s`, `sent_s`, `done_s` (run seconds), `device` (fleet row, none for the operator), `step`,
    `journey`, `trigger`, `attempt`, `outcome`, `reason` (none for an ok one), `status`, `action`, `bytes_in`,
    `bytes_out`, and of the device `department`, `site`, `model`. A Parquet file carries run.json under the key
    `fleetrush.run` of its metadata.

    Returns: how many. Raises: ExportError for another ending, a file that cannot be written, or without pyarrow.
    """
    write = WRITERS.get(path.suffix)
    if write is None:
        raise ExportError(f"{path}: expected a name that ends in {' or '.join(WRITERS)}")
    try:
        with _whole(path) as beside:
            write(data, beside)
    except OSError as fault:
        raise ExportError(f"{path}: cannot be written: {fault.strerror}") from None
    return int(data.samples.size)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside it that takes its name when it is whole."""
    beside = path.with_name(path.name + ".new")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _write_csv(data: RunData, path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for number, columns in enumerate(_pieces(data)):
            if not number:
                writer.writerow(columns)
            writer.writerows(zip(*(_plain(*column) for column in columns.values()), strict=True))


def _plain(values: NDArray[Any], names: Names | None) -> list[Any]:
    listed: list[Any] = values.tolist()
    return listed if names is None else [None if index is None else names[index] for index in listed]


def _write_parquet(data: RunData, path: Path) -> None:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise ExportError(f"{path}: Parquet needs pyarrow, which is not installed: {INSTALL}") from None

    def table(columns: Columns) -> Any:
        return arrow.table({key: _arrow(arrow, *column) for key, column in columns.items()})

    pieces = _pieces(data)
    first = table(next(pieces))
    schema = first.schema.with_metadata({"fleetrush.run": json.dumps(data.run, ensure_ascii=False)})
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        writer.write_table(first.cast(schema))
        for columns in pieces:
            writer.write_table(table(columns).cast(schema))


def _arrow(arrow: Any, values: NDArray[Any], names: Names | None) -> Any:
    numbers, missing = np.ma.getdata(values), np.ma.getmaskarray(values)
    if names is None:
        return arrow.array(numbers, mask=missing)
    indices = arrow.array(numbers.astype(np.int32), mask=missing)
    return arrow.DictionaryArray.from_arrays(indices, arrow.array(names, arrow.string()))


WRITERS: Final[Mapping[str, Callable[[RunData, Path], None]]] = {".csv": _write_csv, ".parquet": _write_parquet}
"""By the ending of the file's name."""


def _pieces(data: RunData) -> Iterator[Columns]:
    """All samples, CHUNK at a time; one empty piece where there are none."""
    facts = _facts(data)
    for first in range(0, max(1, data.samples.size), CHUNK):
        yield _columns(data.run, data.samples[first : first + CHUNK], facts)


def _columns(run: Mapping[str, Any], rows: Samples, facts: Mapping[str, tuple[NDArray[np.uint8], Names]]) -> Columns:
    columns: Columns = {f"{key}_s": (rows[key], None) for key in _TIMES}
    columns["device"] = (np.ma.masked_equal(rows["device"], OPERATOR), None)
    for key, names in (("step", run["steps"]), ("journey", run["journeys"]), ("trigger", run["triggers"])):
        columns[key] = (rows[key], tuple(names))
    columns["outcome"] = (rows["outcome"], OUTCOMES)
    columns["reason"] = (np.ma.masked_equal(rows["reason"], 0), tuple(run["reasons"]))
    columns |= {key: (rows[key], None) for key in _NUMBERS}
    for key, (of_row, names) in facts.items():
        # the device that went first, and the operator, are no rows of the fleet
        stranger = rows["device"] >= of_row.size
        columns[key] = (np.ma.masked_array(of_row[np.where(stranger, 0, rows["device"])], stranger), names)
    return columns


def _facts(data: RunData) -> dict[str, tuple[NDArray[np.uint8], Names]]:
    """By fact: its index of each fleet row, and the names. Empty where the folder has no fleet."""
    path = data.path / FLEET
    organisation = data.run["scenario"]["folded"].get("organisation")
    if not path.exists() or organisation is None:
        return {}
    fleet = np.load(path, allow_pickle=False)
    return {
        key: (fleet[key], tuple(str(one["name"]) for one in organisation[kinds]))
        for key, kinds in _DEVICE_FACTS.items()
    }
