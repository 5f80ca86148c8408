"""What one HTTP request asks for: guards, credentials, parameters and its body, before any engine is touched."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import lz4.frame

from counterpoise.urls import split_url
from engines.clickhouse.engine_session import Setting

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK_BYTES: Final = 1 << 20
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Parameters of the interface itself; every other one is a setting.
_INTERFACE: Final = frozenset(
    (
        "query",
        "database",
        "user",
        "password",
        "default_format",
        "query_id",
        "session_id",
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
        "wait_end_of_query",
        "buffer_size",
        "quota_key",
        "client_protocol_version",
        "enable_http_compression",
        "readonly",
    )
)

# Those of them that a form may hold: the others are needed before a body is read.
_FORM_FIELDS: Final = frozenset({"query", "database", "default_format", "wait_end_of_query", "buffer_size"})


class Headers:
    """Headers by name, in any case; of several of one name, the first."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            self._values.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def get(self, name: str) -> str | None:
        return self._values.get(name.lower())


def refuse_ambiguous(head: bytes) -> None:
    """Raise 400 for a head whose body two readers could end in different places.

    The parser passes over a second Content-Length of the same value, and over one beside Transfer-Encoding.
    """
    pairs = [line.partition(b":")[::2] for line in head.split(b"\n")[1:]]
    names = [name.strip().lower() for name, _ in pairs]
    lengths, codings = names.count(b"content-length"), names.count(b"transfer-encoding")
    if lengths + codings > 1:
        raise HttpError(400, "More than one of Content-Length and Transfer-Encoding.")
    if any(
        name == b"content-length" and not value.strip().isdigit() for name, (_, value) in zip(names, pairs, strict=True)
    ):
        raise HttpError(400, "Content-Length is not a number.")
    if any(line[:1] in (b" ", b"\t") for line in head.split(b"\n")[1:]):
        raise HttpError(400, "A header that continues in another line.")


class HttpError(Exception):
    """A request that is answered with a status and one line, and not read any further."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def refuse_foreign(headers: Headers, host: str, port: int, allowed: frozenset[str] = frozenset()) -> None:
    """Raise 403 for a Host that is not ours (DNS rebinding) and for an Origin that is another site's (403).

    `allowed` are more names of hosts, with any port: a forwarded port has another number on its other side.
    """
    if _name_of("//" + (headers.get("Host") or "")) in allowed and headers.get("Origin") is None:
        return
    names = _LOOPBACK | {host}
    if not _is_ours("//" + (headers.get("Host") or ""), names, port):
        raise HttpError(
            403,
            "The Host header does not name this server's loopback address and port; "
            "COUNTERPOISE_EMBEDDED__ALLOWED_HOSTS or --allowed-host adds a name for a forwarded port.",
        )
    origin = headers.get("Origin")
    if origin is not None and not (origin.startswith("http://") and _is_ours(origin, names, port)):
        raise HttpError(403, "Requests from other origins are refused.")


def _is_ours(url: str, names: frozenset[str], port: int) -> bool:
    parts = split_url(url)
    return parts.hostname in names and parts.port == port


def _name_of(url: str) -> str | None:
    return split_url(url).hostname


def credentials(headers: Headers, parameters: Mapping[str, str]) -> tuple[str, bytes]:
    """User and password from the X-ClickHouse headers, Basic, or the URL, whichever is there first."""
    user, key = headers.get("X-ClickHouse-User"), headers.get("X-ClickHouse-Key")
    if user is not None or key is not None:
        return user or "default", (key or "").encode("latin-1")
    scheme, _, encoded = (headers.get("Authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        except ValueError:  # binascii.Error is one
            raise HttpError(400, "The Authorization header is not valid base64.") from None
        return name.decode("utf-8", "replace") or "default", password
    return parameters.get("user") or "default", parameters.get("password", "").encode()


class Request:
    """The parameters of a request. `query_parameters` fill `{name:Type}`; `settings` are every one that is left over."""

    def __init__(self, target: str, headers: Headers) -> None:
        parts = split_url(target)
        self.path = parts.path
        self.headers = headers
        self.given = dict(parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape"))
        self._read()

    def add_form(self, fields: Mapping[str, str], describing: Container[str]) -> None:
        """Take the fields of a form for parameters, too; those in `describing` are of external tables, and no settings.

        HttpError (400) for a parameter that came twice, and for one that is read before the body is.
        """
        for name in fields:
            if name in self.given or (name in _INTERFACE and name not in _FORM_FIELDS):
                raise HttpError(400, f"The form's field {name} belongs into the URL, and only once.")
        self.given.update(fields)
        self._read(describing)

    def _read(self, describing: Container[str] = ()) -> None:
        headers = self.headers
        self.query = self.given.get("query", "")
        self.database = self.given.get("database") or headers.get("X-ClickHouse-Database") or ""
        self.format = self.given.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated"
        version = self.given.get("client_protocol_version", "")
        self.revision = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
        self.query_parameters = {k.removeprefix("param_"): v for k, v in self.given.items() if k.startswith("param_")}
        self.settings = {
            name: Setting(value, important=True)
            for name, value in self.given.items()
            if name not in _INTERFACE and not name.startswith("param_") and name not in describing
        }

    @property
    def read_only(self) -> bool:
        """Whether the request itself asks to be read only, through the setting of that name."""
        return self.given.get("readonly", "0") != "0"

    def flag(self, name: str) -> bool:
        return self.given.get(name, "0") not in ("", "0", "false")


class Body:
    """A request's body, unpacked as it is read; more than `limit_bytes` unpacked raises 413.

    `received` gives it as it comes, without the transfer's own coding. Nothing is read before `pieces` is.
    """

    def __init__(self, received: Iterator[bytes], headers: Headers, limit_bytes: int) -> None:
        self._received = received
        self._limit = limit_bytes
        coding = (headers.get("Content-Encoding") or "identity").strip().lower()
        if coding == "zstd":
            self._received, coding = _unzstd(received), "identity"
        self._unpack = _unpacker(coding)

    def pieces(self) -> Iterator[bytes]:
        """The unpacked body, piece by piece; once."""
        total = 0
        for packed in self._received:
            for piece in self._unpack(packed):
                total += len(piece)
                if total > self._limit:
                    raise HttpError(413, f"A body of more than {self._limit} bytes is refused.")
                yield piece


def _unpacker(coding: str) -> Callable[[bytes], Iterator[bytes]]:
    """Unpack in pieces of bounded size, so that a small body cannot become a large one unseen."""
    if coding in ("identity", ""):
        return lambda packed: iter((packed,))
    if coding in ("gzip", "x-gzip", "deflate"):
        inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, whichever it is

        def unzip(packed: bytes) -> Iterator[bytes]:
            try:
                while packed:
                    yield inflate.decompress(packed, _CHUNK_BYTES)
                    packed = inflate.unconsumed_tail
            except zlib.error as error:
                raise HttpError(400, f"The body is not valid {coding}: {error}.") from None

        return unzip
    if coding == "lz4":
        frame = lz4.frame.LZ4FrameDecompressor()

        def unlz4(packed: bytes) -> Iterator[bytes]:
            try:
                yield frame.decompress(packed, _CHUNK_BYTES)
                while not frame.needs_input and not frame.eof:
                    yield frame.decompress(b"", _CHUNK_BYTES)
            except (RuntimeError, EOFError) as error:
                raise HttpError(400, f"The body is not valid lz4: {error}.") from None

        return unlz4
    raise HttpError(415, f"Content-Encoding {coding} is not supported: use gzip, deflate, lz4, zstd or none.")


def _unzstd(received: Iterator[bytes]) -> Iterator[bytes]:
    """A body in zstd, in pieces of bounded size."""
    import pyarrow  # noqa: PLC0415 - slow to import, and few clients need it

    try:
        with pyarrow.CompressedInputStream(pyarrow.PythonFile(_Source(received), mode="r"), "zstd") as stream:
            while piece := stream.read(_CHUNK_BYTES):
                yield piece
    except (OSError, pyarrow.ArrowException) as error:
        raise HttpError(400, f"The body is not valid zstd: {error}.") from None


class _Source(io.RawIOBase):
    """Pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        view = memoryview(buffer)
        taken, self._left = self._left[: len(view)], self._left[len(view) :]
        view[: len(taken)] = taken
        return len(taken)
