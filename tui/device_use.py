"""How a `device_use` record reads: `cuda:0 1.2/78 GiB 64°`."""

from __future__ import annotations

from typing import Any

from engine.runs.journal import number

Json = dict[str, Any]
GIB = 1 << 30


def short(record: Json) -> str:
    """Device, memory of this worker over that of the device, and temperature; what is not known is left out.

    Where the worker's own memory is unknown, everybody's stands in its place.
    """
    held = record.get("memory_own")
    words = [str(record.get("device", "device")), room(held if held is not None else record.get("memory_used"), record)]
    if record.get("temperature") is not None:
        words.append(f"{number(record['temperature']):.0f}°")
    return " ".join(filter(None, words))


def long(record: Json) -> str:
    """`cuda:0: 1.2 of 78 GiB held by this run, 9.5 GiB by all; 97 % busy; 64°`."""
    said = []
    if record.get("memory_own") is not None:
        total = record.get("memory_total")
        of = f"{gib(record['memory_own'])} of {gib(total)} GiB" if total else f"{gib(record['memory_own'])} GiB"
        said.append(f"{of} held by this run")
    if record.get("memory_used") is not None:
        said.append(f"{gib(record['memory_used'])} GiB by all")
    said = [", ".join(said)] if said else []
    if record.get("utilization") is not None:
        said.append(f"{number(record['utilization']):.0f} % busy")
    if record.get("temperature") is not None:
        said.append(f"{number(record['temperature']):.0f}°")
    return f"{record.get('device', 'device')}: {'; '.join(said) or 'nothing known'}"


def room(size: Any, record: Json) -> str:
    """`1.2/78 GiB`."""
    if size is None:
        return ""
    total = record.get("memory_total")
    return f"{gib(size)}/{gib(total)} GiB" if total else f"{gib(size)} GiB"


def gib(size: Any) -> str:
    """GiB with two digits that matter."""
    value = number(size) / GIB
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
