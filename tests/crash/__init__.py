"""Stopped before, after and in the middle of every upstream call: asked again, or left to a worker, the end is one.

`tripwire.py` makes the faults, `doomed.py` the process that dies of them, `scenarios.py` says what is tried,
`picture.py` what is compared, `test_requests.py` and `test_topics.py` go through every point.
"""
