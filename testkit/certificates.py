"""A certificate authority of a test's own, and the PEM files that clients and servers are given."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import (
    CertificateBuilder,
    ExtendedKeyUsage,
    IPAddress,
    Name,
    NameAttribute,
    SubjectAlternativeName,
    load_pem_x509_certificate,
    random_serial_number,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from engines.ports import HOST

_LONG_AGO = datetime.now(UTC) - timedelta(days=30)


class Authority:
    """Files in `folder`; `ca_file` is what a client trusts. Two authorities do not trust each other."""

    def __init__(self, folder: Path, name: str = "test") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA(organization_name=name)
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca_file)

    def certificate(
        self, *names: str, expired: bool = False, future: bool = False, file: str = "leaf"
    ) -> tuple[Path, Path]:
        """Files of a certificate (with its chain) and of its key, for these hosts and addresses."""
        leaf = self._ca.issue_cert(
            *(names or (HOST, "localhost")),
            common_name=file,
            not_before=_LONG_AGO + timedelta(days=60) if future else _LONG_AGO,
            not_after=_LONG_AGO + timedelta(days=1) if expired else None,
        )
        certificate, key = self._folder / f"{file}.pem", self._folder / f"{file}-key.pem"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        made = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        key.write_bytes(
            made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )  # the form that Java reads
        key.chmod(0o600)
        return certificate, key

    def rsa_certificate(self, *, file: str, for_servers: bool = True, bits: int = 2048) -> tuple[Path, Path]:
        """As `certificate`, for this machine, with an RSA key of this length that may be a server's, or a client's only."""
        own = load_pem_x509_certificate(self._ca.cert_pem.bytes())
        issuer = cast("ec.EllipticCurvePrivateKey", load_pem_private_key(self._ca.private_key_pem.bytes(), None))
        usage = ExtendedKeyUsageOID.SERVER_AUTH if for_servers else ExtendedKeyUsageOID.CLIENT_AUTH
        key = rsa.generate_private_key(65537, bits)
        made = (
            CertificateBuilder()
            .subject_name(Name([NameAttribute(NameOID.COMMON_NAME, file)]))
            .issuer_name(own.subject)
            .public_key(key.public_key())
            .serial_number(random_serial_number())
            .not_valid_before(_LONG_AGO)
            .not_valid_after(_LONG_AGO + timedelta(days=365))
            .add_extension(SubjectAlternativeName([IPAddress(ip_address(HOST))]), critical=False)
            .add_extension(ExtendedKeyUsage([usage]), critical=False)
            .sign(issuer, SHA256())
        )
        certificate, key_file = self._folder / f"{file}.pem", self._folder / f"{file}-key.pem"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key_file

    def server_context(
        self,
        *names: str,
        expired: bool = False,
        future: bool = False,
        clients: Authority | None = None,
        file: str = "server",
    ) -> ssl.SSLContext:
        """For a server with a certificate of this authority; with `clients`, one that requires certificates of that authority."""
        return self.context_of(*self.certificate(*names, expired=expired, future=future, file=file), clients=clients)

    @staticmethod
    def context_of(certificate: Path, key: Path, *, clients: Authority | None = None) -> ssl.SSLContext:
        """For a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a client is to refuse what is weak
        context.load_cert_chain(certificate, key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.ca_file)
        return context
