"""A session with servers that are none."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from etl.errors import ServerError
from etl.servers.hive import Hive
from etl.settings import Settings


@contextlib.contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """The port of a server that accepts, then says this and nothing else; None to say nothing and stay."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer = listener.accept()[0]
                    kept.append(peer)
                    if answer is not None:
                        peer.recv(1 << 16)  # what is left unread would reset the connection
                        peer.sendall(answer)
                        peer.close()

        threading.Thread(target=serve, daemon=True).start()
        yield int(listener.getsockname()[1])
        for peer in kept:
            peer.close()


@pytest.mark.parametrize("auth", ["NONE", "NOSASL"])
@pytest.mark.parametrize("answer", [None, b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"\xff" * 64])
def test_a_server_that_speaks_otherwise_or_not_at_all_is_told_in_time(auth: str, answer: bytes | None) -> None:
    with listening(answer) as port:
        given = Settings(hiveserver2=f"127.0.0.1:{port}", engine="hive", hive_auth=auth, hive_connect_seconds=1)
        began = time.monotonic()
        with pytest.raises(ServerError) as caught:
            Hive(given)
        assert time.monotonic() - began < 5
        message = str(caught.value)
        assert (
            f"hive at 127.0.0.1:{port}" in message
            and "--engine hive" in message
            and "\n" not in message
            and len(message) < 600
        )


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a'b", "-a", "a\nb", "a" * 300, "ünï"])
def test_a_user_that_is_no_name_is_refused_before_it_is_sent(name: str) -> None:
    with pytest.raises(ValueError, match="hive_user"):
        Settings(hive_user=name)


def test_a_spark_whose_memory_a_statement_took_is_named_with_the_remedy() -> None:
    hive = Hive.__new__(Hive)
    hive.address = "spark at 127.0.0.1:1"
    error = hive._failed(
        "SELECT 1", Exception("IllegalStateException: Cannot call methods on a stopped SparkContext.\nThis")
    )
    assert isinstance(error, ServerError)
    assert str(error) == (
        "spark at 127.0.0.1:1 has stopped, though its process lives: a statement took its memory; "
        "run ./warehouse down, then ./warehouse up"
    )
