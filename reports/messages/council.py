"""Texts of the council's page, in plain words. Key -> (English, Japanese)."""

from __future__ import annotations

from typing import Final

COUNCIL: Final[dict[str, tuple[str, str]]] = {
    "council.title": ("Summary for decision makers", "意思決定のための要約"),
    "council.answer": ("Answer", "結論"),
    "council.answer_pass": ("Yes, it holds.", "はい、耐えられます。"),
    "council.answer_fail": ("No, it does not hold.", "いいえ、耐えられません。"),
    "council.answer_worse": ("It is worse than before.", "以前より悪くなっています。"),
    "council.answer_unknown": ("It cannot be said yet.", "まだ判断できません。"),
    "council.answer_unjudged": ("Nothing was judged.", "判定は行っていません。"),
    "council.answer_untrusted": ("This measurement gives no answer.", "この測定からは結論を出せません。"),
    "council.answer_cut_short": (
        "The test was cut short and gives no answer.",
        "試験が途中で終わったため、結論を出せません。",
    ),
    "council.answer_gave_in": (
        "No: a system gave in, and the test was stopped to spare it.",
        "いいえ。システムが耐えられず、保護のため試験を止めました。",
    ),
    "council.rehearsal_pass": ("In rehearsal, it held.", "リハーサルでは耐えられました。"),
    "council.rehearsal_fail": ("In rehearsal, it did not hold.", "リハーサルでは耐えられませんでした。"),
    "council.rehearsal_worse": ("In rehearsal, it was worse than before.", "リハーサルでは以前より悪くなりました。"),
    "council.in_rehearsal": ("without the city's own systems", "市のシステムを使わない結果"),
    "council.sentence": (
        "{people} of 100 people can start work within {limit} seconds of opening the lid.",
        "100人中{people}人が{limit}秒以内に仕事を始められる。",
    ),
    "council.of": ("{within} of {count} people", "{count} 人中 {within} 人"),
    "council.of_runs": (
        "{within} of {count} people in {runs} tests together; {fewest} of 100 in the weakest of them",
        "{runs} 回の試験の合計で {count} 人中 {within} 人、最も悪い回では 100 人中 {fewest} 人",
    ),
    "council.between": ("between the tests: {low} to {high}", "試験間の幅: {low} ~ {high}"),
    "council.seconds": ("{seconds} s", "{seconds} 秒"),
    "council.never": ("never", "完了せず"),
    "council.half": ("wait of the person in the middle: half waited less", "真ん中の人の待ち時間(半数はこれより短い)"),
    "council.most": ("95 of 100 people waited no longer than this", "100 人中 95 人の待ち時間はこれ以内"),
    "council.lost": ("of {count} people could not start work at all", "{count} 人のうち、仕事を始められなかった人"),
    "council.limits": ("What this result does and does not say", "この結果が示すこと、示さないこと"),
    "council.rehearsal": (
        "None of the city's own systems was tested: stand-ins answered in their place. The result shows that the test works, not that the city is ready.",
        "市のシステムは一つも試験していません。すべて代役が応答しました。試験が機能することを示すもので、市の準備が整ったことを示すものではありません。",
    ),
    "council.partly": (
        "Tested were: {tested}. Stand-ins answered for: {others}; of those it says nothing.",
        "試験したもの: {tested}。代役が応答したもの: {others}(これらについては何も示しません)。",
    ),
    "council.tested": ("Tested were: {tested}.", "試験したもの: {tested}。"),
    "council.untrusted": (
        "The test equipment itself could not keep up, or a part of the test was lost. The figures must not be used, whichever way they point.",
        "試験装置自体が追いつかなかったか、試験の一部が失われました。良い方向にも悪い方向にも、数値を使ってはいけません。",
    ),
    "council.undecided": (
        "For at least one goal the measured value lies so near its limit, or rests on so few cases, that chance alone could tip it.",
        "少なくとも一つの目標では、測定値が上限に近いか件数が少なく、偶然で結果が変わり得ます。",
    ),
    "council.real_pace": ("The test ran at the pace of a real morning.", "試験は実際の朝と同じ速さで行いました。"),
    "council.squeezed": (
        "The morning was squeezed {pace} times: a load like that of a city {pace} times as large, for a shorter time. That is a stress test, not the morning itself.",
        "朝の時間を {pace} 倍に圧縮しました。{pace} 倍の規模の市に相当する負荷を短時間かけたもので、実際の朝そのものではありません。",
    ),
    "council.one_run": (
        "It is one test; another morning may differ somewhat.",
        "一回の試験です。別の朝には多少異なることがあります。",
    ),
    "council.runs": (
        "It rests on {runs} tests of the same morning, each begun afresh. “Between the tests” says where a typical"
        " such test lies.",
        "同じ朝を {runs} 回、毎回初期状態から試験した結果です。「試験間の幅」は、同様の試験の典型的な値が入る範囲です。",
    ),
    "council.runs_left_out": (
        "Tests that could not be used and are left out: {left}.",
        "使用できず除外した試験: {left} 回。",
    ),
    "council.not_in_it": (
        "The people and devices were simulated. Starting the computer itself, and other traffic on the lines, are not in the figures.",
        "利用者と端末は模擬です。端末自体の起動時間や、回線上のほかの通信は含まれません。",
    ),
    "council.next": ("What to do next", "次にすること"),
    "council.next_rehearsal": (
        "Repeat the test with the city's own systems before deciding anything.",
        "判断の前に、市のシステムを対象に試験を行ってください。",
    ),
    "council.next_pass": (
        "Nothing needs to be bought for this load. Repeat the test after every larger change, and before more people or devices are added.",
        "この負荷のための増強は不要です。大きな変更の後と、利用者や端末を増やす前に再試験してください。",
    ),
    "council.next_pass_open": (
        "In this test {tested} kept up. Before you decide that nothing has to be bought, settle what it leaves open: {open}.",
        "この試験では、{tested}は負荷に耐えました。増強は不要だと判断する前に、残る点を確認してください: {open}。",
    ),
    "council.open_stood_in": ("{names} (stand-ins answered in their place)", "{names}(代役が応答)"),
    "council.open_unasked": ("{names} (this test did not use them)", "{names}(この試験では使用せず)"),
    "council.open_pace": ("a morning at its real pace", "実際の朝と同じ速さでの試験"),
    "council.open_once": (
        "whether another morning shows the same (several tests)",
        "別の朝でも同じ結果になるか(複数回の試験)",
    ),
    "council.semicolon": ("; ", "、"),
    "council.next_fail": (
        "Have the system that was slow or failed examined and strengthened, then repeat the same test. The full report names it.",
        "遅かった、または失敗したシステムを調査・増強し、同じ試験を繰り返してください。どのシステムかは報告書にあります。",
    ),
    "council.next_worse": (
        "Have it found out what changed since the earlier tests, before people notice. The full report says what became worse.",
        "利用者が気づく前に、以前の試験から何が変わったかを調べてください。何が悪くなったかは報告書にあります。",
    ),
    "council.next_unknown": (
        "Repeat the test several times, so that chance is told from substance.",
        "偶然と実力を区別するため、試験を数回繰り返してください。",
    ),
    "council.next_unknown_runs": (
        "Repeat the test more often, so that chance is told from substance.",
        "偶然と実力を区別するため、試験の回数を増やしてください。",
    ),
    "council.next_unjudged": (
        "State first what has to hold: how many people, within which time.",
        "まず、何人が何秒以内に始められるべきかという目標を定めてください。",
    ),
    "council.next_untrusted": (
        "Repeat the test with stronger test equipment. Decide nothing on this one.",
        "より強力な試験装置で試験をやり直してください。この結果では何も決めないでください。",
    ),
    "council.next_cut_short": ("Let the test run to its end.", "試験を最後まで行ってください。"),
    "council.next_gave_in": (
        "Have the system that gave in examined, then repeat with less load first.",
        "耐えられなかったシステムを調査し、まず小さい負荷から試験をやり直してください。",
    ),
    "council.service_management": ("device management", "端末管理"),
    "council.service_identity": ("sign-in", "サインイン(認証基盤)"),
    "council.service_updates": ("software updates", "ソフトウェア更新"),
    "council.service_push": ("push notices", "プッシュ通知"),
    "council.which": (
        "Scenario {scenario}, {hash}. Counted from the recorded steps of every device.",
        "シナリオ {scenario}、{hash}。各端末の記録から集計しました。",
    ),
}
