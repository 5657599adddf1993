"""Which ports the local stack takes: those that were set, the well-known ones, or free ones where these are taken."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping

from etl.errors import UsageError
from etl.setting_sources import near
from etl.settings import Settings
from stack.layout import HOST, PORTS

LEAVES = ("spark", "hiveserver2", "customers", "logins", "superset")  # no other server of the stack connects to them


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


def choose_ports(settings: Settings, before: Mapping[str, int], running: Collection[str] = ()) -> dict[str, int]:
    """A port per name: that of a running server, the one that was set, the one of last time, the well-known, or any.

    `before` are the ports of last time; these and the well-known ones count where they are free. Raises UsageError for
    a name that does not exist and a port that is taken but was set, or is the one where running servers look for an
    ended one.
    """
    if unknown := set(settings.ports) - set(PORTS):
        name = min(unknown)
        raise UsageError(f"unknown port name {name!r}", near(name, PORTS, f"the names are {', '.join(PORTS)}"))
    chosen = {name: before[name] for name in PORTS if name in before and _server(name) in running}
    for name in sorted(set(PORTS) - set(chosen), key=lambda name: not settings.ports.get(name)):  # what was set, first
        wanted = settings.ports.get(name)
        if wanted and (wanted in chosen.values() or not is_free(wanted)):
            raise UsageError(f"port {wanted} for {name} is taken", "end the program that uses it or set another port")
        last = before.get(name)
        if running and last and _server(name) not in LEAVES and not is_free(last):
            raise UsageError(
                f"port {last} of {name}, which the running servers use, is taken", "run ./warehouse down, then up"
            )
        others = {*chosen.values(), *(port for other, port in before.items() if other != name)}
        usual = [last, None if wanted == 0 else PORTS[name]]
        free = next((port for port in usual if port and port not in others and is_free(port)), None)
        chosen[name] = wanted or free or _free_port({*others, *PORTS.values()})
    return {name: chosen[name] for name in PORTS}


def _server(name: str) -> str:
    """The server whose port it is."""
    return name.partition("-")[0]
