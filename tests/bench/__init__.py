"""The benchmark: this service beside the least such a service can cost, and beside what is usually written.

`make bench` runs all of it and prints the table of docs/performance.md. Nothing here is a test but test_bench.py, which
keeps it running and asserts no times.
"""
