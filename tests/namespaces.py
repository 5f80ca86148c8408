"""Namespaces of Linux for tests that need a network or a file system of their own. They end with the processes that use them.

A namespace is a thread's. The tests' main thread enters one, and what it starts there, threads and processes, is in it too.
Nothing is named in the file system, so a run that is killed leaves neither a bridge nor a mount behind.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.forked import close_fork_server

NEW_MOUNTS: Final = 0x00020000  # CLONE_NEWNS
NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET


def why_no_namespaces(*programs: str) -> str:
    """Why a test cannot have namespaces on this machine, in one line; empty where it can."""
    if sys.platform != "linux":
        return "namespaces need Linux"
    if os.geteuid() != 0:
        return "namespaces need root"
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        return f"namespaces need {', '.join(missing)}"
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "this machine gives root no namespaces"


def unshare(what: int) -> None:
    """Give the calling thread a new namespace of one kind (Python 3.11 has no os.unshare)."""
    if ctypes.CDLL(None, use_errno=True).unshare(what) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def enter(descriptor: int) -> None:
    """Move the calling thread into the namespace of an open descriptor."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def network_of_this_thread() -> int:
    """A descriptor of the network that the calling thread is in; the network stays while it is open."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def new_network() -> Iterator[int]:
    """The calling thread is in a new network, with a loopback of its own, for the block."""
    before = network_of_this_thread()
    try:
        unshare(NEW_NETWORK)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        inside = network_of_this_thread()
        try:
            yield inside
        finally:
            os.close(inside)
    finally:
        enter(before)
        os.close(before)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this size at `folder`, which only this thread and what it starts from now on can see."""
    close_fork_server()  # it would not see the file system, nor would what it starts
    unshare(NEW_MOUNTS)  # for good: the thread cannot leave while another one shares its working directory
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "small-disk", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave_bytes: int = 0) -> Path:
    """Fill a file system up to `leave_bytes` with a file of zeros, which is returned: without it the space is there again."""
    zeros = disk / "zeros"
    with zeros.open("ab") as file:
        status = os.statvfs(disk)
        free = status.f_bavail * status.f_frsize
        os.posix_fallocate(file.fileno(), file.tell(), max(1, free - leave_bytes) if free else 1)
    return zeros
