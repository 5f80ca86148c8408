"""A certificate authority of a test's own, and the PEM files that clients and servers are given."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

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

    def certificate(self, *names: str, expired: bool = False, file: str = "leaf") -> tuple[Path, Path]:
        """Files of a certificate (with its chain) and of its key, for these hosts and addresses."""
        leaf = self._ca.issue_cert(
            *(names or (HOST, "localhost")),
            common_name=file,
            not_before=_LONG_AGO,
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

    def server_context(
        self, *names: str, expired: bool = False, clients: Authority | None = None, file: str = "server"
    ) -> ssl.SSLContext:
        """For a server with a certificate of this authority; with `clients`, one that requires certificates of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(*names, expired=expired, file=file))
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients.ca_file)
        return context
