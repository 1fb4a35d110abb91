"""How many compute threads a model may use without fighting the application for CPUs."""

from __future__ import annotations

import os
from pathlib import Path

from cpguard.errors import ConfigError

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def default_threads() -> int:
    """Return CPGUARD_THREADS, else half of the usable CPUs, between 1 and 4.

    llama.cpp's threads spin while they wait for each other at every layer. Measured on 2 busy CPUs:
    with 2 threads a rewrite took 5 to 60 times as long as with 1, on 2 idle ones it took 0.65 times as
    long. So the default leaves room for the application.

    Raises:
        ConfigError: If CPGUARD_THREADS is not a number of at least 1.
    """
    wanted = os.environ.get("CPGUARD_THREADS")
    if wanted is None:
        return min(4, max(1, usable_cpus() // 2))
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ConfigError("CPGUARD_THREADS must be a number of at least 1")
    return int(wanted)


def usable_cpus(quota: Path = _QUOTA) -> int:
    """Return the CPUs this process may use: its affinity, bounded by a container's quota.

    Args:
        quota: The cgroup v2 file that holds "quota period" in microseconds, or "max period".
    """
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity here
        cpus = os.cpu_count() or 1
    try:
        limit, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return cpus
    return cpus if limit == "max" else max(1, min(cpus, round(int(limit) / int(period))))
