"""Texts of the council's page of a search for the capacity, in plain words. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

CAPACITY_COUNCIL: Final[dict[str, tuple[str, str]]] = {
    "buy.devices": ("{count} devices", "{count} 台"),
    "buy.per_s": ("{count} people a second", "毎秒 {count} 人"),
    "buy.who_own": ("The tested systems", "試験したシステム"),
    "buy.who_stand_ins": ("The stand-ins", "代役"),
    "buy.head_found": ("{who} bear about {capacity}.", "{who}は、およそ {capacity}まで耐えられます。"),
    "buy.head_not_reached": ("{who} bear at least {holds}.", "{who}は、少なくとも {holds}まで耐えられます。"),
    "buy.head_harness": ("{who} bear at least {holds}.", "{who}は、少なくとも {holds}まで耐えられます。"),
    "buy.head_lacking": ("{who} bear at least {holds}.", "{who}は、少なくとも {holds}まで耐えられます。"),
    "buy.head_below": ("{who} do not bear even {breaks}.", "{who}は、{breaks}でも耐えられません。"),
    "buy.head_open": ("It cannot be said yet.", "まだ判断できません。"),
    "buy.head_nothing": ("This search gives no answer.", "この測定からは結論を出せません。"),
    "buy.asked_yes": (
        "The question was about {asked}: that is within what they bear.",
        "想定は {asked}で、耐えられる範囲内です。",
    ),
    "buy.asked_near": (
        "The question was about {asked}: that is too near the limit to count on.",
        "想定は {asked}で、限界に近く、耐えられるとは言い切れません。",
    ),
    "buy.asked_no": (
        "The question was about {asked}: that is more than they bear.",
        "想定は {asked}で、耐えられる範囲を超えています。",
    ),
    "buy.asked_unknown": (
        "The question was about {asked}: whether they bear that is not known.",
        "想定は {asked}で、耐えられるかどうかは分かっていません。",
    ),
    "buy.so_far_yes": (
        "The question was about {asked}: the tests so far were passed with that many.",
        "想定は {asked}で、これまでの試験ではその負荷に耐えました。",
    ),
    "buy.so_far_no": (
        "The question was about {asked}: the tests so far were not passed with that many.",
        "想定は {asked}で、これまでの試験ではその負荷に耐えられませんでした。",
    ),
    "buy.so_far_unknown": (
        "The question was about {asked}: the tests so far do not tell.",
        "想定は {asked}で、これまでの試験からは分かりません。",
    ),
    "buy.tile_asked": ("what the question was about", "想定した負荷"),
    "buy.tile_low": (
        "what to plan with: the lower end of where the limit may lie",
        "計画に使う値(限界があり得る範囲の下限)",
    ),
    "buy.tile_high": ("the upper end, not to be relied on", "同じ範囲の上限(当てにしないこと)"),
    "buy.tile_holds": ("the most that was borne", "耐えられた最大の負荷"),
    "buy.tile_breaks": ("the least that was not borne", "耐えられなかった最小の負荷"),
    "buy.tile_saturated": (
        "with this the test equipment could not keep up",
        "試験装置が追いつかなかった負荷",
    ),
    "buy.harness": (
        "The test equipment came to its own limit first. Where that of the systems lies, this search does not say.",
        "試験装置のほうが先に限界に達しました。システムの限界がどこにあるかは、この測定では分かりません。",
    ),
    "buy.rests": (
        "It rests on {tests} tests with {loads}. “Borne” means that every goal was kept: how long people wait,"
        " and how much may fail.",
        "{loads}の負荷で行った {tests} 回の試験の結果です。「耐えられる」とは、待ち時間や失敗の割合などの目標をすべて"
        "守ったことを意味します。",
    ),
    "buy.between": ("{least} to {most}", "{least}から {most}まで"),
    "buy.rests_one": (
        "It rests on a single test with {loads}. “Borne” means that every goal was kept: how long people wait, and how"
        " much may fail.",
        "{loads}の負荷で行った 1 回だけの試験の結果です。「耐えられる」とは、待ち時間や失敗の割合などの目標をすべて守ったことを"
        "意味します。",
    ),
    "buy.rests_none": ("No test so far can be used.", "使用できる試験はまだありません。"),
    "buy.steady": (
        "The load came at one constant rate. The full report counts it in devices ({asked} of them were asked about):"
        " they stand for that rate, and not for the number of devices of a city.",
        "負荷は一定の割合でかけました。報告書ではこれを台数で示していますが(想定は {asked} 台)、その割合を表すもので、"
        "市の端末の台数ではありません。",
    ),
    "buy.gave_in": (
        "Where the limit was passed, one figure of the servers stood out: {metric}. It is a place to look, and no proof of"
        " the cause.",
        "限界を超えたとき、サーバーの {metric} という値が目立ちました。調べる手がかりであり、原因の証明ではありません。",
    ),
    "buy.next_yes": (
        "Plan with {low} at most. The tested systems need nothing more for what was asked about. Search again after every"
        " larger change, and before more is added.",
        "計画では {low}を上限としてください。想定した負荷のために、試験したシステムを増強する必要はありません。大きな変更の後と、"
        "負荷を増やす前に、もう一度測定してください。",
    ),
    "buy.next_near": (
        "Do not count on more than {low}. Have the system that gave in strengthened before what was asked about comes to"
        " be, then search again.",
        "{low}を超える負荷は見込まないでください。想定した負荷になる前に、限界に達したシステムを増強し、もう一度測定して"
        "ください。",
    ),
    "buy.next_no": (
        "Have the system that gave in examined and strengthened, then search again. The full report says where it shows.",
        "限界に達したシステムを調査・増強し、もう一度測定してください。どこに表れたかは報告書にあります。",
    ),
    "buy.next_not_reached": (
        "The tested systems need nothing more for what was asked about. Search again after every larger change, and before"
        " more is added.",
        "想定した負荷のために、試験したシステムを増強する必要はありません。大きな変更の後と、負荷を増やす前に、もう一度測定して"
        "ください。",
    ),
    "buy.next_real_pace": (
        "Search again at the pace of a real morning before anything is bought by these figures.",
        "この値をもとに増強を決める前に、実際の朝と同じ速さでもう一度測定してください。",
    ),
    "buy.next_lacking": (
        "Provide the accounts or the permission that more load needs, and test again.",
        "より大きな負荷に必要なアカウントや許可を用意して、もう一度測定します。",
    ),
    "buy.tile_lacking": ("could not be played", "実行できなかった負荷"),
    "buy.next_harness": (
        "Search again with stronger test equipment, to learn where the limit lies.",
        "限界がどこにあるかを知るため、より強力な試験装置でもう一度測定してください。",
    ),
    "buy.next_open": (
        "Let the search come to its end before anything is decided. The full report says what it needs for that.",
        "何かを決める前に、測定を最後まで行ってください。そのために必要なことは報告書にあります。",
    ),
    "buy.which": (
        "Scenario {scenario}. Counted from the recorded steps of every device.",
        "シナリオ {scenario}。各端末の記録から集計しました。",
    ),
}
