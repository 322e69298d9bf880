"""The tests. All of them but `unit` speak to the real systems; `conftest.py` starts those once."""
