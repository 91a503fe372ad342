"""Texts of the verdict and of what it is a verdict about. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

VERDICT: Final[dict[str, tuple[str, str]]] = {
    "list.none": ("nothing", "なし"),
    "list.and": ("{first} and {last}", "{first}と{last}"),
    "list.comma": (", ", "、"),
    "word.holds": ("Holds", "耐えられる"),
    "word.holds_rehearsal": ("Holds in rehearsal", "リハーサルでは耐えられる"),
    "word.fails": ("Does not hold", "耐えられない"),
    "word.fails_rehearsal": ("Does not hold in rehearsal", "リハーサルでは耐えられない"),
    "word.undecided": ("Undecided", "判定できない"),
    "word.untrusted": ("Cannot be trusted", "数値を信頼できない"),
    "word.unjudged": ("Not judged", "判定なし"),
    "word.gave_in": ("Gave in", "途中で対象が耐えられなくなった"),
    "word.cut_short": ("Cut short", "途中で終わった"),
    "because.untrusted": ("These numbers decide nothing: {reasons}.", "この数値からは何も判断できません: {reasons}。"),
    "because.no_objective": ("The scenario sets no objective.", "シナリオに目標が設定されていません。"),
    "because.missed": (
        "Missed {some} of {every} objectives: {names}.",
        "{every} 件中 {some} 件の目標を達成できませんでした: {names}。",
    ),
    "because.undecided": (
        "The evidence cannot decide {some} of {every} objectives: {names}.",
        "{every} 件中 {some} 件の目標は、得られた証拠では判定できません: {names}。",
    ),
    "because.met_one": ("The one objective was met.", "目標(1 件)を達成しました。"),
    "because.met": ("All {every} objectives were met.", "{every} 件の目標をすべて達成しました。"),
    "because.stopped": (
        "The run was stopped to spare the target: {why}.",
        "テスト対象を守るため実行を停止しました: {why}。",
    ),
    "because.cut_short": (
        "The run did not come to its end, so it decides nothing.",
        "実行が最後まで終わらなかったため、何も判断できません。",
    ),
    "because.cut_short_why": (
        "The run did not come to its end, so it decides nothing: {why}.",
        "実行が最後まで終わらなかったため、何も判断できません: {why}。",
    ),
    "names.more": ("{names} and {more} more", "{names} ほか {more} 件"),
    "standing.real_time": ("One run in real time.", "実時間での 1 回の実行です。"),
    "standing.stress": (
        "One run: a stress at {pace} times the real rate.",
        "1 回の実行です。実際の {pace} 倍の速さで負荷をかけました。",
    ),
    "standing.real_time_runs": (
        "{runs} runs in real time, each with fresh state.",
        "実時間での {runs} 回の実行です。毎回、初期状態から始めました。",
    ),
    "standing.stress_runs": (
        "{runs} runs, each with fresh state: a stress at {pace} times the real rate.",
        "{runs} 回の実行です。毎回、初期状態から始め、実際の {pace} 倍の速さで負荷をかけました。",
    ),
    "standing.rehearsal": (
        " A rehearsal against stand-ins: none of your systems was tested.",
        "代役を相手にしたリハーサルであり、貴組織のシステムは一つもテストされていません。",
    ),
    "standing.tested": (" Tested: {names}.", "テスト対象: {names}。"),
    "standing.tested_also": (" Tested: {names}; {others} stood in.", "テスト対象: {names}。代役: {others}。"),
    "standing.unasked": (" Not asked: {names}.", "対象外: {names}。"),
    "standing.left_out": (
        " Left out, since only a stand-in does as the scenario says: {acts}.",
        "代役でしか行えないため省いた操作: {acts}。",
    ),
    "standing.shared": (
        " {people} people shared {accounts} accounts.",
        "{people} 人が {accounts} 個のアカウントを共用しました。",
    ),
    "google": ("Google's accounts", "Google アカウント"),
    "down.minute": (
        "{clock}  {step}: {not_ok} of {count} not ok within a minute ({reason})",
        "{clock}  {step}: 1 分間に {count} 件中 {not_ok} 件が失敗({reason})",
    ),
    "down.minutes": (
        "{clock}  {step}: {not_ok} of {count} not ok within {minutes} minutes ({reason})",
        "{clock}  {step}: {minutes} 分間に {count} 件中 {not_ok} 件が失敗({reason})",
    ),
    "verdict.pass": ("✓ met", "✓ 達成"),
    "verdict.fail": ("✕ missed", "✕ 未達"),
    "verdict.unknown": ("? undecided", "? 判定不能"),
    "figure.none_ok": ("none ok", "成功なし"),
    "figure.among_errors": ("among errors", "失敗の中"),
    "figure.over": ("over {figure}", "{figure} 超"),
}
