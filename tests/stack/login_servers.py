"""Servers that ask who one is: certificates, an LDAP directory, a Kerberos KDC and HiveServer2s that believe them.

Directory and KDC live in one Java process that Py4J (a part of pyspark) drives; everything listens on 127.0.0.1 only.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

from etl.settings import Settings
from stack import engines, parts, processes
from stack.layout import HOST, SMALL, Layout, write_xml

LOCK = Path(__file__).with_name("jars.lock")
PEOPLE = "ou=people,dc=example,dc=org"
REALM = "WAREHOUSE.TEST"
KEYSTORE = "keystore"  # its password: what it guards lasts as long as the tests


# Certificates


class Authority:
    """Who signs certificates; `pem` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0), days=1)
        self.pem = folder / f"{name}.pem"
        self.pem.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType, days: int
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(extension, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, address: str, days: int = 1) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A key and its certificate for an IP address, valid from two days ago until in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        return key, self._sign(name, key, names, days)

    def keystore(self, path: Path, address: str) -> Path:
        """The same as the PKCS12 file that a Java server takes it from."""
        key, certificate = self.issue(address)
        secret = BestAvailableEncryption(KEYSTORE.encode())
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, certificate, [self.certificate], secret))
        return path


@contextlib.contextmanager
def handshakes(authority: Authority, folder: Path, days: int) -> Iterator[int]:
    """A port that greets by a certificate with so many days left and then hangs up: what comes later is no matter."""
    key, certificate = authority.issue(HOST, days)
    pem = folder / "handshakes.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the port was closed
                return
            with contextlib.suppress(OSError), connection:
                context.wrap_socket(connection, server_side=True).close()

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)  # a close alone would leave `accept` waiting
    thread.join()


# Directory and KDC


@contextlib.contextmanager
def gateway() -> Iterator[JavaGateway]:
    """A Java process that does what Python says, with the jars of Hive and of tests/stack/jars.lock."""
    jars = parts.locked(LOCK)
    if missing := [jar for jar in jars if not parts.is_genuine(jar)]:
        failure = parts.fetch(missing)
        assert all(parts.is_genuine(jar) for jar in missing), failure
    [py4j] = parts.pyspark_jars().glob("py4j-*.jar")
    port, token, process = launch_gateway(
        jarpath=str(py4j),
        classpath=os.pathsep.join([*(str(jar.path) for jar in jars), f"{parts.SHARE}/hive/*"]),
        javaopts=["-Xmx128m", *SMALL, "-Dfile.encoding=UTF-8"],
        java_path=str(parts.java()),
        die_on_exit=True,
        enable_auth=True,
        return_proc=True,
    )
    # Without memory management: it would talk to the process whenever Python collects garbage, long after its end.
    java = JavaGateway(
        gateway_parameters=GatewayParameters(port=port, auth_token=token, enable_memory_management=False)
    )
    try:
        yield java
    finally:
        java.close()
        process.kill()
        process.wait()  # a thread of Py4J reads what it says, to the end


def _array(java: JavaGateway, kind: Any, *items: Any) -> Any:
    array = java.new_array(kind, len(items))
    for n, item in enumerate(items):
        array[n] = item
    return array


def directory(java: JavaGateway, passwords: Mapping[str, str]) -> int:
    """The port of a fresh LDAP server that knows these users and their passwords."""
    kind, text = java.jvm.com.unboundid.ldap.listener, java.jvm.java.lang.String
    config = kind.InMemoryDirectoryServerConfig(_array(java, text, PEOPLE))
    config.setSchema(None)
    local = java.jvm.java.net.InetAddress.getByName(HOST)
    listener = kind.InMemoryListenerConfig("ldap", local, 0, None, None, None)
    config.setListenerConfigs(_array(java, kind.InMemoryListenerConfig, listener))
    server = kind.InMemoryDirectoryServer(config)
    server.add(PEOPLE, _attributes(java, {"objectClass": "organizationalUnit", "ou": "people"}))
    for user, password in passwords.items():
        person = {"objectClass": "inetOrgPerson", "uid": user, "cn": user, "sn": user, "userPassword": password}
        server.add(f"uid={user},{PEOPLE}", _attributes(java, person))
    server.startListening()
    return int(server.getListenPort())


def _attributes(java: JavaGateway, values: Mapping[str, str]) -> Any:
    kind = java.jvm.com.unboundid.ldap.sdk.Attribute
    return _array(java, kind, *(kind(name, value) for name, value in values.items()))


def kdc(java: JavaGateway, folder: Path, users: Mapping[str, str], services: list[str]) -> tuple[Path, Path]:
    """Start a KDC that knows these users and services; the krb5.conf to use it and the keytab of the services."""
    file = java.jvm.java.io.File
    server = java.jvm.org.apache.kerby.kerberos.kerb.server.SimpleKdcServer()
    server.setWorkDir(file(str(folder)))
    server.setKdcRealm(REALM)
    server.setKdcHost(HOST)
    server.setAllowUdp(False)
    port = free_port()
    server.setKdcTcpPort(port)
    server.init()
    server.start()
    for user, password in users.items():
        server.createPrincipal(f"{user}@{REALM}", password)
    keytab = folder / "services.keytab"
    for service in services:
        server.createPrincipal(f"{service}@{REALM}")
        server.exportPrincipal(f"{service}@{REALM}", file(str(keytab)))
    conf = folder / "krb5.conf"  # the KDC left one of the same name, which lets names be looked up in the DNS
    conf.write_text(
        f"[libdefaults]\n default_realm = {REALM}\n udp_preference_limit = 1\n dns_canonicalize_hostname = false\n"
        " rdns = false\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        f"[realms]\n {REALM} = {{\n  kdc = {HOST}:{port}\n }}\n"
    )
    return conf, keytab


# HiveServer2


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def hiveserver2(
    stack: Settings,
    home: Path,
    properties: Mapping[str, Any],
    core: Mapping[str, Any] | None = None,
    options: tuple[str, ...] = (),
) -> Iterator[str]:
    """The address of one more HiveServer2 on the metastore and HDFS of a running stack, with further properties.

    Its files lie in `home`; `core` adds to its core-site.xml, `options` to the options of its Java.
    """
    ports = {**processes.read(stack)["ports"], "hiveserver2": free_port()}
    layout = Layout(stack.model_copy(update={"home": home}), ports)
    server = engines.hiveserver2(layout)
    conf, shared = layout.folder("conf", "hiveserver2"), layout.folder("conf", "client")
    own = {
        "hive.server2.max.start.attempts": 1,  # what it stands on is there already
        "hive.server2.tez.initialize.default.sessions": "false",
        **properties,
    }
    for path, more in ((conf / "hiveserver2-site.xml", own), (shared / "core-site.xml", core or {})):
        write_xml(path, {**_read_xml(path), **more})
    command = [server.command[0], *(word for word in server.command[1:] if not word.startswith("-Xmx"))]
    command[1:1] = ["-Xmx512m", *options]
    started, writer = processes._start(layout, dataclasses.replace(server, command=command))
    try:
        processes._wait(layout, [server], {server.name: started}, {server.name: writer})
        yield layout.address("hiveserver2")
    finally:
        processes.stop(started)


def _read_xml(path: Path) -> dict[str, str]:
    rows = ElementTree.parse(path).getroot()  # noqa: S314 (a file that the project wrote itself)
    return {row.findtext("name", ""): row.findtext("value", "") for row in rows}
