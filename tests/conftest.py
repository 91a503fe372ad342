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


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place of its own for what fleetrush keeps for a user, processes that tests start included."""
    home = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(home)
    return home
