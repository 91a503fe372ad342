"""Sentences that capacity.json holds in English on why a level or a what-if cannot be played: (English, Japanese).

What a machine, an authorisation, a list of accounts or a count of devices does not carry. Rows as in heard.
"""

from __future__ import annotations

from typing import Final

UNPLAYABLE: Final[tuple[tuple[str, str], ...]] = (
    (
        "open files: each of {engines} engine(s) needs {needed} and may have {allowed} (ulimit -Hn): use --engines {wanted},"
        " or raise that limit",
        "ファイル記述子: エンジン {engines} 個のそれぞれに {needed} 必要ですが、上限は {allowed} です(ulimit -Hn)。"
        "--engines {wanted} とするか、上限を上げてください",
    ),
    (
        "open files: the stand-in backend needs {needed} and may have {allowed} (ulimit -Hn): raise that limit, spread the"
        " arrivals (a lower --compression), or play fewer --devices",
        "ファイル記述子: 代役に {needed} 必要ですが、上限は {allowed} です(ulimit -Hn)。上限を上げるか、到着を分散するか"
        "(--compression を下げる)、--devices を減らしてください",
    ),
    (
        "ports: {addresses} address(es) of this machine have {room} for connections to one target, and the plan holds"
        " {lines} push lines to yours: name more of this machine's addresses (source_addresses under [targets.push]),"
        " widen net.ipv4.ip_local_port_range, or play fewer --devices",
        "ポート: この機械のアドレス {addresses} 個から一つの対象へは {room} 接続までですが、{lines} 本のプッシュ接続が必要です。"
        "[targets.push] の source_addresses にこの機械のアドレスを追加するか、net.ipv4.ip_local_port_range を広げるか、"
        "--devices を減らしてください",
    ),
    (
        "ports: one address of this machine has {room} for connections to one server, and up to {open} are open at the"
        " peak: widen net.ipv4.ip_local_port_range (sysctl), spread the arrivals (a lower --compression), or play fewer"
        " --devices",
        "ポート: この機械の一つのアドレスから一つのサーバーへは {room} 接続までですが、ピークには {open} 接続が開きます。"
        "net.ipv4.ip_local_port_range を広げるか(sysctl)、到着を分散するか(--compression を下げる)、--devices を"
        "減らしてください",
    ),
    (
        "memory: all processes together need about {needed} and {free} are free: play fewer --devices, or free some",
        "メモリー: 全プロセスで約 {needed} 必要ですが、空きは {free} です。--devices を減らすか、空きを増やしてください",
    ),
    (
        "processes: the run needs about {needed} processes and threads and {left} may still begin (ulimit -u, or the"
        " container's pids.max): use fewer --engines, or raise that limit",
        "プロセス: プロセスとスレッドが約 {needed} 必要ですが、あと {left} しか開始できません(ulimit -u、またはコンテナーの"
        " pids.max)。--engines を減らすか、上限を上げてください",
    ),
    (
        "source_addresses: {address} is no address of this machine: name one that `ip address` shows",
        "source_addresses: {address} はこの機械のアドレスではありません。`ip address` が示すものを指定してください",
    ),
    (
        "the plan sends up to {rate} requests/s to the targets and max_rate_per_s is {allowed}: play fewer --devices, at a"
        " lower --compression, or have more authorised",
        "対象への送信は最大で毎秒 {rate} 件になりますが、max_rate_per_s は {allowed} です。--devices を減らすか、--compression を"
        "下げるか、許可の引き上げを合意してください",
    ),
    (
        "the [authorisation] holds from {from} until {until}, and it is {now}: have it renewed, or wait",
        "[authorisation] の期間は {from} から {until} までで、現在は {now} です。更新してもらうか、開始を待ってください",
    ),
    (
        "the [authorisation] ends {seconds} s before the run would, at {until}: nothing is sent from then on, and the run"
        " will decide nothing",
        "[authorisation] は実行が終わる {seconds} 秒前、{until} に切れます。以後は何も送らず、判定はできません",
    ),
    (
        "{file}: {key} = {value}: expected a percentile that {count} planned samples of {step} can carry (it needs {needed}):"
        " plan more devices, or ask for less",
        "{file}: {key} = {value}: {step} の予定件数 {count} では判定できません({needed} 件必要です)。端末を増やすか、"
        "条件を緩めてください",
    ),
    (
        "{file}: {key} = {value}: expected a share that {count} planned samples of {step} can carry (it needs {needed}):"
        " plan more devices, or ask for less",
        "{file}: {key} = {value}: {step} の予定件数 {count} では判定できません({needed} 件必要です)。端末を増やすか、"
        "条件を緩めてください",
    ),
    (
        "{file}: {key}: {count} planned samples of {step} are due {window}, and it needs {needed}: widen the window, plan"
        " more devices, or ask for less",
        "{file}: {key}: {window} に予定される {step} は {count} 件で、{needed} 件必要です。時間帯を広げるか、端末を増やすか、"
        "条件を緩めてください",
    ),
    (
        "{file}: {people} people type wrong passwords, {accounts} accounts are marked expendable: mark more of them, or set"
        " wrong_password and locked_account of [sign_in] to 0",
        "{file}: {people} 人が誤ったパスワードを入力しますが、expendable のアカウントは {accounts} 個です。追加するか、[sign_in] の"
        " wrong_password と locked_account を 0 にしてください",
    ),
    (
        "{file}: {accounts} accounts for {people} people who sign in: add accounts, play fewer --devices, or let several"
        " people use one account with --reuse-accounts",
        "{file}: サインインする {people} 人に対しアカウントは {accounts} 個です。追加するか、--devices を減らすか、"
        "--reuse-accounts で共用を許してください",
    ),
    (
        "target management: {left} devices have to enroll there, and nothing says with what: say one of {ways} in the"
        " targets file, under [targets.management]",
        "対象 management: {left} 台の登録が必要ですが、登録方法が指定されていません。対象ファイルの [targets.management] に"
        " {ways} のいずれかを書いてください",
    ),
    (
        "target management: {people} people have to be registered there with the access tokens that the stand-in's sign-in"
        " gives them, and a server of yours does not know those: if it takes them all the same, say"
        " accepts_stand_in_tokens = true in the targets file, under [targets.management]; otherwise play a scenario in"
        " which nobody signs in",
        "対象 management: 代役のアクセストークンで {people} 人を登録する必要がありますが、貴組織のサーバーはそれを知りません。"
        "受け付けるなら対象ファイルの [targets.management] に accepts_stand_in_tokens = true と書き、そうでなければ"
        "サインインのないシナリオを使ってください",
    ),
)
