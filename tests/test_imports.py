"""The house keeps its order: who may import whom, no cycle, and no clock, chance or socket where none belongs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("scenarios", "reports", "simulator")

# Each part of the house, by the longest prefix of a module's name, and the parts that it may import besides itself.
PARTS: dict[str, tuple[str, ...]] = {
    "scenarios": (),
    "reports": ("scenarios",),
    "simulator.protocols.messages": (),
    "simulator.draw": (),
    "simulator.timers": (),
    "simulator.pipe": (),
    "simulator.errors": (),
    "simulator.redaction": (),
    "simulator.children": (),
    "simulator.health": (),
    "simulator.machine": (),
    "simulator.orphans": (),
    "simulator.limits": ("simulator.machine",),
    "simulator.ceiling": ("simulator.enrollments_file", "simulator.errors", "simulator.secretfile"),
    "simulator.agenda": (),
    "simulator.protocols": ("simulator.protocols.messages",),
    "simulator.fleet": ("scenarios", "simulator.draw"),
    "simulator.timetable": ("scenarios", "simulator.draw"),
    "simulator.kinds": ("scenarios", "simulator.draw"),
    "simulator.accounts": (
        "scenarios",
        "simulator.draw",
        "simulator.errors",
        "simulator.fleet",
        "simulator.kinds",
        "simulator.protocols",
        "simulator.timetable",
    ),
    "simulator.secretfile": ("simulator.errors",),
    "simulator.exports": (),
    "simulator.operator": ("scenarios", "simulator.timetable", "simulator.protocols.messages"),
    "simulator.tape": ("reports", "simulator.protocols.messages", "simulator.redaction"),
    "simulator.tally": ("reports",),
    "simulator.progress": ("simulator.tally",),
    "simulator.device": (
        "scenarios",
        "simulator.fleet",
        "simulator.operator",
        "simulator.protocols",
        "simulator.protocols.messages",
        "simulator.timers",
    ),
    "simulator.world": ("simulator.agenda", "simulator.device", "simulator.protocols.messages", "simulator.tape"),
    "simulator.recorded": (
        "simulator.agenda",
        "simulator.device",
        "simulator.protocols.messages",
        "simulator.world",
    ),
    "simulator.traveller": (
        "simulator.agenda",
        "simulator.device",
        "simulator.draw",
        "simulator.fleet",
        "simulator.protocols",
        "simulator.protocols.messages",
        "simulator.recorded",
        "simulator.timers",
        "simulator.world",
    ),
    "simulator.journeys": (
        "simulator.agenda",
        "simulator.device",
        "simulator.draw",
        "simulator.fleet",
        "simulator.operator",
        "simulator.protocols",
        "simulator.protocols.messages",
        "simulator.timers",
        "simulator.traveller",
        "simulator.world",
    ),
    "simulator.herds": (
        "scenarios",
        "simulator.journeys",
        "simulator.operator",
        "simulator.timers",
        "simulator.timetable",
    ),
    "simulator.player": (
        "simulator.agenda",
        "simulator.device",
        "simulator.journeys",
        "simulator.protocols.messages",
        "simulator.traveller",
        "simulator.world",
    ),
    "simulator.wire": ("simulator.protocols.messages",),
    "simulator.backend": ("simulator.protocols", "simulator.protocols.messages"),
    # the backend's processes: the only files of it with a clock and sockets
    "simulator.backend.__main__": (
        "simulator.backend",
        "simulator.backend.shell",
        "simulator.health",
        "simulator.machine",
        "simulator.orphans",
        "simulator.protocols",
        "simulator.protocols.messages",
        "simulator.wire",
    ),
    "simulator.backend.shell": ("simulator.backend", "simulator.protocols.messages"),
    "simulator.backend.broker": (
        "simulator.health",
        "simulator.machine",
        "simulator.orphans",
        "simulator.protocols",
        "simulator.protocols.messages",
    ),
    "simulator.backend.mosquitto": ("simulator.backend.broker", "simulator.machine", "simulator.orphans"),
    "simulator.enrollments": ("simulator.device", "simulator.protocols"),
    "simulator.enrollments_file": ("simulator.enrollments", "simulator.errors"),
    "simulator.keeper": ("simulator.enrollments_file",),
    "simulator.credentials": ("scenarios", "simulator.device"),
    "simulator.order": (
        "scenarios",
        "simulator.accounts",
        "simulator.agenda",
        "simulator.device",
        "simulator.enrollments",
        "simulator.fleet",
        "simulator.journeys",
        "simulator.kinds",
        "simulator.operator",
        "simulator.protocols",
        "simulator.timetable",
    ),
    "simulator.runner": ("reports", "simulator.pipe"),
}
# Whatever composes the others may import all of them, but never the command line.
COMPOSERS = (
    "simulator.cli",
    "simulator.options",
    "simulator.arguments",
    "simulator.apart",
    "simulator.run",
    "simulator.recording",
    "simulator.engine",
    "simulator.rehearsal",
    "simulator.memory",
    "simulator.composition",
    "simulator.act_checks",
    "simulator.carried",
    "simulator.conclusion",
    "simulator.capacity",
    "simulator.levels",
    "simulator.capacity_conclusion",
    "simulator.series",
    "simulator.series_conclusion",
    "simulator.whatifs",
    "simulator.scrape",
    "simulator.history",
    "simulator.check",
    "simulator.narration",
    "simulator.stuck",
    "simulator.plan",
    "simulator.protection",
    "simulator.export",
    "simulator.provider",
    "simulator.listing",
    "simulator.serve",
    "simulator.measure",
    "simulator.doctor",
    "simulator.standins",
    "simulator.runrecord",
    "simulator.metrics",
)

IMPURE = frozenset({"time", "random", "socket", "asyncio", "uuid", "secrets", "threading", "selectors"})
# Where clocks, chance and sockets may be; all other files of ours get them handed in.
MAY_BE_IMPURE = (
    "simulator.wire",
    "simulator.engine",
    "simulator.health",
    "simulator.player",
    "simulator.rehearsal",
    "simulator.memory",
    "simulator.runner",
    "simulator.backend.__main__",
    "simulator.backend.shell",
    "simulator.backend.broker",
    "simulator.backend.mosquitto",
    "simulator.children",
    "simulator.apart",
    "simulator.keeper",
    "simulator.machine",
    "simulator.measure",
    "simulator.doctor",
    "simulator.standins",
    "simulator.run",
    "simulator.recording",
    "simulator.check",
    "simulator.serve",
    "simulator.secretfile",
    "simulator.series",
    "simulator.levels",
    "simulator.scrape",
)


def _modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.name.endswith("_pb2.py"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found[name.removesuffix(".__init__")] = path
    return found


MODULES = _modules()


@cache
def _imported(module: str) -> frozenset[str]:
    """Every module that a file imports, wherever in the file; `from package import module` counts as the module."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are written out from the top"
            base = node.module or ""
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in MODULES or whole.endswith("_pb2") else base)
    return frozenset(found)


def _part(module: str) -> str:
    """The longest name in PARTS or COMPOSERS that the module is or lies in."""
    names = [name for name in (*PARTS, *COMPOSERS) if module == name or module.startswith(f"{name}.")]
    assert names, f"{module} belongs to no part of the house: give it a place in PARTS"
    return max(names, key=len)


def _ours(module: str) -> Iterator[str]:
    return (name for name in _imported(module) if name.partition(".")[0] in PACKAGES)


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"simulator"}))
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    """Data flows one way: each part imports those below it, and nobody imports the command line."""
    part = _part(module)
    for name in _ours(module):
        other = _part(name) if name != "simulator" else part
        assert other != "simulator.cli" or part == "simulator.cli", f"{module} imports the command line"
        if part not in COMPOSERS:
            assert other == part or other in PARTS[part], f"{module} ({part}) may not import {name} ({other})"


def test_there_is_no_cycle() -> None:
    """Following imports from any module never leads back to it."""
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module in done or module not in MODULES:
            return
        for name in _ours(module):
            # a package's own __init__ is imported by whatever lies in it; that is no cycle of its files
            if not module.startswith(f"{name}."):
                visit(name, (*way, module))
        done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_time_and_chance_are_arguments(module: str) -> None:
    """No clock, no chance and no socket outside the files that are there for them."""
    if module.startswith(MAY_BE_IMPURE):
        return
    assert not {name.partition(".")[0] for name in _imported(module)} & IMPURE
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    reads = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not reads & {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.urandom"}


def test_locust_is_imported_by_its_own_package_only() -> None:
    """`import locust` patches the interpreter, so nothing else may do it."""
    importers = {module for module in MODULES if any(name.partition(".")[0] == "locust" for name in _imported(module))}
    assert importers
    assert all(module.startswith("simulator.runner.") for module in importers)


def test_every_file_says_what_it_is() -> None:
    """The first statement of each file of ours is its docstring; empty package files need none."""
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text("utf-8"))
        assert not tree.body or ast.get_docstring(tree), f"{module} does not say what it is"
