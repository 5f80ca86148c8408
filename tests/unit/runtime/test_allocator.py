"""The allocator of a service: the settings that it gets, and that a C library without them is no error."""

from __future__ import annotations

import subprocess
import sys

import pytest

from counterpoise.runtime.allocator import ARENAS, MAPPED_BYTES, return_memory


def test_each_setting_is_asked_for_and_a_refused_one_is_told() -> None:
    asked: list[tuple[int, int]] = []

    def takes(name: int, value: int) -> int:
        asked.append((name, value))
        return 1

    assert return_memory(takes)
    assert {value for _, value in asked} == {ARENAS, MAPPED_BYTES} and len(asked) == 3
    assert not return_memory(lambda name, value: 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_arrays_go_back_to_the_system() -> None:
    """What is freed below a block that stays is returned: with glibc's own choice the resident size keeps it."""
    program = """
import sys
from pathlib import Path
from counterpoise.runtime.allocator import return_memory
if sys.argv[1] == "ours" and not return_memory():
    sys.exit(7)
page = lambda: int(Path("/proc/self/statm").read_text().split()[1])
size = 4 << 20
bytes(bytearray(30 << 20))  # freed: from here on glibc maps only what is larger
began, kept = page(), []
for _ in range(10):
    large = bytearray(b"1") * size
    kept.append(bytearray(b"1") * 200_000)
    del large
held = [bytearray(b"1") * size for _ in range(10)]
above = bytearray(b"1") * 200_000
del held
print(page() - began)
"""
    pages = {}
    for whose in ("ours", "glibc"):
        done = subprocess.run([sys.executable, "-c", program, whose], capture_output=True, text=True, check=False)
        if done.returncode == 7:
            pytest.skip("this C library has no such settings")
        assert done.returncode == 0, done.stderr
        pages[whose] = int(done.stdout)
    assert pages["ours"] * 4 < pages["glibc"], pages
