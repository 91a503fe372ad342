"""From a run folder to its verdict: its summary, its pages, junit.xml and the words on the terminal.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

import io
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from reports.baselines import Against
from reports.capacity import LEVELS, WHAT_IF_RUNS, is_search
from reports.compare import judged_against
from reports.council import council
from reports.exports import ExportError, export_samples
from reports.junit import junit
from reports.messages import Lang, Say
from reports.objectives import exit_code
from reports.page import page
from reports.pdf import PdfMissing, japanese_missing, require
from reports.pdf import pdf as report_pdf
from reports.public import public as masked
from reports.record import SampleFileError
from reports.runfolder import (
    COUNCIL,
    JUNIT,
    PAGE,
    PUBLIC_COUNCIL,
    PUBLIC_PAGE,
    SUMMARY,
    RunFolderError,
    open_run,
    write_json,
    write_whole,
)
from reports.seriesfolder import is_series
from reports.steps import Steps
from reports.summary import summarise
from reports.tables import SUMMARY_CSV, csv_bytes, step_rows
from reports.text import text
from simulator.capacity_conclusion import judge_again
from simulator.errors import UserError
from simulator.series_conclusion import conclude_series


def conclude(
    path: Path,
    out: TextIO,
    lang: Lang = "en",
    *,
    public: bool = False,
    pdf: Path | None = None,
    against: Against | None = None,
) -> int:
    """Sum up, judge and report one run folder, its pages in a language, held against earlier runs if any are named.

    A report that is made again says what the first said: its comparison is kept until other earlier runs are named.

    Args:
        public: write report-public.html and council-public.html as well, in which nothing tells whose systems it was.
        pdf: where to write the report as PDF as well, as public as the pages; None: nowhere.
        against: the earlier runs.
    Returns: 0, 1, 3 or 4 (reports.objectives.exit_code).
    """
    data = open_run(path)
    steps = Steps(data.run, data.samples)
    summary = judged_against(data, steps, summarise(data, steps), against)
    write_json(path / SUMMARY, summary)
    seconds = float(data.samples["done"].max()) if data.samples.size else 0.0
    began = data.run.get("t0_utc", "")
    write_whole(path / JUNIT, junit(summary, utc=began, seconds=seconds, host=platform.node()))
    write_whole(path / SUMMARY_CSV, csv_bytes(step_rows(summary)))
    say = Say(lang)
    write_whole(path / PAGE, page(data, summary, steps, say).encode())
    write_whole(path / COUNCIL, council(data, summary, steps, say).encode())
    shown = (data, summary)
    if public:
        shown = masked(data, summary)
        write_whole(path / PUBLIC_PAGE, page(*shown, steps, say).encode())
        write_whole(path / PUBLIC_COUNCIL, council(*shown, steps, say).encode())
    if pdf is not None:
        write_whole(pdf, report_pdf(*shown, steps, say))
    out.write(text(data.run, summary, str(path / (PUBLIC_PAGE if public else PAGE))))
    return exit_code(summary)


def report_again(
    paths: Sequence[Path],
    lang: Lang = "en",
    *,
    public: bool = False,
    pdf: Path | None = None,
    against: Against | None = None,
    samples: Path | None = None,
) -> int:
    """Report recorded runs, series of them and searches for the capacity again.

    Args:
        public, pdf, against: as in conclude, for runs; a series or a search has its own pages made public, and those
            of its runs.
        samples: where to write all samples of the one run (reports.exports); None: nowhere.

    Returns: the highest exit code of them. Raises: UserError for what is neither, and where no PDF can be made.
    """
    if pdf is not None:
        _check_pdf(paths, pdf, lang)
    if samples is not None:
        _export(paths, samples)
    codes = []
    for path in paths:
        if is_series(path):
            codes.append(_series_again(path, lang, public=public, pdf=pdf, against=against))
            continue
        if is_search(path):
            if against is not None:
                raise UserError(f"{path}: a search for the capacity: --baseline is for one run, name its level-*")
            codes.append(_search_again(path, lang, public=public, pdf=pdf))
            continue
        try:
            codes.append(conclude(path, sys.stdout, lang, public=public, pdf=pdf, against=against))
        except (RunFolderError, SampleFileError) as error:
            raise UserError(str(error)) from None
    return max(codes)


def _series_again(path: Path, lang: Lang, *, public: bool, pdf: Path | None, against: Against | None) -> int:
    try:
        for run in sorted(path.glob("run-*")):
            conclude(run, io.StringIO(), lang, public=public)
        return conclude_series(path, sys.stdout, lang, against, public=public, pdf=pdf)
    except (RunFolderError, SampleFileError) as error:
        raise UserError(str(error)) from None


def _search_again(path: Path, lang: Lang, *, public: bool, pdf: Path | None) -> int:
    try:
        if public:  # its page leads to those of its runs
            for run in sorted([*path.glob(LEVELS), *path.glob(WHAT_IF_RUNS)]):
                conclude(run, io.StringIO(), lang, public=True)
    except (RunFolderError, SampleFileError) as error:
        raise UserError(str(error)) from None
    return judge_again(path, sys.stdout, lang, public=public, pdf=pdf)


def _export(paths: Sequence[Path], samples: Path) -> None:
    if len(paths) != 1 or is_series(paths[0]) or is_search(paths[0]):
        raise UserError(f"--samples {samples}: one file is of one run: name one run's folder")
    try:
        count = export_samples(open_run(paths[0]), samples)
    except (RunFolderError, SampleFileError, ExportError) as error:
        raise UserError(str(error)) from None
    print(f"{count:,} samples written to {samples}")


def _check_pdf(paths: Sequence[Path], pdf: Path, lang: Lang) -> None:
    """Say what is missing before minutes of work are done."""
    if len(paths) != 1:
        raise UserError(f"--pdf: one file is of one run, and {len(paths)} were named: report them one by one")
    if not pdf.parent.is_dir():
        raise UserError(f"--pdf {pdf}: there is no folder {pdf.parent}")
    try:
        require()
    except PdfMissing as missing:
        raise UserError(str(missing)) from None
    if lang == "ja" and (warning := japanese_missing()):
        print(f"fleetrush: --pdf: {warning}", file=sys.stderr)
