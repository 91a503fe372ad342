"""Sentences that run.json and summary.json hold in English, and how Japanese has them: (English, Japanese).

A {placeholder} stands for any text, {names} for several with commas between them, {outcomes} for outcomes alone. What
our own code writes there belongs here; the first row that fits is taken.
"""

from __future__ import annotations

from typing import Final

from reports.messages.unplayable import UNPLAYABLE

OUTCOMES: Final = {"refused": "拒否", "failed": "失敗", "unknown": "結果不明", "skipped": "未実行"}
"""How a step did not end ok, as an objective's name has it."""

HEARD: Final[tuple[tuple[str, str], ...]] = (
    # objectives
    ("nothing of it was recorded", "記録がありません"),
    ("{bad} of {count} did not end ok", "{count} 件中 {bad} 件が正常に終わりませんでした"),
    ("{step} has no {measure} time", "{step} には {measure} の時間がありません"),
    (
        "{count} samples are too few: p{percentile} needs {least}",
        "{count} 件では不足です。p{percentile} には {least} 件必要です",
    ),
    ("the whole band keeps the limit", "幅の全体が上限の内側にあります"),
    ("the whole band breaks the limit", "幅の全体が上限を超えています"),
    ("it falls among the outcomes other than ok", "正常に終わらなかったものの中に入ります"),
    ("the band lies on both sides of the limit", "幅が上限をまたいでいます"),
    ("the run cannot be trusted", "この実行は信頼できません"),
    ("the run did not come to its end", "実行が最後まで終わりませんでした"),
    ("{step} p{percentile} latency", "{step} p{percentile} 遅延"),
    ("{step} p{percentile} service", "{step} p{percentile} 応答時間"),
    ("{objective}, due from {from} until {until}", "{objective}({from}から{until}までに開始)"),
    ("{objective}, due from {from}", "{objective}({from}以降に開始)"),
    ("{objective}, due until {until}", "{objective}({until}までに開始)"),
    # repeated runs
    ("the whole band between {runs} runs keeps the limit", "{runs} 回の実行間の幅の全体が上限の内側にあります"),
    ("the whole band between {runs} runs breaks the limit", "{runs} 回の実行間の幅の全体が上限を超えています"),
    (
        "the band between {runs} runs lies on both sides of the limit",
        "{runs} 回の実行間の幅が上限をまたいでいます",
    ),
    ("{runs} runs have no band between them", "{runs} 回の実行では実行間の幅は出せません"),
    ("nothing of it was recorded in {run}", "{run} に記録がありません"),
    (
        "{bad} of {count} in {runs} runs together, most in {worst}",
        "{runs} 回の実行の合計で {count} 件中 {bad} 件、最も多いのは {worst}",
    ),
    (
        "each of {runs} runs keeps the limit, the worst is {worst}",
        "{runs} 回の実行のすべてが上限内、最も悪いのは {worst}",
    ),
    (
        "{worst} breaks the limit, {runs} runs together keep it",
        "{worst} は上限を超えましたが、{runs} 回の合計では上限内です",
    ),
    ("too few runs can be trusted", "信頼できる実行が足りません"),
    ("the series did not come to its end", "一連の実行が最後まで終わりませんでした"),
    (
        "{some} of {every} runs can be trusted, {needed} are needed",
        "{every} 回のうち信頼できるのは {some} 回で、{needed} 回必要です",
    ),
    ("{run} is left out: {why}", "{run} を除外: {why}"),
    ("it cannot be trusted: {why}", "信頼できません: {why}"),
    ("{reason}; and also: {others}", "{reason}。さらに、{others}"),
    ("between two runs", "実行と実行の間"),
    ("{step} on {share} % of devices, from the first start", "端末の {share} % で {step}(最初の開始から)"),
    ("{step} on {share} % of devices", "端末の {share} % で {step}"),
    ("{step} errors", "{step} 失敗の割合"),
    ("{step} {outcomes}", "{step} {outcomes}の割合"),
    ("{count} of {every} devices never got there", "{every} 台中 {count} 台が到達しませんでした"),
    ("the last of {count} devices", "{count} 台のうち最後の端末"),
    ("{bad} of {count} ended {outcomes}", "{count} 件中 {bad} 件が{outcomes}で終わりました"),
    # comparison
    ("too little of it is in both this run and the earlier ones", "今回と以前の両方に含まれる記録が少なすぎます"),
    ("no more than runs that are alike differ", "同様の実行どうしの差の範囲内です"),
    (
        "more than {runs} earlier runs differ among each other (p = {p})",
        "以前の {runs} 回の実行どうしの差を超えています(p = {p})",
    ),
    ("not beyond the tolerance of {tolerance}", "許容 {tolerance} を超えていません"),
    ("beyond the tolerance of {tolerance}", "許容 {tolerance} を超えています"),
    (
        "earlier runs: {runs}, too few to tell how much runs differ ({needed} are needed): only a difference beyond the"
        " tolerance of {tolerance} counts",
        "以前の実行が {runs} 回では、実行どうしの差がわかりません({needed} 回必要です)。許容 {tolerance} を超えた差だけを数えます",
    ),
    ("not compared: this run cannot be trusted", "比較していません: この実行は信頼できません"),
    ("not compared: this run did not come to its end", "比較していません: この実行は最後まで終わりませんでした"),
    (
        "a series counts once, by the mean of its runs: they are more alike than two series are",
        "一連の実行は、その平均を一回分として数えます(同じ一連の中の実行どうしは、別の一連の実行より互いに似ているため)",
    ),
    ("not compared: this series cannot be trusted", "比較していません: この一連の実行は信頼できません"),
    (
        "not compared: this series did not come to its end",
        "比較していません: この一連の実行は最後まで終わりませんでした",
    ),
    (
        "no baseline yet: {where} holds no earlier run that can be compared with this one",
        "比較の基準はまだありません: {where} に、この実行と比べられる以前の実行がありません",
    ),
    ("compared all the same with runs that differ in {names}", "{names} が異なる実行とも、指定により比較しました"),
    (
        "others took up to {taken} cores of this machine in this run and {before} in the earlier ones: what is slower may"
        " be theirs, so repeat it alone before you believe a difference",
        "この機械のほかの処理が、今回は最大 {taken} コア、以前は {before} コアを使いました。遅さはその影響かもしれません。"
        "差があると判断する前に、ほかの処理を止めて実行し直してください",
    ),
    ("a time of day is held against its limit alone: {names}", "時刻の目標は上限とだけ比べます: {names}"),
    ("it was not played alike: {names}", "条件が異なります: {names}"),
    ("answered by", "応答者(対象か代役か)"),
    ("enrolled before", "登録済みの端末"),
    ("release of fleetrush", "fleetrush の版"),
    ("the address of {service}", "{service} のアドレス"),
    ("{path}: cannot be read ({why})", "{path}: 読み取れません({why})"),
    ("{path}: expected a JSON object", "{path}: JSON オブジェクトではありません"),
    ("{path}: not JSON ({why})", "{path}: JSON ではありません({why})"),
    ("{path}: a series without any run", "{path}: 実行が一つもありません"),
    (
        "{path}: not a whole series of runs (it has no {file})",
        "{path}: 一連の実行がそろっていません({file} がありません)",
    ),
    ("{path}: format {found}, expected {expected}", "{path}: 形式が {found} です({expected} が必要です)"),
    ("it was never judged: `fleetrush report` does it", "まだ判定されていません(`fleetrush report` で判定できます)"),
    ("it did not come to its end", "最後まで終わりませんでした"),
    ("it cannot be trusted", "信頼できません"),
    # trust: notes; the reasons stand in DISTRUST
    (
        "The stand-in shared our cores: its times and ours lengthen each other.",
        "代役と負荷発生側が同じ CPU を使ったため、互いの時間が延びています。",
    ),
    (
        "A target runs on this machine: its times and ours may lengthen each other.",
        "対象がこの機械で動いているため、互いの時間が延びている可能性があります。",
    ),
    (
        "No engine told how it fared; lateness alone was judged.",
        "エンジンの状態の記録がないため、開始の遅れだけで判断しました。",
    ),
    # how a run ended
    ("complete", "最後まで完了"),
    ("interrupted", "利用者による中断"),
    ("aborted", "対象保護のため停止"),
    ("killed", "強制終了"),
    ("failed", "内部エラー"),
    ("authorisation over", "許可期間の終了"),
    (
        "{bad} of {count} {step} in {over} s did not end ok, most of them {why}; abort_when stops the run at {share}",
        "{over} 秒間に {step} の {count} 件中 {bad} 件が正常に終わりませんでした(最も多い理由は {why})。"
        "abort_when により {share} で実行を停止します",
    ),
    (
        "the [authorisation] ended at {at}; nothing was sent after it",
        "[authorisation] の許可が {at} に終わり、以後は何も送信していません",
    ),
    ("run-{number}: {why}", "run-{number}: {why}"),
    (
        "run-{number} ended with exit {code} and without a summary",
        "run-{number} は終了コード {code} で終わり、集計がありません",
    ),
    # the scenarios that ship
    ("Morning peak", "朝のピーク"),
    ("Sign-in peak", "サインインのピーク"),
    ("Sign-in plateau", "一定の速さのサインイン"),
    ("First day", "初日"),
    ("Last day", "最終日"),
    ("Ordinary day", "通常の一日"),
    ("After a holiday", "連休明け"),
    ("Token expiry, at once", "トークンの一斉失効"),
    ("Token expiry, spread", "トークンの失効(分散)"),
    (
        "{people} people open their lids between {from} and {until}: do sign-in, policy, push and updates keep up?",
        "{from}から{until}までの間に {people} 人が端末を開きます。サインイン、ポリシー、プッシュ通知、更新は耐えられますか?",
    ),
    (
        "{people} people sign in online between {from} and {until}, and ask for nothing else: does the identity provider keep up?",
        "{from}から{until}までの間に {people} 人がオンラインでサインインだけを行います。認証基盤は耐えられますか?",
    ),
    (
        "{people} people come back after nine days, and every one has to sign in online: does the identity provider bear it?",
        "9 日ぶりに {people} 人が戻り、全員がオンラインでサインインします。認証基盤は耐えられますか?",
    ),
    (
        "{devices} new Chromebooks are opened between {from} and {until}: do enrollment and first sign-ins keep up?",
        "{from}から{until}までの間に新しい Chromebook {devices} 台が開かれます。登録と初回サインインは耐えられますか?",
    ),
    (
        "{devices} Chromebooks leave the fleet between {from} and {until}: does the management server let all of them go?",
        "{from}から{until}までの間に Chromebook {devices} 台が管理から外れます。管理サーバーはすべて処理できますか?",
    ),
    (
        "{people} people work from eight to half past five: what do their devices ask all day, and does it keep up?",
        "{people} 人が 8 時から 17 時半まで働きます。端末は一日に何を問い合わせ、システムは耐えられますか?",
    ),
    (
        "All tokens of {people} sessions die at {at}: how long until everybody is signed in again?",
        "{at}に {people} 件のセッションのトークンがすべて失効します。全員が再びサインインするまでどれだけかかりますか?",
    ),
    (
        "All tokens of {people} sessions die at {at}, and devices notice over ten minutes: does that spare the provider?",
        "{at}に {people} 件のセッションのトークンがすべて失効し、端末は 10 分かけて気づきます。認証基盤の負担は軽くなりますか?",
    ),
    (
        "Sign-ins at a constant rate for two minutes: does the identity provider keep up?",
        "2 分間、一定の速さでサインインが続きます。認証基盤は追いつきますか?",
    ),
    # a search for the capacity
    ("no level was played at a constant rate", "一定の速さで実行した台数がありません"),
    (
        "{some} levels at a constant rate: it needs {least}",
        "一定の速さで実行したのは {some} 段階です。{least} 段階必要です",
    ),
    (
        "the levels show no curvature: throughput still grows with what is in flight",
        "曲がりが見られません。処理量は処理中の要求数とともにまだ伸びています",
    ),
    ("no metrics of the servers were given", "サーバーの指標が与えられていません"),
    ("the limit was not passed, so nothing gave in", "上限を超えていないため、限界に達したものはありません"),
    ("no level far enough beyond the limit has metrics", "上限から十分に離れた台数での指標がありません"),
    ("--time {minutes} was over", "--time {minutes} の時間が尽きました"),
    (
        "its run recorded nothing and ended with exit code {code}",
        "実行は何も記録せず、終了コード {code} で終わりました",
    ),
    *UNPLAYABLE,
)
