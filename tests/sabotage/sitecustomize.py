"""Put on PYTHONPATH by a test: does to an engine, and to no other process, what SABOTAGE names, separated by commas.

It begins as the engine writes its third frame of samples: `lose_frame` loses that frame, `tear_frame` has the engine
die in the middle of it, `jump_clock` sets the wall clock 3.2 s ahead, `sleep` sets the boot-time clock as
far ahead as well, as a machine finds them that slept, `slow` makes each sample cost 6 ms of the processor for 15 s.
"""

import os
import sys
import time

DONE_TO_IT = os.environ.get("SABOTAGE", "").split(",")
JUMP_S, SLOW_S, SLOW_SAMPLE_S = 3.2, 15.0, 0.006

if "simulator.engine" in sys.orig_argv and DONE_TO_IT != [""]:
    from simulator import pipe, tape

    _frame, _sample, _time, _clock = pipe.frame, tape.Tape.sample, time.time, time.clock_gettime
    _seen = {"frames": 0, "began": float("inf")}

    def _spoilt_frame(kind, payload=b""):
        if "tear_frame" in DONE_TO_IT and _seen["frames"] == 3:
            os._exit(1)
        whole = _frame(kind, payload)
        if kind != pipe.SAMPLES:
            return whole
        _seen["frames"] += 1
        if _seen["frames"] != 3:
            return whole
        _seen["began"] = time.monotonic()
        if "lose_frame" in DONE_TO_IT:
            return b""
        return whole[: len(whole) // 2] if "tear_frame" in DONE_TO_IT else whole

    def _slow_sample(*args, **named):
        _sample(*args, **named)
        end = time.process_time() + SLOW_SAMPLE_S
        while _seen["began"] < time.monotonic() < _seen["began"] + SLOW_S and time.process_time() < end:
            pass

    def _jumped():
        return _time() + (JUMP_S if time.monotonic() > _seen["began"] else 0.0)

    def _slept(clock):
        asleep = clock == time.CLOCK_BOOTTIME and time.monotonic() > _seen["began"]
        return _clock(clock) + (JUMP_S if asleep else 0.0)

    pipe.frame = _spoilt_frame
    if "slow" in DONE_TO_IT:
        tape.Tape.sample = _slow_sample
    if "sleep" in DONE_TO_IT:
        time.clock_gettime = _slept
    if "jump_clock" in DONE_TO_IT or "sleep" in DONE_TO_IT:
        time.time = _jumped
