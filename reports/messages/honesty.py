"""Texts about a run's own measuring. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

HONESTY: Final[dict[str, tuple[str, str]]] = {
    "honesty.title": ("How far these numbers carry", "この数値はどこまで言えるか"),
    "honesty.lede": (
        "What this run tells of its own measuring. Any outcome but ok ranks above every ok, so failures make no percentile better.",
        "この実行が、自らの測定について示すことです。正常以外の結果はどの正常な結果よりも遅いものとして順位づけるため、失敗が多くてもパーセンタイルは良くなりません。",
    ),
    "honesty.latency": ("Latency and service time", "遅延と応答時間"),
    "honesty.both": (
        "p95 of {step}: latency {latency}, service time {service}. Latency counts from when a step was due, service time from when it was sent.",
        "{step} の p95: 遅延 {latency}、応答時間 {service}。遅延は開始すべき時刻から、応答時間は送信した時刻から数えます。",
    ),
    "honesty.busy": (
        "They differ because devices were still busy with an earlier step of their own when it was due, for {busy} in the mean; we were late by {late}.",
        "開始すべき時刻に端末が自分の前のステップをまだ終えていなかった(平均 {busy})ため、両者は異なります。負荷発生側の遅れは平均 {late} です。",
    ),
    "honesty.late": (
        "They differ by what we were late ourselves, {late} in the mean.",
        "両者の差は負荷発生側の遅れによるもので、平均 {late} です。",
    ),
    "honesty.together": (
        "They agree, as they do where nothing waits for anybody else's answer: we were late by {late} in the mean.",
        "ほかの端末への応答を待つことがないため、両者は一致します。負荷発生側の遅れは平均 {late} です。",
    ),
    "honesty.stood": (
        "{step} was not answered for {long} from run second {at}: {due} starts were due while it stood and {sent} were sent, so their waiting is in both figures.",
        "{step} は実行秒 {at} から {long} のあいだ応答がありませんでした。その間に開始すべきものは {due} 件、送信したものは {sent} 件で、待ち時間はどちらの数値にも含まれます。",
    ),
    "honesty.arrivals": ("Arrivals", "開始の分布"),
    "honesty.sent": (
        "{sent} lids were opened as the timetable says; the curve of the plan expects {planned}.",
        "予定どおりに開かれた端末は {sent} 台、計画の曲線では {planned} 台です。",
    ),
    "honesty.follows": (
        "They follow the curve: the largest distance is {ks} (Kolmogorov-Smirnov), and chance alone gives as much in {chance} of runs.",
        "曲線に従っています。最大の隔たりは {ks}(コルモゴロフ・スミルノフ)で、偶然だけでも実行の {chance} でこれ以上になります。",
    ),
    "honesty.strays": (
        "They do not follow the curve: the largest distance is {ks} (Kolmogorov-Smirnov), and chance alone gives as much in {chance} of runs.",
        "曲線に従っていません。最大の隔たりは {ks}(コルモゴロフ・スミルノフ)で、偶然だけでこれ以上になるのは実行の {chance} です。",
    ),
    "honesty.no_clumps": (
        "They did not come in clumps: their counts scatter {index} times as those of people who know nothing of each other (up to {most} is chance).",
        "まとまって開始したものはありません。件数のばらつきは、互いに無関係な人々の {index} 倍です({most} 倍までは偶然)。",
    ),
    "honesty.clumps": (
        "They came in clumps: their counts scatter {index} times as those of people who know nothing of each other (up to {most} is chance).",
        "まとまって開始しています。件数のばらつきは、互いに無関係な人々の {index} 倍です({most} 倍までは偶然)。",
    ),
    "honesty.bands": ("Bands", "幅"),
    "honesty.band": (
        "A band within this run says where the percentile lies if samples are independent; it tells nothing of other runs.",
        "この実行での幅は、記録が互いに独立であるときにパーセンタイルが入る範囲です。ほかの実行については何も示しません。",
    ),
    "honesty.alike": (
        "Here what lies beyond p{percent} of {step} came together (correlation of neighbours in time: {likeness}; chance alone gives as much in {chance} of runs), as in a queue or a standstill: the band is too narrow. Repeated runs give the band between runs.",
        "ここでは {step} の p{percent} を超えた記録が時間的にまとまっています(隣り合う記録の相関 {likeness}、偶然だけでこれ以上になるのは実行の {chance})。待ち行列や停止の常として、この幅は狭すぎます。実行を繰り返すと、実行間の幅が得られます。",
    ),
    "honesty.unlike": (
        "Here what lies beyond p{percent} of {step} came no more together than by chance (correlation of neighbours in time: {likeness}; chance alone gives as much in {chance} of runs): no sign that the band is too narrow. Repeated runs give the band between runs.",
        "ここでは {step} の p{percent} を超えた記録に、偶然以上のまとまりは見られません(隣り合う記録の相関 {likeness}、偶然だけでも実行の {chance} でこれ以上になります)。この幅が狭すぎるという兆候はありません。実行を繰り返すと、実行間の幅が得られます。",
    ),
    "honesty.gate": ("Our own machines in the worst window", "負荷発生側の最悪の時間帯"),
    "honesty.measured": ("Measured", "測定値"),
    "honesty.limit": ("Limit", "上限"),
    "honesty.unjudged": ("not judged", "判定せず"),
    # our own measures, by their name in summary.json
    "gate.lateness_ms": ("Starts sent late (98 of 100)", "開始の遅れ(100 件中 98 件)"),
    "gate.engine_busy_share": ("Busiest engine, of the time", "最も忙しいエンジン(時間比)"),
    "gate.others_cores": ("Cores that others took", "ほかの処理が使った CPU コア"),
    "gate.standstill_s": ("An engine's loop stood still", "エンジンのループの停止"),
    "gate.loop_lag_ms": ("Loop lag", "ループの遅れ"),
    "gate.runqueue_share": ("An engine waited for a core", "エンジンの CPU 待ち"),
    "gate.pressure_share": ("Any task waited for a core", "いずれかの処理の CPU 待ち"),
    "gate.wall_clock_ms": ("The wall clock jumped", "時計の飛び"),
    "gate.asleep_ms": ("The machine slept", "機械の休止"),
}
