"""What is planted: a piece of a file, and what is put in its place. Used by the lists beside it, and by __main__.py."""

from dataclasses import dataclass

ANY = "test"  # as words of tests: all of them
REQUESTS, STORIES, CRASH = "tests/crash/test_requests.py", "tests/stories", "tests/crash"


@dataclass(frozen=True)
class Bug:
    """A piece of a file, once in it, and what is put in its place.

    `by`: words of the tests that should catch it, in `tests`. `widely`: those it meets when they did not.
    """

    name: str
    file: str
    piece: str
    instead: str
    by: str
    tests: str = REQUESTS
    widely: str = f"{STORIES} {CRASH}"
