"""Texts of what to do next, what a reason means, and how far the limits are. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

TODO: Final[dict[str, tuple[str, str]]] = {
    "todo.title": ("What to do", "次にすること"),
    "todo.remedy": ("{remedy}.", "{remedy}。"),
    "todo.lost": (
        "Part of the run was lost: read the reason above and the terminal's last lines, then run again.",
        "実行の一部が失われました。上の理由と端末の最後の出力を確認し、実行し直してください。",
    ),
    "todo.untrusted_last": (
        "Draw no conclusion from the figures below, neither a good nor a bad one.",
        "以下の数値からは、良い結論も悪い結論も出さないでください。",
    ),
    "todo.to_its_end": ("Run it to its end: {command}", "最後まで実行してください: {command}"),
    "todo.server_log": (
        "Read the target's own log for this time: {when}",
        "対象のログでこの時間帯を確認してください: {when}",
    ),
    "todo.lower": (
        "Then repeat with less load (lower --compression, fewer --devices). A staging copy marked staging = true is loaded to the end.",
        "その後、負荷を下げて(--compression や --devices を小さくして)再実行してください。staging = true とした検証環境には最後まで負荷をかけます。",
    ),
    "todo.no_objective": (
        "Say in the scenario what has to hold: a row [[objectives]] with step, percentile and latency_s_at_most.",
        "満たすべき条件をシナリオに書いてください: [[objectives]] に step、percentile、latency_s_at_most。",
    ),
    "todo.errors": (
        "Begin with {step}: {count} samples ended as {reason}.",
        "まず {step} を調べてください: {count} 件が {reason} で終わりました。",
    ),
    "todo.own_time": (
        "{share} of the wait is the people's typing and the devices' own waits, not the targets: look at what they are told to wait for, or set another limit.",
        "待ち時間の {share} は対象ではなく、入力と端末自身の待ちです。何を待っているかを確認するか、上限を見直してください。",
    ),
    "todo.slow_stage": (
        "Begin with {stage}: it takes {took} of the slow devices' wait, most of it in {step}.",
        "まず「{stage}」を調べてください: 遅い端末の待ち時間のうち {took} を占め、その多くは {step} です。",
    ),
    "todo.slow_step": (
        "Look at {step} on its server: of what was sent, 95 of 100 took up to {service}. The heat map shows when.",
        "サーバー側で {step} を調べてください: 送信後 100 件中 95 件が {service} 以内でした。時間帯は分布図にあります。",
    ),
    "todo.slow_on_the_way": (
        "Begin with {step}, the slowest of the steps that lead to {milestone}: of what was sent in the whole run, 95 of"
        " 100 took up to {service}.",
        "まず {step} を調べてください: {milestone} に至るステップの中で最も遅く、実行全体では送信後 100 件中 95 件が"
        " {service} 以内でした。",
    ),
    "todo.slow_between": (
        "Most of the wait for {milestone} ({took} for 95 of 100) lies between its steps, of which the slowest, {step},"
        " took 95 of 100 no more than {service}: look at {between}.",
        "{milestone} の待ち時間(100 件中 95 件が {took} 以内)の大半はステップとステップの間にあります。最も遅い {step} でも"
        " 100 件中 95 件が {service} 以内でした。{between}を確認してください。",
    ),
    "todo.between_push": (
        "how long a push takes to its device, and at the delay that each device adds by itself",
        "プッシュ通知が端末に届くまでの時間と、端末自身が加える待ち時間",
    ),
    "todo.between_waits": (
        "the people's typing and the devices' own waits",
        "利用者の入力と端末自身の待ち時間",
    ),
    "todo.not_recorded": (
        "Nothing of {step} was recorded: does this scenario reach it, or was its service left out?",
        "{step} の記録がありません。このシナリオで実行されるか、対象外になっていないかを確認してください。",
    ),
    "todo.too_few": (
        "{names}: play more devices, or judge a lower percentile; fleetrush plan says what a count can carry.",
        "{names}: 端末を増やすか、より低いパーセンタイルで判定してください。件数で判定できる範囲は fleetrush plan が示します。",
    ),
    "todo.straddles": (
        "At the limit: {names}. Repeat the run to decide (fleetrush run {scenario} --repeat 3), or decide whether a value this near is good enough.",
        "{names} は上限ぎりぎりです。繰り返して判定する(fleetrush run {scenario} --repeat 3)か、この近さで十分かを決めてください。",
    ),
    "todo.worse": (
        "Find out what changed since {run}: {names} became worse, though the limits may still hold. The comparison below"
        " says by how much.",
        "{run} 以降に何が変わったかを調べてください。上限内であっても、{names} が悪化しています。悪化の程度は下の比較にあります。",
    ),
    "todo.name_targets": (
        "Nothing of yours was tested yet. Name a system: fleetrush check --target identity=URL shows one device's way through it, then run with the same option.",
        "まだ貴組織のシステムはテストされていません。対象を指定してください: fleetrush check --target identity=URL で端末 1 台の流れを確認し、同じ指定で実行します。",
    ),
    "todo.again": (
        "Then run the same again, as it stands at the end of this page.",
        "その後、このページの末尾にあるコマンドで同じ実行を繰り返してください。",
    ),
    "todo.real_pace": (
        "This was a stress: play it once at the real pace too (--compression 1).",
        "これは圧縮した負荷です。実際の速さ(--compression 1)でも一度実行してください。",
    ),
    "todo.find_limit": (
        "Keep this run as a baseline for the next, and find how many devices would be too many: fleetrush capacity {scenario}.",
        "この実行を次回の比較の基準として残し、何台で限界になるかを調べてください: fleetrush capacity {scenario}。",
    ),
    # after a search for the capacity
    "todo.gave_in_full": (
        "Look at {metric} on its server first: give more of what it measures, or need less of it, and search again.",
        "まずサーバーの {metric} を確認してください。それが測っているものを増やすか、必要量を減らして、もう一度探索します。",
    ),
    "todo.gave_in_ceiling": (
        "Look at {metric} on its server first: find what keeps it from growing further (workers, connections, a lock), and"
        " search again.",
        "まずサーバーの {metric} を確認してください。頭打ちの原因(ワーカー数、接続数、ロックなど)を取り除き、もう一度探索します。",
    ),
    "todo.gave_in_ran_away": (
        "Look at {metric} on its server first: it runs away beyond the limit, so find what it waits for, and search again.",
        "まずサーバーの {metric} を確認してください。上限の先で急増しています。何を待っているかを突き止め、もう一度探索します。",
    ),
    "todo.gave_in_appeared": (
        "Look at {metric} on its server first: there was none of it up to the limit, so find what it waits for or turns"
        " away, and search again.",
        "まずサーバーの {metric} を確認してください。上限までは 0 でした。何を待っているか、何を断っているかを突き止め、もう一度"
        "探索します。",
    ),
    "todo.stand_in_gave_in": (
        "A stand-in of ours gave in with the limit ({metric}): this may not be your system's capacity. Name your own in its"
        " place, or give this machine more cores, and search again.",
        "上限とともに代役({metric})が限界に達しました。貴組織のシステムの限界ではない可能性があります。代役の代わりに自分の"
        "システムを指定するか、この機械のコアを増やして、もう一度探索してください。",
    ),
    "todo.give_metrics": (
        "Let your servers tell what gave in: search again with --server-metrics and the address of their Prometheus"
        " text, or a .csv.",
        "何が限界に達したかを知るため、--server-metrics にサーバーの Prometheus 形式のアドレスか .csv を指定して、もう一度"
        "探索してください。",
    ),
    "todo.open_level": (
        "Open {run}, the first level beyond the limit: its page shows where the time of {objective} goes, and what did"
        " not end ok.",
        "上限を超えた最初の実行 {run} を開いてください。{objective} の時間がどこで費やされ、何が正常に終わらなかったかが"
        "分かります。",
    ),
    "todo.plan_with": (
        "Plan with {low} devices, the lower end of the band, and not with its middle.",
        "計画には幅の中央ではなく、下限の {low} 台を使ってください。",
    ),
    "todo.plan_with_rate": (
        "Plan with {low} devices, the lower end of the band, and not with its middle: {per_s} starts a second at their peak.",
        "計画には幅の中央ではなく、下限の {low} 台を使ってください(最も多いとき毎秒 {per_s} 件の開始)。",
    ),
    "todo.name_staging": (
        "This is what the stand-ins on this machine carry, not what yours do: search against a copy of your system that"
        " may be loaded until it gives in (--targets FILE, staging = true).",
        "これはこの機械の代役の収容能力で、貴組織のシステムのものではありません。限界まで負荷をかけてよい検証環境を指定して"
        "探索してください(--targets FILE、staging = true)。",
    ),
    "todo.search_real_pace": (
        "The levels were compressed: search at the real pace (--compression 1) before you buy by this number.",
        "圧縮した負荷での値です。購入の判断に使う前に、実際の速さ(--compression 1)で探索してください。",
    ),
    "todo.further": (
        "Nothing gave in: search further, with --max-devices {most}.",
        "限界に達しませんでした。--max-devices {most} を指定して、さらに探索してください。",
    ),
    "todo.more_time": (
        "Give it more time: fleetrush {command} --time {minutes}",
        "時間を延ばしてください: fleetrush {command} --time {minutes}",
    ),
    "todo.wide_band": (
        "The runs differ too much for this range: begin lower and allow more (--devices, --max-devices), and end what"
        " else loads the target meanwhile.",
        "この範囲では実行ごとの差が大きすぎます。範囲を広げ(--devices、--max-devices)、対象へのほかの負荷を止めてください。",
    ),
    "todo.search_again": (
        "Then search again: fleetrush {command}",
        "その後、もう一度探索してください: fleetrush {command}",
    ),
    "todo.raise_limit": (
        "Raise what holds us back, as said above, or search from a larger machine.",
        "上に示した測定側の制約を緩めるか、より大きな機械から探索してください。",
    ),
    "todo.lacking": (
        "Give the search what it lacks for more devices, as said above.",
        "上に示した、より多くの台数に足りないものを用意してください。",
    ),
    "todo.renew_leave": (
        "Have the [authorisation] renewed for longer than the search takes, then search again: fleetrush {command}",
        "[authorisation] の期間を、探索にかかる時間より長く取り直してから、もう一度探索してください: fleetrush {command}",
    ),
    "todo.search_on": (
        "Let it search to its end: fleetrush {command}",
        "最後まで探索してください: fleetrush {command}",
    ),
    # what a reason usually means
    "hint.status": (
        "The server answered no: read the status. 429 and 503 are limits of its own, 4xx a request it does not take, 5xx a fault of its own.",
        "サーバーが拒否しました。ステータスを確認してください。429 と 503 はサーバー自身の制限、4xx は受け付けない要求、5xx はサーバーの故障です。",
    ),
    "hint.login": (
        "The provider did not let the person in: wrong or locked accounts, a further question, or a limit on sign-ins.",
        "認証基盤がサインインを許しませんでした。アカウントの誤りやロック、追加の質問、サインイン回数の制限を確認してください。",
    ),
    "hint.refused": (
        "Nobody listened at the address, or the queue of connections was full: is the server up, and its backlog large enough?",
        "接続先で待ち受けがないか、接続待ちの列が一杯でした。サーバーが動いているか、接続待ちの上限が十分かを確認してください。",
    ),
    "hint.unreachable": (
        "No connection came about: a firewall, a full load balancer, or a route.",
        "接続できませんでした。ファイアウォール、負荷分散装置の上限、経路を確認してください。",
    ),
    "hint.name": (
        "The host's name has no address: look at the DNS.",
        "ホスト名を解決できません。DNS を確認してください。",
    ),
    "hint.tls": (
        "The encrypted connection was not agreed: certificate, its authority (ca_file), or the load of handshakes.",
        "暗号化接続が成立しませんでした。証明書、認証局(ca_file)、ハンドシェイクの負荷を確認してください。",
    ),
    "hint.timeout": (
        "The request was out and no answer came in time: a full queue or a slow dependency behind the server.",
        "送信後、時間内に応答がありませんでした。サーバーの待ち行列や、その先の遅い処理を確認してください。",
    ),
    "hint.broken": (
        "The connection broke on the way: restarts, idle limits of a proxy, or a full load balancer.",
        "接続が途中で切れました。再起動、プロキシーの無通信制限、負荷分散装置の上限を確認してください。",
    ),
    "hint.push": (
        "The broker dropped the push line: its limit on connections, or a restart.",
        "プッシュ接続が切られました。ブローカーの接続数の上限や再起動を確認してください。",
    ),
    "hint.earlier": (
        "Follows from an earlier step that did not end ok.",
        "前のステップが正常に終わらなかったためです。",
    ),
    "hint.ended": (
        "The run's own end cut it off; it tells nothing of a target.",
        "実行の終了で打ち切られたもので、対象については何も示しません。",
    ),
    "hint.rate_cap": ("Our own cap on the rate did not let it start.", "送信速度の上限により開始できませんでした。"),
    "hint.guard": (
        "The guard did not let it start: the address is not in the authorisation, or is a public service.",
        "保護機構が送信を止めました。接続先が許可に含まれないか、公共のサービスです。",
    ),
    "hint.ours": (
        "Our own machine's fault: the run cannot be trusted.",
        "負荷発生側の問題です。この実行は信頼できません。",
    ),
    "hint.assertion": (
        "The provider's SAML answer was not valid: its clock, its keys, or how the service provider is set up there.",
        "認証基盤の SAML 応答が不正です。時計、鍵、サービスプロバイダーの設定を確認してください。",
    ),
    "hint.invalid": (
        "The answer was not what the protocol says: compare an example with the server's log.",
        "応答が仕様と異なります。例をサーバーのログと照らしてください。",
    ),
    # how far the limits are
    "headroom.room": ("Headroom", "上限までの余裕"),
    "headroom.left": ("to the limit of {name}", "{name}"),
    "headroom.none": ("none", "なし"),
    "headroom.times": ("{name} at {times} times its limit", "{name} は上限の {times} 倍"),
    "headroom.missed": ("{name}: {value} of {limit} at most", "{name}: 上限 {limit} に対し {value}"),
    "headroom.among_errors": ("{name} is among what did not end ok", "{name} は正常以外の結果の中"),
    "headroom.harness": ("What the harness still had", "負荷発生側の余裕"),
    "headroom.used": ("{value} of {limit}, {share} used", "{limit} 中 {value}、{share} 使用"),
}
