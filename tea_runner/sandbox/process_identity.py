"""Label that names a process of this machine for as long as it lives, and after it has died."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def process_label() -> str:
    """Host, PID namespace, process id and start time of this process.

    Process ids are reused, and other namespaces of the host have processes with the same ids.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}/{_pid_namespace()}/{pid}/{_start_time(pid)}"


def has_died(label: str) -> bool:
    """Whether the process of a label has died; False where that cannot be seen from here."""
    host, _, rest = label.partition("/")
    namespace, _, rest = rest.partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname() or not namespace or namespace != _pid_namespace():
        return False
    return pid.isdigit() and bool(started) and _start_time(int(pid)) != started


def _pid_namespace() -> str:
    """Inode of this process's PID namespace (pid_namespaces(7)); empty on other systems."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot; empty for a dead process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
