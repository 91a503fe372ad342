"""The only import of locust, which patches the interpreter: imported when a run begins, never before.

Locust distributes, coordinates, counts live and shows its web UI; the requests are sent by engines (simulator.engine).
"""
