"""What a result was measured on, to be written beside its numbers."""

import datetime
import importlib.metadata
import os
import pathlib
import platform


def describe_machine(*packages: str) -> dict[str, str]:
    """The date, the processor, its cores and load, the memory and the versions.

    Args:
      packages: whose versions matter.

    Returns:
      Names and values, for a table or JSON. "cores" are those that this process may
      use; "load" is the last minute's, and includes what the caller itself did.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "load": f"{os.getloadavg()[0]:.1f}",
        "memory": f"{memory:.0f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def processor_features() -> str:
    """What compiled code may depend on: the processor's name and its instructions."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    flags = [line for line in lines if line.startswith(("flags", "Features"))]
    return " ".join([platform.machine(), _processor(), *flags[:1]])


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
