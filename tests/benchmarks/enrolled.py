"""A fleet that is enrolled already, without playing its enrollment: the stand-in's own code registers each device.

100,000 take about 20 s. What an enrollment costs on the wire is measured elsewhere.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from simulator.backend.management_clients import DEVICE, Clients
from simulator.backend.management_keys import PolicyKeys
from simulator.backend.store import Store
from simulator.composition import What, compose
from simulator.enrollments import Enrollment, Writer
from simulator.fleet import device_facts, make_fleet
from simulator.protocols.management import Trust
from simulator.standins import StandIns, StandInSettings


def enrolled(what: What) -> None:
    """Make the file of enrollments, and the stand-in's database beside it, of all devices of a scenario.

    Args:
        what: with the file in `enrollments`, which is not there yet.
    """
    composition = compose(what, judged=False)
    file, scenario = composition.enrollments, composition.scenario
    assert file is not None
    settings = StandInSettings.of(scenario, what.secret(), file.database)
    # once up and down: its keys are made
    with StandIns(settings, wanted=composition.basis, data=file.database) as stand_ins:
        file.bind_server(sha256(stand_ins.verification_key).hexdigest())
        _publish(stand_ins)
    organisation, writer = scenario.organisation, Writer()
    fleet = make_fleet(organisation, scenario.devices, scenario.seed)
    now_ms = int(time.time() * 1000)
    with closing(Store(str(file.database / "backend.sqlite"))) as store:
        clients, keys = Clients(store, os.urandom), PolicyKeys(store, organisation.domain)
        lines = []
        for row in range(scenario.devices):
            client = clients.register(
                device_id=str(uuid5(NAMESPACE_OID, f"{scenario.name}/{row}")),
                kind=DEVICE,
                username=f"enroller@{organisation.domain}",
                serial=device_facts(fleet, organisation, row).serial,
                machine_name="",
            )
            # the newest policy is the one that it has: no push tells it of another
            clients.served(client, now_ms)
            trust = Trust(
                client.dm_token, client.device_id, "", organisation.domain, keys.version, keys.signer.public_der, now_ms
            )
            lines += writer.lines(Enrollment(row, trust))
    file.take("\n".join(lines).encode())
    file.write()


def _publish(stand_ins: StandIns) -> None:
    """Have the first device policy published now, and not when the run asks: a push would tell every device of it."""
    request = urllib.request.Request(
        f"{stand_ins.urls['operator']}/operator/publish_policy",
        json.dumps({"policy": "device", "value": {}}).encode(),
        {"Authorization": f"Bearer {stand_ins.operator_token}", "Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()


def written(folder: Path, name: str, text: str) -> What:
    """That scenario in a folder, with a file of enrollments beside it."""
    path = folder / f"{name}.toml"
    path.write_text(text)
    return What(str(path), enrollments=folder / f"{name}.json", secret_file=folder / "secret")
