"""A Java process that does what Python says, over Py4J (a part of pyspark); it ends with the tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from stack import parts
from stack.layout import SMALL


@contextlib.contextmanager
def java_process(classes: Iterable[str | Path], *options: str, errors: int | None = None) -> Iterator[JavaGateway]:
    """A gateway to a process with these jars and options; its standard error goes to `errors`."""
    (py4j,) = parts.pyspark_jars().glob("py4j-*.jar")
    port, token, process = launch_gateway(
        jarpath=str(py4j),
        classpath=os.pathsep.join(map(str, classes)),
        javaopts=[*SMALL, "-Dfile.encoding=UTF-8", "-Duser.timezone=UTC", *options],
        java_path=str(parts.java()),
        die_on_exit=True,
        enable_auth=True,
        return_proc=True,
        redirect_stderr=errors,
    )
    # Without memory management: it would talk to the process whenever Python collects garbage, long after its end.
    parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True, enable_memory_management=False)
    gateway = JavaGateway(gateway_parameters=parameters)
    try:
        yield gateway
    finally:
        gateway.close()
        process.kill()
        process.wait()  # a thread of Py4J reads what it says, to the end
