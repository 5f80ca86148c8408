"""Files of the local workspace: an upload in three calls. A file is visible once it was completed in a thread."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

UPLOAD_PATH: Final = "/upload/"


@dataclass(slots=True)
class SlackFile:
    """One file: `content` once it was uploaded, `thread_ts` once it is shown."""

    id: str
    name: str
    length: int
    alt: str
    content: bytes = b""
    title: str = ""
    channel: str = ""
    thread_ts: str = ""


@dataclass(slots=True)
class Uploads:
    """All files, by their ids."""

    files: dict[str, SlackFile] = field(default_factory=dict)

    @property
    def shown(self) -> list[SlackFile]:
        """What people see, oldest first."""
        return [found for found in self.files.values() if found.channel]

    def get_upload_url(self, arguments: dict[str, Any], origin: str) -> dict[str, Any]:
        """files.getUploadURLExternal; `origin` is the server's address."""
        name, length = str(arguments.get("filename") or ""), int(arguments.get("length") or 0)
        if not name or length <= 0:
            return {"ok": False, "error": "invalid_arguments"}
        file_id = f"F{secrets.token_hex(8).upper()}"
        self.files[file_id] = SlackFile(file_id, name, length, str(arguments.get("alt_txt") or ""))
        return {"ok": True, "upload_url": f"{origin}{UPLOAD_PATH}{file_id}", "file_id": file_id}

    def take(self, file_id: str, body: bytes) -> int:
        """The status of an upload to the secret address that was given. A file is uploaded once."""
        found = self.files.get(file_id)
        if found is None or found.content or len(body) != found.length:
            return 400
        found.content = body
        return 200

    def complete(self, arguments: dict[str, Any], channels: tuple[str, ...], threads: frozenset[str]) -> dict[str, Any]:
        """files.completeUploadExternal: a file is completed once, in a thread that exists."""
        given = arguments.get("files") or []
        named = json.loads(given) if isinstance(given, str) else given
        for one in named:
            found = self.files.get(str(one.get("id")))
            if found is None or not found.content or found.channel:
                return {"ok": False, "error": "file_not_found"}
            if arguments.get("channel_id") not in channels:
                return {"ok": False, "error": "channel_not_found"}
            if arguments.get("thread_ts") not in threads:
                return {"ok": False, "error": "thread_not_found"}
            found.channel, found.thread_ts = str(arguments["channel_id"]), str(arguments["thread_ts"])
            found.title = str(one.get("title") or "")
        return {"ok": True, "files": [{"id": one["id"]} for one in named]}
