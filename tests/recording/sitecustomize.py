"""Put on PYTHONPATH by a test: lets the backend's process, and no other, write down every exchange it has.

A line of JSON each in the file that RECORDING names: when it was asked (Unix seconds), the request's URL, headers and
body, and the answer's headers and body, bodies as Latin-1.
"""

import json
import os
import sys

if "simulator.backend" in sys.orig_argv and "RECORDING" in os.environ:
    from simulator.backend import core

    _handle = core.Core.handle

    def _recorded(self, request, now):
        answer = _handle(self, request, now)
        line = {
            "at": now,
            "url": request.url,
            "asked": [list(pair) for pair in request.headers],
            "body": request.body.decode("latin-1"),
            "told": [list(pair) for pair in answer.response.headers],
            "answer": bytes(answer.response.body[:200_000]).decode("latin-1"),
        }
        with open(os.environ["RECORDING"], "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        return answer

    core.Core.handle = _recorded
