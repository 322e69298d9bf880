"""plan-api: the thin approval API between Retool, Camunda 7 and Aidbox.

Data goes one way: transport → schema → coordination → upstreams. Start reading at app.py.
"""

__version__ = "0.1.0"
