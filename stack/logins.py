"""A minimal LDAP server for the customers' door: it answers binds from the password file, and logs each.

HiveServer2 can ask no password file without Java of one's own, but it asks LDAP. So this process speaks as much of
RFC 4511 as a bind takes, on 127.0.0.1, and refuses the rest.
"""

from __future__ import annotations

import json
import socketserver
import sys
from pathlib import Path
from typing import Any

from etl.servers import logins
from etl.store.ledger import now
from stack.layout import HOST

DN = "uid={},ou=customers"
BIND, UNBIND, SEARCH = 0x60, 0x42, 0x63
BIND_ANSWER, SEARCH_DONE, EXTENDED_ANSWER = 0x61, 0x65, 0x78
SUCCESS, PROTOCOL_ERROR, INVALID_CREDENTIALS, UNWILLING = 0, 2, 49, 53
LONGEST = 4096  # bytes of a message


class Server(socketserver.ThreadingTCPServer):
    """Listens for HiveServer2; `passwords` is the password file, `log` gets a line of JSON per bind."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, passwords: Path, log: Path) -> None:
        self.passwords, self.log = passwords, log
        super().__init__((HOST, port), Connection)


class Connection(socketserver.StreamRequestHandler):
    """One connection: messages are answered in turn until it is closed."""

    timeout = 60
    server: Server

    def handle(self) -> None:
        """Answer until the client unbinds, hangs up or sends what is no LDAP."""
        try:
            while message := self._message():
                number, (tag, body) = message
                if tag == UNBIND:
                    return
                if tag == BIND:
                    self._answer(number, BIND_ANSWER, self._bind(body))
                else:
                    self._answer(number, SEARCH_DONE if tag == SEARCH else EXTENDED_ANSWER, UNWILLING)
        except (ValueError, IndexError, OSError):
            return

    def _message(self) -> tuple[bytes, tuple[int, bytes]] | None:
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        length = head[1]
        if length & 0x80:
            length = int.from_bytes(self.rfile.read(length & 0x7F), "big")
        if head[0] != 0x30 or length > LONGEST:
            raise ValueError("no LDAP message")
        content = self.rfile.read(length)
        (_, number), rest = _element(content)
        operation, _ = _element(rest)
        return number, operation

    def _bind(self, body: bytes) -> int:
        """The result of a bind: a simple one by the name and password of a login."""
        _, rest = _element(body)  # the version
        (_, name), rest = _element(rest)
        (kind, secret), _ = _element(rest)
        text = name.decode("utf-8", "replace")
        prefix, suffix = DN.split("{}")
        user = text[len(prefix) : len(text) - len(suffix)]
        is_accepted = (
            kind == 0x80
            and text == DN.format(user)
            and bool(secret)
            and logins.is_right(self.server.passwords, user, secret.decode("utf-8", "replace"))
        )
        outcome = "logged in" if is_accepted else "login refused"
        line = {"started_at": now(), "user_name": user[:256], "outcome": outcome}
        with self.server.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        return SUCCESS if is_accepted else INVALID_CREDENTIALS

    def _answer(self, number: bytes, tag: int, result: int) -> None:
        body = _encoded(0x0A, bytes([result])) + _encoded(0x04, b"") + _encoded(0x04, b"")
        self.wfile.write(_encoded(0x30, _encoded(0x02, number) + _encoded(tag, body)))


def _element(content: bytes) -> tuple[tuple[int, bytes], bytes]:
    """The first element of a BER encoding as (tag, content), and what follows it."""
    tag, length, start = content[0], content[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(content[2:start], "big")
    if start + length > len(content):
        raise ValueError("an element is cut off")
    return (tag, content[start : start + length]), content[start + length :]


def _encoded(tag: int, content: bytes) -> bytes:
    """An element of BER; those sent here are short."""
    return bytes([tag, len(content)]) + content


def main(arguments: list[str]) -> Any:
    """Serve until the process ends: port, password file, log."""
    port, passwords, log = arguments
    Server(int(port), Path(passwords), Path(log)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
