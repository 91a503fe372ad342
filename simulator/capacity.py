"""`fleetrush capacity`: refuses what cannot be searched for, plays the search and its what-ifs, and concludes.

How a level is played is for simulator.levels; nothing is judged or drawn here.
"""

from __future__ import annotations

import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from reports.capacity import concluded
from scenarios.schema import Scenario
from simulator.arguments import CapacityOptions
from simulator.capacity_conclusion import tell
from simulator.composition import Composition, What, compose
from simulator.errors import UserError
from simulator.levels import UNTRUSTED, Search, leave_over
from simulator.plan import limits_missed
from simulator.scrape import is_url
from simulator.standins import STAND_IN
from simulator.whatifs import CutOffError, what_ifs_of


def capacity(what: What, options: CapacityOptions) -> int:
    """Search, and conclude. Returns: 0 found, 3 we bind first, 4 undecided, 130 interrupted, or how a level's run ended
    that could not be played. Raises: UserError before anything was sent."""
    composition = compose(what)
    faults = _faults(what, composition, options)
    if faults:
        raise UserError(*faults)
    search = Search(what, composition, options)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _played(search, composition.scenario, options)
    except KeyboardInterrupt:
        code = search.cut_off()
    finally:
        signal.signal(signal.SIGTERM, before)
    if not search.levels:
        shutil.rmtree(search.folder)
        return code or UNTRUSTED
    if options.server_metrics is not None and not is_url(options.server_metrics):
        search.take_file(Path(options.server_metrics))
    judged = tell(search.folder, concluded(search.folder, search.told, search.levels), sys.stdout, options.lang)
    return code or judged


def _played(search: Search, scenario: Scenario, options: CapacityOptions) -> int:
    """Play the search and its what-ifs. Returns: 0, or with what exit code it was cut off."""
    with ExitStack() as ends:
        search.scrape(ends)
        code = search.play()
    if code or options.what_ifs == "none":
        return code
    measure = search.measure if options.what_ifs == "measured" else None
    try:
        for row in what_ifs_of(scenario, search.levels, measure):
            search.told["what_ifs"].append(row)
    except CutOffError as cut:
        return cut.code
    return 0


def _faults(what: What, composition: Composition, options: CapacityOptions) -> list[str]:
    """Why this cannot be searched for, one line each."""
    faults = [
        f"target {name}: a search for the capacity loads it until it gives in:"
        f" name a copy that may, with staging = true under [targets.{name}]"
        for name, target in composition.targets.named().items()
        if not target.staging
    ]
    if what.enrollments is not None and composition.basis["management"] == STAND_IN:
        faults.append("--enrollments: each level begins with fresh stand-ins, which know no kept fleet: leave it out")
    scenario = composition.scenario
    if not scenario.objectives:
        faults.append(f"{scenario.name}: sets no objective, so there is no limit to find: add an [[objectives]]")
    if options.most is not None and options.most < scenario.devices:
        faults.append(
            f"--max-devices {options.most}: below the first level, {scenario.devices:,}: say --devices as well"
        )
    source = options.server_metrics
    if source is not None and not is_url(source) and not source.endswith(".csv"):
        faults.append(f"--server-metrics {source}: expected an http:// or https:// address, or a .csv file")
    return faults + limits_missed(composition, options.engines) + leave_over(composition)
