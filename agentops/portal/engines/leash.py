"""Becomes another program that ends with its parent: ``python leash.py PARENT SIGNAL UID:GID|- PROGRAM ARGUMENT…``

Run as a script, never imported. It does between fork and exec what `Popen(preexec_fn=…)` may not do safely when other
threads run. The order matters: the kernel forgets the death signal when the user changes.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, signal: str, account: str, *argv: str) -> None:
    if account != "-":
        uid, gid = (int(number) for number in account.split(":"))
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before the call above, and nobody would tell us any more
        sys.exit(1)
    try:
        os.execv(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.exit(f"{argv[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
