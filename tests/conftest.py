"""What holds for every test: nothing is written into the home of whoever runs them, and no test is about the time that
it takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes any example, and the drawing of any, as slow as it likes: that is no defect.
settings.register_profile("fleetrush", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleetrush")


# Files whose tests play real runs, or wait for real programs: side by side they would disturb each other's time.
ALONE = frozenset(
    {
        "test_apart.py",
        "test_backend_chromium.py",
        "test_backend_chromium_mistakes.py",
        "test_capacity.py",
        "test_doctor.py",
        "test_earlier_runs.py",
        "test_end_to_end.py",
        "test_enrollment_survives.py",
        "test_kept_fleet.py",
        "test_named_management.py",
        "test_pipelines.py",
        "test_provider.py",
        "test_repeat.py",
        "test_secrets.py",
        "test_serve.py",
        "test_several_brokers.py",
        "test_sign_in_runs.py",
        "test_target_gives_in.py",
        "test_trust_gate.py",
        "test_truth_engine.py",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what wants the machine for itself."""
    for item in items:
        if item.path.name in ALONE:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place of its own for what fleetrush keeps for a user, processes that tests start included."""
    home = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(home)
    return home
