"""Texts of the page of repeated runs. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

SERIES: Final[dict[str, tuple[str, str]]] = {
    "series.title": ("Objectives, run by run", "目標ごと、実行ごとの結果"),
    "series.lede": (
        "Runs differ by more than any one of them can tell. A time is judged by its 95 % band between the runs "
        "(Student's t on the logarithm): met with the whole band within the limit, missed with the whole band beyond it. "
        "Errors are counted, in all runs together and in each.",
        "実行ごとの違いは、1 回の実行から分かる幅より大きくなります。時間は実行間の 95 % の幅(対数のスチューデントの t)で"
        "判定します。幅の全体が上限の内側なら達成、全体が外側なら未達です。失敗は全実行の合計と各実行の両方で数えます。",
    ),
    "series.together": ("All runs", "全実行"),
    "series.between": ("between the runs {span}", "実行間の幅 {span}"),
    "series.least_most": ("least to most {span}", "最小から最大 {span}"),
    "series.left_out": ("left out", "除外"),
    "series.runs": ("The runs", "各実行"),
    "series.run": ("Run", "実行"),
    "series.counts": ("Counts", "判定に使用"),
    "series.yes": ("yes", "はい"),
    "series.alone": ("Its own verdict", "単独での判定"),
    "series.todo_missed": (
        "{names}: open the page of {run}, where most of it shows: it says where the time goes, what failed and when.",
        "{names}: 最も悪い {run} のページを開いてください。時間の内訳と、何がいつ失敗したかがわかります。",
    ),
    "series.todo_undecided": (
        "{names}: more runs narrow the band (--repeat with a larger N), or look at why the runs differ: each has its page.",
        "{names}: 実行を増やすと幅が狭まります(--repeat の N を大きくする)。実行ごとの違いの原因は各実行のページで確認できます。",
    ),
    "series.todo_untrusted": (
        "Open the pages of {runs}: each says why it cannot be trusted and what to do. Then repeat the series.",
        "{runs} のページを開いてください。信頼できない理由と対処がわかります。その後、一連の実行をやり直してください。",
    ),
    "series.todo_gave_in": (
        "Open the page of {run}: it says when the target gave in, and at what. Let it be mended, then begin with less load.",
        "{run} のページを開いてください。対象がいつ、どこで耐えられなくなったかがわかります。対処の後、小さい負荷から始めてください。",
    ),
    "series.counted": ("Runs that count", "判定に使った実行"),
    "series.of_planned": ("of {planned} planned", "予定 {planned} 回中"),
    "series.at_worst": ("{what}, by the worse end between the runs", "{what}(実行間の幅の悪い側で)"),
    "series.none_yet": ("no run counts", "使用できる実行なし"),
}
