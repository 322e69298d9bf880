"""Run a command as root's stand-in: PostgreSQL refuses to run as root, and a container often has nobody else.

Run as a program by postgres.py: `unroot.py namespace|nobody command…`, which becomes the command. Neither way makes a
user nor changes a permission outside the folder PostgreSQL is given.
"""

import ctypes
import os
import pwd
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
# what lets a process enter folders and own files as root did: CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
FILE_CAPABILITIES = (1, 2, 3)


def enter_namespace() -> None:
    """A user namespace of one user: root outside, nobody inside. Some containers forbid it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")


def become_nobody() -> None:
    """The user `nobody`, who on Linux keeps root's way through closed folders, so that those can stay closed."""
    account = pwd.getpwnam("nobody")
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if libc:
        _keep_file_capabilities(libc)


def _keep_file_capabilities(libc: ctypes.CDLL) -> None:
    wanted = sum(1 << number for number in FILE_CAPABILITIES)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # effective, permitted, inheritable; then the same three for capabilities above 31
    sets = (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0)
    if libc.capset(header, sets):
        return  # a container without these: PostgreSQL itself says which folder it cannot enter
    for number in FILE_CAPABILITIES:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


if __name__ == "__main__":
    way, *command = sys.argv[1:]
    if way == "namespace":
        enter_namespace()
    else:
        become_nobody()
    os.execv(command[0], command)  # noqa: S606  the command is postgres.py's own
