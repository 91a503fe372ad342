"""A loop of plain Python that shares nothing with anybody: what a second core is worth. `... plain_loop SECONDS`."""

from __future__ import annotations

import json
import sys
import time


def main(seconds: str) -> None:
    """Count rounds of arithmetic: a Load."""
    began, used, rounds = time.monotonic(), time.process_time(), 0
    while (took := time.monotonic() - began) < float(seconds):
        sum(range(1000))
        rounds += 1
    print(json.dumps({"requests": rounds, "seconds": took, "cpu_s": time.process_time() - used}))


if __name__ == "__main__":
    main(sys.argv[1])
