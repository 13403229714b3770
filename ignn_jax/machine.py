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
    flags = _cpuinfo("flags", "Features")
    return " ".join([platform.machine(), _processor(), *flags[:1]])


def _processor() -> str:
    names = _cpuinfo("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo(*keys: str) -> list[str]:
    """What Linux says of the cores under these keys; nothing on other systems."""
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(keys)]
