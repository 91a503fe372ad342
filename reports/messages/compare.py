"""Texts of the comparison with earlier runs. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

COMPARE: Final[dict[str, tuple[str, str]]] = {
    "word.worse": ("Worse than before", "以前より悪化"),
    "because.worse": (
        "Worse than in earlier runs ({runs}), {some} of {every} objectives: {names}.",
        "以前の {runs} 回の実行より {every} 件中 {some} 件の目標で悪化しました: {names}。",
    ),
    "compare.title": ("Against earlier runs", "以前の実行との比較"),
    "compare.none": ("No earlier run was compared with.", "比較した以前の実行はありません。"),
    "compare.lede": (
        "Each objective against {runs} earlier runs of the same scenario. Their timetables are equal, so that each device"
        " is also held against itself. A change counts when it is more than such runs differ among each other.",
        "同じシナリオの以前の {runs} 回の実行と、目標ごとに比べました。開始時刻の予定は同じなので、各端末をその端末自身とも比べています。"
        "同様の実行どうしの差を超えた変化だけを数えます。",
    ),
    "compare.lede_few": (
        "Each objective against earlier runs of the same scenario ({runs}): too few to tell how much such runs differ, so"
        " a change counts when all of its band within the runs is beyond the tolerance of {tolerance}.",
        "同じシナリオの以前の {runs} 回の実行と、目標ごとに比べました。実行どうしの差を知るには少なすぎるため、"
        "実行内の幅の全体が許容 {tolerance} を超えた変化だけを数えます。",
    ),
    "compare.objective": ("Objective", "目標"),
    "compare.step": ("Step", "手順"),
    "compare.now": ("Now", "今回"),
    "compare.before": ("Before", "以前"),
    "compare.change": ("Change", "変化"),
    "compare.devices": ("Same device", "同じ端末どうし"),
    "compare.p": ("p, corrected", "補正済み p 値"),
    "compare.smallest": ("Found from", "検出できる差"),
    "compare.verdict": ("Verdict", "判定"),
    "compare.regressed": ("worse", "悪化"),
    "compare.better": ("better", "改善"),
    "compare.same": ("no difference", "差なし"),
    "compare.undecided": ("undecided", "判定できない"),
    "compare.ends": ("{low} to {high}", "{low} ~ {high}"),
    "compare.points": ("{change} points", "{change} ポイント"),
    "compare.found_from": (
        "“Found from” is the smallest true change that 4 of 5 such comparisons would have found.",
        "「検出できる差」は、このような比較の 5 回中 4 回で見つかる最小の変化です。",
    ),
    "compare.found_from_few": (
        "“Found from” is the smallest change that would have counted.",
        "「検出できる差」は、変化として数えられる最小の値です。",
    ),
    "compare.others": ("p95 of the other steps: shown, not judged", "他の手順の p95(参考値、判定なし)"),
    "compare.baselines": ("Compared with", "比較した実行"),
    "compare.left_out": ("Left out", "除外した実行"),
}
