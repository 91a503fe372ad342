"""Texts of the page of a search for the capacity. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

CAPACITY: Final[dict[str, tuple[str, str]]] = {
    "capacity.label": ("Capacity", "収容能力"),
    "capacity.head_found": (
        "{devices} devices before {objective} passes {limit}",
        "{devices} 台で {objective}が {limit} に達する",
    ),
    "capacity.head_open": ("Undecided", "判定できない"),
    "capacity.head_harness": ("Harness limit: at least {holds} devices", "測定側の限界: 少なくとも {holds} 台"),
    "capacity.head_harness_none": ("Harness limit", "測定側の限界"),
    "capacity.head_lacking": ("At least {holds} devices", "少なくとも {holds} 台"),
    "capacity.head_not_reached": ("At least {holds} devices", "少なくとも {holds} 台"),
    "capacity.head_below": ("Fewer than {breaks} devices", "{breaks} 台未満"),
    "capacity.because_found": (
        "{low} to {high}, with 95 % confidence from {runs} runs. {holds} devices kept every limit, {breaks} did not.",
        "{runs} 回の実行から、信頼度 95 % で {low} ~ {high} 台です。{holds} 台ではすべての上限を守り、"
        "{breaks} 台では守れませんでした。",
    ),
    "capacity.because_open": (
        "The levels do not close the limit in: {why}. Kept every limit: {holds} devices; did not: {breaks}.",
        "上限の位置を挟み込めませんでした: {why}。すべての上限を守った台数: {holds}、守れなかった台数: {breaks}。",
    ),
    "capacity.room": (
        "The {start} devices with which it began need {share} of that.",
        "最初に試した {start} 台は、その {share} に当たります。",
    ),
    "capacity.no_room": (
        "The {start} devices with which it began are too many: {share} of that.",
        "最初に試した {start} 台は多すぎます。その {share} に当たります。",
    ),
    "capacity.so_far": (" So far: about {devices} devices.", "現時点の目安: 約 {devices} 台。"),
    "capacity.because_nothing": (
        "Nothing is known yet: {why}, and no run so far can be judged.",
        "まだ何も分かりません: {why}。判定できる実行がありません。",
    ),
    "capacity.because_harness": (
        "With {saturated} devices our own side could not keep up ({why}), before any limit was passed. This is not the"
        " target's capacity.",
        "{saturated} 台では、上限に達する前に測定側が追いつきませんでした({why})。これは対象の収容能力ではありません。",
    ),
    "capacity.because_not_carried": (
        "This machine cannot play {saturated} devices ({why}), and fewer passed no limit. This is not the target's"
        " capacity.",
        "この機械では {saturated} 台を実行できず({why})、それより少ない台数では上限に達しませんでした。"
        "これは対象の収容能力ではありません。",
    ),
    "capacity.because_lacking": (
        "{saturated} devices could not be played ({why}), and fewer passed no limit. This is not the target's capacity.",
        "{saturated} 台は実行できず({why})、それより少ない台数では上限に達しませんでした。これは対象の収容能力ではありません。",
    ),
    "capacity.because_not_reached": (
        "{holds} devices, the most that were allowed, kept every limit.",
        "許された最大の {holds} 台でも、すべての上限を守りました。",
    ),
    "capacity.because_below": (
        "{breaks} devices, the fewest that can be judged, already pass a limit.",
        "判定できる最少の {breaks} 台でも、上限を超えました。",
    ),
    "capacity.any_objective": ("an objective", "いずれかの目標"),
    "capacity.why_time": ("the time was over", "時間切れ"),
    "capacity.why_leave": (
        "the authorisation does not last for another level",
        "許可の期間([authorisation])が足りず、次の台数を実行できない",
    ),
    "capacity.why_interrupted": ("the search was interrupted", "探索が中断された"),
    "capacity.why_cut": ("the search did not come to its end", "探索が最後まで終わらなかった"),
    "capacity.why_band": ("the band reaches past the levels that were played", "幅が実行した台数の範囲を超えている"),
    "capacity.real_pace": ("Every level was played at the real pace.", "どの台数も実時間で実行しました。"),
    "capacity.pace": (
        "Every level was played at {pace} times the real rate.",
        "どの台数も実際の {pace} 倍の速さで実行しました。",
    ),
    "capacity.same_fleet": (
        " Each run had arrivals of its own, of the same fleet and accounts.",
        "端末とアカウントは同じで、到着の時刻は実行ごとに変えました。",
    ),
    "capacity.own_fleets": (
        " Each run had people and arrivals of its own and began with fresh stand-ins.",
        "実行ごとに人と到着の時刻を変え、代役を初期状態から始めました。",
    ),
    "curve.title": ("Where the limit is passed", "上限を超えるところ"),
    "curve.lede": (
        "A dot is one run: its figure as a multiple of its limit. The line is the monotone fit of all levels, the band"
        " where it crosses 1, by a bootstrap over the runs. More than eight times the limit is drawn as eight.",
        "点は 1 回の実行で、値を上限の倍数で示します。線は全台数への単調な当てはめ、帯はそれが 1 を横切る範囲です"
        "(実行を単位とするブートストラップ)。上限の 8 倍を超えるものは 8 倍として描きます。",
    ),
    "curve.unit": ("times the limit, by devices", "上限に対する倍数(横軸は台数)"),
    "curve.run": ("a run", "1 回の実行"),
    "curve.fit": ("monotone fit", "単調な当てはめ"),
    "curve.band": ("95 % band", "95 % の幅"),
    "curve.limit": ("limit", "上限"),
    "curve.saturated": ("our own limit", "測定側の限界"),
    "curve.lacking": ("could not be played", "実行できない台数"),
    "curve.devices": ("devices", "台数"),
    "curve.times": ("times the limit", "上限に対する倍数"),
    "curve.told": (
        "{runs} runs of {levels} levels, from {first} to {last} devices; the curve passes the limit at {devices}.",
        "{first} ~ {last} 台の {levels} 段階で {runs} 回実行。曲線は {devices} 台で上限を超えます。",
    ),
    "levels.title": ("The levels", "実行した台数"),
    "levels.devices": ("Devices", "台数"),
    "levels.verdict": ("Limits", "上限"),
    "levels.within": ("kept", "守った"),
    "levels.beyond": ("not kept", "超えた"),
    "levels.untrusted": ("not to be trusted", "信頼できない"),
    "levels.cut": ("cut short", "途中で終了"),
    "levels.gave_in": ("the target gave in", "対象が耐えられなかった"),
    "levels.worst": ("Nearest to its limit", "最も上限に近い目標"),
    "levels.measured": ("Measured", "測定値"),
    "levels.allowed": ("Limit", "上限値"),
    "levels.peak": ("Busiest second", "最も多かった 1 秒"),
    "levels.run": ("Run", "実行"),
    "levels.unplayable": ("not played: {why}", "実行せず: {why}"),
    "gave_in.title": ("What gave in", "何が限界に達したか"),
    "gave_in.lede": (
        "Metrics that moved with the limit, by their busiest tenth at {low}, {at} and {beyond} devices. They tell what"
        " happened together, not why.",
        "上限とともに動いた指標です({low}、{at}、{beyond} 台での、最も高い 1 割の平均)。"
        "同時に起きたことを示すもので、原因を示すものではありません。",
    ),
    "gave_in.left_out": (
        "{count} metrics of the servers were left out, all beyond the first {kept}: what gave in may be among them. Name an"
        " address that tells fewer, as ?collect[]=cpu makes node_exporter do.",
        "サーバーの指標のうち、最初の {kept} 件を超える {count} 件は対象外です。限界に達したものがその中にある可能性があります。"
        "指標の少ないアドレスを指定してください(node_exporter なら ?collect[]=cpu など)。",
    ),
    "gave_in.none": ("No metric stands out by these rules.", "この基準で目立つ指標はありません。"),
    "gave_in.metric": ("Metric", "指標"),
    "gave_in.kind": ("What it did", "動き"),
    "gave_in.full": ("full: a share of 90 % or more", "飽和: 90 % 以上"),
    "gave_in.ceiling": ("grew up to the limit, stands still beyond", "上限までは増え、その先は頭打ち"),
    "gave_in.ran_away": ("runs away beyond the limit", "上限の先で急増"),
    "gave_in.appeared": ("none up to the limit, there beyond", "上限までは 0、その先で発生"),
    "gave_in.first": (
        "With the limit {metric} gave in ({kind}): {sure}.",
        "上限とともに {metric} が限界に({kind}、{sure})。",
    ),
    "gave_in.first_of": (
        "With the limit {metric} gave in first of all ({kind}): {sure}; {others} more moved with it.",
        "上限とともに {metric} が限界に({kind}、{sure})。ほかに {others} 件の指標が動きました。",
    ),
    "gave_in.how_sure": ("How sure", "確かさ"),
    "gave_in.sure": (
        "named so in {share} of {draws} searches drawn anew",
        "引き直した {draws} 回の探索の {share} で同じ結果",
    ),
    "gave_in.in_every": ("so in every run of these levels", "これらの台数のすべての実行で同じ"),
    "gave_in.unsure": (
        "how sure is not known, as no level with this metric was played twice",
        "同じ台数を 2 回実行していないため、確かさは不明",
    ),
    "gave_in.at": ("{devices} devices", "{devices} 台"),
    "scalability.title": ("How throughput grows", "処理量の伸び方"),
    "scalability.refused": (
        "No Universal Scalability Law is told: {why}.",
        "普遍的スケーラビリティ則は示しません: {why}。",
    ),
    "scalability.lede": (
        "The Universal Scalability Law through the levels. N is the mean number of exchanges in flight, by Little's law,"
        " not of devices. Bands are of a bootstrap over levels.",
        "各台数に普遍的スケーラビリティ則を当てはめました。N は台数ではなく、リトルの法則による処理中の要求の平均数です。"
        "幅は台数を単位とするブートストラップによります。",
    ),
    "scalability.chart": ("Throughput by exchanges in flight", "処理中の要求数と処理量"),
    "scalability.unit": ("exchanges per second", "毎秒の要求数"),
    "scalability.in_flight": ("in flight", "処理中"),
    "scalability.law": ("the law", "当てはめ"),
    "scalability.told": (
        "{levels} levels; X/N falls by {bend} from the lowest to the highest.",
        "{levels} 段階。最少から最多までに X/N は {bend} 下がります。",
    ),
    "scalability.coefficient": ("Coefficient", "係数"),
    "scalability.value": ("Value", "値"),
    "scalability.bands": ("95 % band", "95 % の幅"),
    "scalability.rate": ("per second with one in flight", "処理中が 1 件のときの毎秒"),
    "scalability.contention": ("contention (σ)", "競合 (σ)"),
    "scalability.coherency": ("coherency (κ)", "整合 (κ)"),
    "scalability.peak": (
        "Most per second: {per_s}, with {in_flight} in flight; beyond that, more load gives less.",
        "最大は処理中 {in_flight} 件での毎秒 {per_s} 件です。それを超える負荷では処理量が減ります。",
    ),
    "scalability.no_peak": (
        "Within twice of what was measured it has no peak.",
        "測定した範囲の 2 倍までに頂点はありません。",
    ),
    "whatifs.title": ("What if", "もし条件が変わったら"),
    "whatifs.lede": (
        "Measured: played for real. Rehearsed: the same devices and exchanges in virtual time against the stand-in, which"
        " tells how much is asked and never how long an answer takes. Bytes are computed with updates at their true size.",
        "「測定」は実際に実行した値です。「リハーサル」は仮想時間で代役を相手に同じやり取りを行ったもので、要求の量は"
        "分かりますが、応答の速さは分かりません。バイト数は更新の実際の大きさで計算したものです。",
    ),
    "whatifs.case": ("Case", "条件"),
    "whatifs.devices": ("Devices", "台数"),
    "whatifs.way": ("How", "方法"),
    "whatifs.peak": ("Most per second", "毎秒の最大"),
    "whatifs.bytes": ("Bytes to devices", "端末への転送量"),
    "whatifs.delta": ("the same with deltas of 50 MB", "差分更新(50 MB)の場合"),
    "whatifs.worst": ("Nearest to its limit", "最も上限に近い目標"),
    "whatifs.measured": ("measured", "測定"),
    "whatifs.rehearsed": ("rehearsed", "リハーサル"),
    "whatifs.not_measured": ("not measured: {why}", "測定せず: {why}"),
    "whatifs.level_of": ("by a run with {devices} devices", "{devices} 台の実行による"),
    "whatifs.sent": (
        "{size} were sent for each update: how long a full one takes is not measured",
        "更新 1 件につき実際に送ったのは {size} で、完全な更新にかかる時間は測定していません",
    ),
    "whatifs.cut": (
        "{count} of {every} cases: it was cut off before the others.",
        "{every} 件のうち {count} 件。残りの前に打ち切られました。",
    ),
    "whatifs.in_proportion": ("with {devices} devices, in proportion", "{devices} 台で行い、比例で換算"),
    "whatifs.so_already": ("is so already", "すでにその条件"),
    "case.": ("As the scenario says", "シナリオのとおり"),
    "case.ten_minute_bell": ("All within ten minutes", "全員が 10 分以内"),
    "case.all_limits_expired": ("All offline limits expired", "オフライン期限がすべて切れた"),
    "case.full_update": ("Full updates instead of deltas", "差分ではなく完全な更新"),
    "case.staff_2040": ("Half the staff, as planned for 2040", "職員が半分(2040 年の計画)"),
    "case.twice_devices": ("Twice the devices", "台数が 2 倍"),
    "search.title": ("How it was searched", "探索の方法"),
    "search.rule": (
        "Levels grew by half until a limit was passed, what lay between was halved until both ends were within {precision}"
        " of each other, and both ends were played {repeats} times. A level at which our own side cannot keep up, twice, is"
        " our limit and never the target's.",
        "上限を超えるまで 1.5 倍ずつ増やし、両端の差が {precision} 以内になるまで間を二分し、両端をそれぞれ {repeats} 回"
        "実行しました。測定側が 2 回追いつかなかった台数は測定側の限界とし、対象の限界とはしません。",
    ),
}
