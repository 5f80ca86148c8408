"""Pictures in Slack: an upload in three calls, of which only the last one is visible.

files.getUploadURLExternal gives an address, the file goes there without the token, and files.completeUploadExternal shows it in the
thread. The app needs the scope files:write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from slack_sdk import WebClient

from alerts.outbox.alert_chart import Picture
from alerts.outbox.receivers.receiver import ReceiverRefusedError, UnknownAnswerError
from alerts.outbox.receivers.receiver_request import check_url, judge, request
from counterpoise.errors import ConfigError
from counterpoise.urls import shown_url

UPLOAD_SECONDS: Final = 5.0
"""Of each call: other messages wait meanwhile."""

REFUSALS: Final[Mapping[str, str]] = {
    "missing_scope": "the app lacks the scope files:write (docs/slack.md)",
    "not_allowed_token_type": "the token may not upload files",
    "file_uploads_disabled": "the workspace does not allow uploads",
    "file_uploads_except_images_disabled": "the workspace does not allow uploads",
    "file_type_not_allowed": "the workspace does not allow PNG files",
    "storage_limit_reached": "the workspace has no room for files",
    "storage_limit_exceeded": "the workspace has no room for files",
}
"""Errors that hold for every picture, not for messages: the picture is left out."""

Ask = Callable[[Callable[[WebClient], Any]], Any]
"""Makes a call with a client, and raises what its failure means."""


def refusal(code: str) -> ReceiverRefusedError | None:
    """What an error code means for a picture; None where it means the same as for a message."""
    reason = REFUSALS.get(code)
    return None if reason is None else ReceiverRefusedError(f"Slack refuses the picture: {code}: {reason}")


def upload(ask: Ask, picture: Picture) -> str:
    """Upload a picture, which is not visible yet, and return the file's id."""
    answer = ask(
        lambda client: client.files_getUploadURLExternal(
            filename=picture.name, length=len(picture.png), alt_txt=picture.alt
        )
    )
    file_id, url = str(answer.get("file_id") or ""), str(answer.get("upload_url") or "")
    if not file_id:
        raise UnknownAnswerError("Slack names no file for an upload")
    try:
        check_url("the address of Slack's upload", url, clear_text="the picture would travel in the clear")
    except ConfigError as error:
        raise UnknownAnswerError(str(error)) from None
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(len(picture.png))}
    judge(request("POST", url, picture.png, headers, timeout_seconds=UPLOAD_SECONDS), shown_url(url, path=False))
    return file_id


def show(ask: Ask, file_id: str, picture: Picture, *, channel: str, thread: str) -> None:
    """Show an uploaded file in a thread."""
    ask(
        lambda client: client.files_completeUploadExternal(
            files=[{"id": file_id, "title": picture.title}], channel_id=channel, thread_ts=thread
        )
    )
