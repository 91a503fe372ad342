"""Every reason not to trust a run: what happened and what to do next, in English and Japanese.

run.json and summary.json hold the English sentence, "what happened; what to do", made by `distrust` alone: a reason
without a remedy cannot be written. Nothing is judged here.
"""

from __future__ import annotations

from typing import Final

_PACE: Final = (
    "play with more engines (--engines) or at a lower pace (--compression)",
    "エンジンを増やすか(--engines)、速さを下げてください(--compression)",
)
_ROOM: Final = (
    "leave the run more of the machine: end other work, put the targets elsewhere, or add cores",
    "ほかの処理を終える、対象を別の機械に置く、コアを増やす、のいずれかで CPU に余裕を持たせてください",
)
_ALONE: Final = (
    "end what runs beside the run, or give it a machine of its own",
    "ほかの処理を終えるか、専用の機械を使ってください",
)
_GONE: Final = (
    "read its last lines on the terminal, free memory on this machine, and run again",
    "端末に出た最後の行を確認し、この機械のメモリーを空けて実行し直してください",
)
_STOOD: Final = (
    "the loop of {who} stood still {count} times, {all} s in all (the limit is {limit} s), the longest {longest} ms at run"
    " second {at}: ",
    "{who} の処理ループが {count} 回、合計 {all} 秒停止しました(許容は {limit} 秒、最長 {longest} ms、実行 {at} 秒): ",
)

DISTRUST: Final[dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {
    # what the run sees of its processes
    "killed": (
        (
            "the run was killed before its end, after run second {at}",
            "実行が終わる前、実行 {at} 秒より後に強制終了されました",
        ),
        (
            "look for who ended it (memory, a time limit, a closed terminal), and run it again to its end",
            "終了させたもの(メモリー不足、時間制限、端末を閉じたなど)を確認し、最後まで実行し直してください",
        ),
    ),
    "engine_lost": (
        (
            "engine {engine} was lost at run second {at} (exit {exit}): its devices played no further",
            "エンジン {engine} が実行 {at} 秒に失われました(終了コード {exit})。その端末は以後動いていません",
        ),
        _GONE,
    ),
    "engine_silent": (
        (
            "engine {engine} told nothing any more and was ended at run second {at} (the limit is {limit} s): its devices"
            " played no further",
            "エンジン {engine} から何も届かなくなり、実行 {at} 秒に終了させました(許容は {limit} 秒)。その端末は以後動いていません",
        ),
        (
            "look for what stopped it (a debugger, a suspended terminal, a frozen container), and run again",
            "停止させたもの(デバッガー、端末の一時停止、コンテナーの凍結など)を確認し、実行し直してください",
        ),
    ),
    "engine_not_ready": (
        (
            "engine {engine} was not ready, so run second {at} never came (the limit is {limit} s)",
            "エンジン {engine} の準備ができず、実行 {at} 秒が始まりませんでした(許容は {limit} 秒)",
        ),
        _ROOM,
    ),
    "frame_torn": (
        (
            "engine {engine} tore a frame at run second {at} (exit {exit}): its devices played no further",
            "エンジン {engine} の記録が実行 {at} 秒に途中で切れました(終了コード {exit})。その端末は以後動いていません",
        ),
        _GONE,
    ),
    "frames_lost": (
        (
            "of what engine {engine} sent, {samples} of {all_samples} samples and {frames} of {all_frames} frames arrived by"
            " run second {at}: a part of the record is lost",
            "エンジン {engine} が送ったもののうち、実行 {at} 秒までに届いたのは記録 {all_samples} 件中 {samples} 件、"
            "フレーム {all_frames} 個中 {frames} 個です。記録の一部が失われました",
        ),
        (
            "run again, and if it happens twice report it as a fault of fleetrush, with the run folder",
            "実行し直してください。再び起きたら、実行フォルダーを添えて fleetrush の不具合として報告してください",
        ),
    ),
    "stand_in_ended": (
        (
            "the embedded {name} ended during the run, at run second {at}",
            "組み込みの {name} が実行 {at} 秒に終了しました",
        ),
        _GONE,
    ),
    # what ran out on our own machine
    "harness_descriptors": (
        (
            "descriptors ran out {count} times, first at run second {at}",
            "ファイル記述子が {count} 回不足しました(最初は実行 {at} 秒)",
        ),
        (
            "raise the limit (ulimit -n), or play with more engines (--engines)",
            "上限を上げるか(ulimit -n)、エンジンを増やしてください(--engines)",
        ),
    ),
    "harness_ports": (
        (
            "ports ran out {count} times, first at run second {at}",
            "ポートが {count} 回不足しました(最初は実行 {at} 秒)",
        ),
        (
            "widen net.ipv4.ip_local_port_range, or play fewer devices on this machine",
            "net.ipv4.ip_local_port_range を広げるか、この機械の端末数を減らしてください",
        ),
    ),
    "harness_memory": (
        (
            "memory for sockets ran out {count} times, first at run second {at}",
            "通信用のメモリーが {count} 回不足しました(最初は実行 {at} 秒)",
        ),
        (
            "play fewer devices on this machine, or take one with more memory",
            "この機械の端末数を減らすか、メモリーの多い機械を使ってください",
        ),
    ),
    # how our processes and the machine fared
    "engine_busy": (
        (
            "{who} was saturated: busy {share} of the time from run second {at}, the limit is {limit}",
            "{who} が飽和しました: 実行 {at} 秒から時間の {share} を使い切りました(許容は {limit})",
        ),
        _PACE,
    ),
    "others": (
        (
            "others took {taken} of our {cores} cores from run second {at} ({stolen} of it the machine's host) and left"
            " {idle}, the limit is {limit}",
            "実行 {at} 秒から、ほかの処理が {cores} コアのうち {taken} を使い(うち {stolen} は仮想化基盤)、"
            "残りは {idle} でした(許容は {limit})",
        ),
        _ALONE,
    ),
    "stood_own_work": ((_STOOD[0] + "its own work held it", _STOOD[1] + "自身の処理によるものです"), _PACE),
    "stood_no_core": ((_STOOD[0] + "it waited for a core", _STOOD[1] + "CPU の空きを待っていました"), _ROOM),
    "stood_stopped": (
        (_STOOD[0] + "the process or the whole machine was stopped", _STOOD[1] + "プロセスか機械全体が止められました"),
        (
            "look at the hypervisor, and at who may have stopped it",
            "仮想化基盤と、止めた可能性のあるものを確認してください",
        ),
    ),
    "loop_lag": (
        (
            "the loop of {who} lagged {lag} ms for seconds, from run second {at}, the limit is {limit} ms",
            "{who} の処理ループが実行 {at} 秒から数秒間 {lag} ms 遅れました(許容は {limit} ms)",
        ),
        _PACE,
    ),
    "runqueue": (
        (
            "{who} waited for a core {share} of the time from run second {at}, the limit is {limit}",
            "{who} が実行 {at} 秒から時間の {share} で CPU の空きを待ちました(許容は {limit})",
        ),
        _ROOM,
    ),
    "pressure": (
        (
            "tasks of this machine waited for a core {share} of the time from run second {at}, the limit is {limit}",
            "実行 {at} 秒から時間の {share} で処理が CPU の空きを待ちました(許容は {limit})",
        ),
        _ALONE,
    ),
    "wall_clock": (
        (
            "the wall clock jumped {by} s at run second {at} ({count} in all, the limit is {limit} ms): no server's log or"
            " token agrees with these times",
            "実行 {at} 秒に時計が {by} 秒飛びました(計 {count} 回、許容は {limit} ms)。"
            "サーバーの記録やトークンの時刻と合いません",
        ),
        ("let the clock settle (NTP) before a run", "時刻同期(NTP)が落ち着いてから実行してください"),
    ),
    "asleep": (
        (
            "the boot-time clock jumped {by} s ahead of the monotonic one at run second {at} ({count} in all, the limit is"
            " {limit} ms): this machine slept",
            "実行 {at} 秒に機械が休止しました({by} 秒、計 {count} 回、許容は {limit} ms)",
        ),
        ("keep it awake while a run plays", "実行中は休止しないよう設定してください"),
    ),
    "late": (
        (
            "starts were {late} ms late in the worst window, from run second {at}, the limit is {limit} ms",
            "最悪の時間帯(実行 {at} 秒から)で開始が {late} ms 遅れました(許容は {limit} ms)",
        ),
        (
            "end other work on this machine, play with more engines (--engines), on more cores, or at a lower pace"
            " (--compression)",
            "この機械のほかの処理を終える、エンジンを増やす(--engines)、コアを増やす、速さを下げる(--compression)、"
            "のいずれかを行ってください",
        ),
    ),
    "rate_cap": (
        (
            "max_rate_per_s held {count} exchanges back, first at run second {at}: less was asked than the scenario says",
            "max_rate_per_s により {count} 件の送信を抑えました(最初は実行 {at} 秒)。シナリオより少ない負荷でした",
        ),
        (
            "agree on a higher max_rate_per_s, or lower the pace (--compression)",
            "max_rate_per_s の引き上げを合意するか、速さを下げてください(--compression)",
        ),
    ),
    # it begins with a placeholder, so that it fits much: the last
    "not_kept": (
        (
            "{path}: the enrollments cannot be written at run second {at}: {why}",
            "{path}: 実行 {at} 秒に登録情報を書き込めませんでした: {why}",
        ),
        (
            "make room there or name another file (--enrollments), and enroll again what is missing in it",
            "空きを作るか別のファイルを指定し(--enrollments)、そこにない端末を登録し直してください",
        ),
    ),
}
"""Key -> what happened and what to do, each as (English, Japanese); both languages have the same {placeholders}."""

_BETWEEN: Final = ("; ", "。")


def distrust(key: str, **figures: object) -> str:
    """A reason in English, its placeholders filled. Raises KeyError for a key or placeholder that is not there."""
    return sentence(key)[0].format_map(figures)


def sentence(key: str) -> tuple[str, str]:
    """A reason with its remedy as (English, Japanese), its placeholders still open."""
    happened, remedy = DISTRUST[key]
    english, japanese = (between.join((happened[at], remedy[at])) for at, between in enumerate(_BETWEEN))
    return english, japanese


def remedy_of(reason: str) -> str:
    """What to do about a reason, in English; "" for a sentence that `distrust` did not make."""
    said = reason.rpartition(_BETWEEN[0])[2]
    return said if any(said == remedy[0] for _, remedy in DISTRUST.values()) else ""
