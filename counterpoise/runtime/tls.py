"""TLS for every client: a context made from `Tls`, and what a failed handshake means.

The one place that makes an `ssl.SSLContext`. Certificates may be renewed while a service runs, so each new client reads the
files anew.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final, Literal

from counterpoise.errors import ConfigError
from counterpoise.settings.security import Tls

TlsFault = Literal[
    "expired",
    "not yet valid",
    "other host",
    "other purpose",
    "weak",
    "untrusted",
    "client certificate",
    "old",
    "plaintext",
]
"""Why a handshake failed, where waiting does not help."""

_VERIFY_CODES: Final[dict[int, TlsFault]] = {
    9: "not yet valid",
    10: "expired",
    26: "other purpose",
    62: "other host",
    64: "other host",
    66: "weak",
    67: "weak",
    68: "weak",
}
"""OpenSSL's codes (x509_vfy.h); every other code is a chain that does not end at a trusted CA."""

_REFUSED_BY_SERVER: Final = (
    "CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
)
_OLD: Final = ("UNSUPPORTED_PROTOCOL", "ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE")
_NOT_TLS: Final = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


def client_context(tls: Tls) -> ssl.SSLContext:
    """A context for clients, TLS 1.2 or newer. ConfigError names the setting and the file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = tls.verify and tls.verify_hostname
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    if tls.ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _require_pem(tls, "CA_FILE", tls.ca_file, "CERTIFICATE")
        try:
            context.load_verify_locations(tls.ca_file)
        except ssl.SSLError as error:
            raise ConfigError(f"{_named(tls, 'CA_FILE', tls.ca_file)}, which is not usable: {_reason(error)}") from None
    if tls.certificate_file is not None:
        _load_certificate(context, tls, tls.certificate_file)
    return context


def unverified_context() -> ssl.SSLContext:
    """For the question whether a port speaks TLS at all: nothing that is secret may be sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def closing_error(
    host: str, port: int, context: ssl.SSLContext, timeout_seconds: float = 2.0, server_name: str | None = None
) -> OSError | None:
    """The error with which a server ends a connection that only listens; None where it ends it in order, or waits.

    In TLS 1.3 a server refuses a client's certificate after the client's handshake is over. A client that sends at once may then see
    a broken connection in place of the alert.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_seconds) as plain,
            context.wrap_socket(plain, server_hostname=server_name or host.rstrip(".")) as connection,
        ):
            connection.recv(1)
    except TimeoutError:
        return None
    except OSError as error:
        return error
    return None


def fault_of(error: BaseException | None) -> TlsFault | None:
    """What `error` shows about the settings or the certificates; None for an error that may pass, or that is not of TLS. Pure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_CODES.get(error.verify_code, "untrusted")
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        if any(part in reason for part in _REFUSED_BY_SERVER):
            return "client certificate"
        if any(part in reason for part in _OLD):
            return "old"
        if any(part in reason for part in _NOT_TLS):
            return "plaintext"
    return None


def handshake_fault(tls: Tls, host: str, port: int, error: BaseException) -> str | None:
    """Why a connection over TLS failed with `error`, and the next step; None where waiting may help or the port has no TLS.

    Where the error gives no reason, the server is asked once more for the alert behind it.
    """
    fault = fault_of(error)
    if fault is None and isinstance(error, OSError | EOFError) and not isinstance(error, TimeoutError):
        alert = closing_error(host, port, client_context(tls), server_name=tls.server_name)
        if alert is not None:
            error, fault = alert, fault_of(alert)
    return None if fault is None or fault == "plaintext" else explain_fault(fault, tls, host, error)


def explain_fault(fault: TlsFault, tls: Tls, host: str, error: BaseException) -> str:
    """What is wrong and the next step, to go after the name of the server. Pure.

    A server may refuse a certificate because it has expired, and the alert names it: the reason is kept.
    """
    p = tls.prefix
    match fault:
        case "expired":
            return "its certificate has expired: renew it on the server, or set this machine's clock"
        case "not yet valid":
            return "its certificate is not valid yet: set this machine's clock, or the server's certificate"
        case "other host":
            name = tls.server_name or host
            return f"its certificate is not for {name!r}: connect to a name that it has, or have {name!r} added to it"
        case "other purpose":
            return "its certificate is not for servers: have one made with the extended key usage serverAuth"
        case "weak":
            return f"its certificate has a key or a signature that is too weak ({_verify_message(error)}): have a stronger one made"
        case "old":
            return f"it offers no version or cipher in common ({_reason(error)}): have it offer TLS 1.2 or newer"
        case "untrusted":
            trusted = "the CAs of the system" if tls.ca_file is None else f"{p}CA_FILE {str(tls.ca_file)!r}"
            return (
                f"its certificate is not signed by {trusted}: set {p}CA_FILE to the CA that signed it, or have it send the "
                "certificates between the two"
            )
        case "client certificate":
            own = (
                "no client certificate is set" if tls.certificate_file is None else f"it refuses {tls.certificate_file}"
            )
            return f"{own} ({_reason(error)}): set {p}CERTIFICATE_FILE and {p}KEY_FILE to a valid one that it trusts"
        case "plaintext":
            return "this port does not use TLS"


def _verify_message(error: BaseException) -> str:
    return str(getattr(error, "verify_message", error))


def _reason(error: BaseException) -> str:
    """OpenSSL's reason in words: `TLSV13_ALERT_CERTIFICATE_REQUIRED` is `certificate required`."""
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    for head in ("TLSV13_ALERT_", "TLSV1_ALERT_", "SSLV3_ALERT_"):
        reason = reason.removeprefix(head)
    return reason.replace("_", " ").lower()


def _named(tls: Tls, name: str, file: Path) -> str:
    return f"{tls.prefix}{name} names {str(file)!r}"


def _require_pem(tls: Tls, name: str, file: Path, kind: str) -> bytes:
    """The file's bytes; ConfigError where it cannot be read or holds nothing of this kind."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{_named(tls, name, file)}, which cannot be read: {error.strerror or error}") from None
    if b"-----BEGIN " not in raw or kind.encode() not in raw:
        raise ConfigError(f"{_named(tls, name, file)}, which holds no {kind.lower()} in PEM form")
    return raw


def _load_certificate(context: ssl.SSLContext, tls: Tls, certificate: Path) -> None:
    """ConfigError for a file that is missing, a key that is encrypted or of another certificate. Never asks at the terminal."""
    _require_pem(tls, "CERTIFICATE_FILE", certificate, "CERTIFICATE")
    name, key = ("CERTIFICATE_FILE", certificate) if tls.key_file is None else ("KEY_FILE", tls.key_file)
    raw = _require_pem(tls, name, key, "PRIVATE KEY")
    encrypted = b"ENCRYPTED" in raw
    password = "" if tls.key_password is None else tls.key_password.get_secret_value()
    if encrypted and not password:
        raise ConfigError(f"{_named(tls, name, key)}, whose key is encrypted: set {tls.prefix}KEY_PASSWORD_FILE")
    try:
        context.load_cert_chain(certificate, tls.key_file, password)
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in (error.reason or ""):
            said = f"which is not the key of {str(certificate)!r}"
        elif encrypted:
            said = f"whose key {tls.prefix}KEY_PASSWORD does not open"
        else:
            said = f"which is not usable: {_reason(error)}"
        raise ConfigError(f"{_named(tls, name, key)}, {said}") from None
