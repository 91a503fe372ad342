"""The servers' own metrics: how they are read, laid on a level, and named when they gave in."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from reports.servermetrics import (
    SERIES_AT_MOST,
    MetricsError,
    backend_metrics,
    kept,
    metrics_between,
    read_csv,
    read_exposition,
    write_header,
    write_scrape,
)
from tests.reports import made_run

# As the format's documentation shows it (prometheus.io, exposition formats), and a few things that exporters add.
EXPOSITION = """\
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
request_seconds_bucket{le="0.05"} 24054
request_seconds_sum 53423
foo_total 17.0 # {trace_id="x"} 1.0
not a metric at all !
"""


def test_the_exposition_format() -> None:
    """Values by name and labels; no buckets, nothing infinite, timestamps and exemplars passed over."""
    found = read_exposition(EXPOSITION)
    assert found['http_requests_total{method="post",code="200"}'] == 1027
    assert found["metric_without_timestamp_and_labels"] == 12.47
    assert found["request_seconds_sum"] == 53423
    assert found["foo_total"] == 17
    assert len(found) == 6


def test_what_was_scraped_is_read_again(tmp_path: Path) -> None:
    """Three scrapes two seconds apart: a gauge as it was, a counter per second, which was started anew once."""
    file = StringIO()
    write_header(file)
    for at, (queue, done) in enumerate([(1, 100), (7, 120), (3, 4), (2, 10)]):
        write_scrape(file, 1000 + 2 * at, {'queue{pool="a,b"}': queue, "done_total": done})
    path = tmp_path / "server.csv"
    path.write_text(file.getvalue())
    series = read_csv(path)
    assert series['queue{pool="a,b"}'].values.tolist() == [1, 7, 3, 2]
    assert series["done_total"].values.tolist() == [10, 3]
    assert series["done_total"].utc_s.tolist() == [1002, 1006]
    assert metrics_between(series, 1001, 1005) == {'queue{pool="a,b"}': 7, "done_total": 10}
    assert metrics_between(series, 2000, 3000) == {}


def test_the_first_metrics_are_kept_and_no_others(tmp_path: Path) -> None:
    """An exporter that tells more than are kept, and of others from scrape to scrape: what was met first is kept to the
    end, whatever comes before it in the text, and what is written can be read again."""
    known: set[str] = set()
    first = {f"a{number}": 1.0 for number in range(SERIES_AT_MOST - 1)}
    assert kept(first, known) == first
    later = {"b": 2.0, "c": 3.0} | first
    assert kept(later, known) == {"b": 2.0} | first
    assert kept({"c": 3.0, "d": 4.0, "b": 5.0}, known) == {"b": 5.0}
    path = tmp_path / "server.csv"
    with path.open("w") as file:
        write_header(file)
        for at, scrape in enumerate((first, later)):
            write_scrape(file, at, kept(scrape, known))
    assert len(read_csv(path)) == SERIES_AT_MOST


def test_a_table_with_a_column_for_each_metric(tmp_path: Path) -> None:
    """As spreadsheets write it, with times in ISO 8601; an empty cell is no value."""
    path = tmp_path / "server.csv"
    path.write_text("utc,cpu_ratio,threads\n2026-04-01T08:00:00+09:00,0.5,\n2026-03-31T23:00:10Z,0.9,20\n")
    series = read_csv(path)
    assert series["cpu_ratio"].values.tolist() == [0.5, 0.9]
    assert series["threads"].values.tolist() == [20]
    assert series["cpu_ratio"].utc_s.tolist() == [1774998000, 1774998010]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a header"),
        ("utc,metric,value\n", "no metrics in it"),
        ("utc,metric,value\nyesterday,cpu,1\n", "line 2: the time is 'yesterday'"),
        ("utc,metric,value\n2026-04-01T08:00:00,cpu,1\n", "ISO 8601 with its offset"),
        ("utc,cpu\n1000,1\n1001,much\n", "line 3: cpu is 'much'; expected a number"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    """File, line, value and what was expected."""
    path = tmp_path / "server.csv"
    path.write_text(text)
    with pytest.raises(MetricsError, match=said) as told:
        read_csv(path)
    assert str(told.value).startswith(str(path))
    assert "\n" not in str(told.value)


def test_the_stand_in_tells_of_itself(tmp_path: Path) -> None:
    """The busiest tenth of the morning's seconds, in shares of a core; what came before the morning is left out."""
    rows = [{"t": 10.0 + at, "who": "backend", "cpu_ms": 500.0, "runqueue_ms": 20.0} for at in range(18)]
    rows += [{"t": 30.0 + at, "who": "backend", "cpu_ms": 960.0, "runqueue_ms": 100.0} for at in range(2)]
    rows += [{"t": 1.0, "who": "backend", "cpu_ms": 5000.0}, {"t": 15.0, "who": "engine-0", "cpu_ms": 7000.0}]
    data = made_run.write(tmp_path, made_run.rows("ready", 1, done=40), made_run.run_json(lead_s=5.0), rows)
    assert backend_metrics(data) == {
        "backend_cpu_share": 0.96,
        "backend_runqueue_share": 0.1,
        "backend_loop_lag_ms": 0.0,
    }
