"""Which ports the local stack takes: those that were set, the well-known ones, or free ones where these are taken."""

from __future__ import annotations

import socket

from etl.errors import UsageError
from etl.settings import Settings
from stack.layout import HOST, PORTS


def is_free(port: int) -> bool:
    """Whether nothing listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def choose_ports(settings: Settings, kept: dict[str, int]) -> dict[str, int]:
    """A port per name: the kept one of a running server, the one that was set, the well-known one, or a free one.

    Raises UsageError for a port that was set and is taken, or a name that is not known.
    """
    if unknown := set(settings.ports) - set(PORTS):
        raise UsageError(f"unknown port name {min(unknown)!r}", f"known are {', '.join(PORTS)}")
    chosen = dict(kept)
    for name in sorted(set(PORTS) - set(kept), key=lambda name: not settings.ports.get(name)):  # what was set, first
        wanted = settings.ports.get(name)
        if wanted and (wanted in chosen.values() or not is_free(wanted)):
            raise UsageError(f"port {wanted} for {name} is taken", "end what listens there or set another port")
        if wanted is None and PORTS[name] not in chosen.values() and is_free(PORTS[name]):
            wanted = PORTS[name]
        chosen[name] = wanted or _free_port({*chosen.values(), *PORTS.values()})
    return {name: chosen[name] for name in PORTS}
