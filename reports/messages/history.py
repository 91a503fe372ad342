"""Texts of the page that shows the course of earlier runs. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

HISTORY: Final[dict[str, tuple[str, str]]] = {
    "history.title": ("Run after run", "実行の推移"),
    "history.lede": (
        "What each objective showed in every run, and where it changed for good. Runs are put together that were played"
        " alike: the same fleet, timetable and answering services.",
        "各目標の値の推移と、水準が変わった時点を示します。端末、予定、応答するサービスが同じ条件の実行だけをまとめています。",
    ),
    "history.runs": ("{runs} runs, {first} to {last}.", "{runs} 回の実行({first} から {last} まで)。"),
    "history.not_counted": (
        "{runs} of them cannot be trusted or were cut short: shown hollow, counted nowhere.",
        "うち {runs} 回は信頼できないか途中で終わっています。白抜きで示し、計算には含めません。",
    ),
    "history.played": ("Played alike: {alike}", "条件の識別子: {alike}"),
    "history.changes": ("Changes", "水準の変化"),
    "history.none": ("No objective changed.", "水準の変化はありません。"),
    "history.few": (
        "Too few runs to see a change; a handful on either side of it are needed.",
        "水準の変化を見るには実行が足りません。変化の前後に数回ずつ必要です。",
    ),
    "history.objective": ("Objective", "目標"),
    "history.since": ("Since", "いつから"),
    "history.before": ("Before", "以前"),
    "history.after": ("After", "以後"),
    "history.change": ("Change", "変化"),
    "history.p": ("p", "p 値"),
    "history.told": (
        "{count} runs, latest {latest}, limit {limit}.",
        "{count} 回の実行、最新は {latest}、上限は {limit} です。",
    ),
    "history.told_change": ("{change} since {since}.", "{since} から {change}。"),
    "history.told_none": ("No change.", "変化なし。"),
    "history.run": ("run", "実行"),
    "history.level": ("mean since the last change", "前の変化からの平均"),
}
