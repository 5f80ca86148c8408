"""What an error of Slack's means for a message, by its name: try again, another way, or never."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from slack_sdk.errors import SlackApiError

from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    NotThisWayError,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from alerts.outbox.receivers.slack_files import refusal
from counterpoise.errors import CounterpoiseError

Call = Literal["post", "reply", "edit", "read", "withdraw", "picture"]

_NEVER: Final = frozenset(
    {
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_too_long",
        "msg_blocks_too_long",
        "no_text",
        "too_many_attachments",
        "metadata_too_large",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "metadata_must_be_sent_from_app",
        "attachment_payload_limit_exceeded",
        "markdown_text_conflict",
        "cant_delete_message",
        "duplicate_message_not_found",
    }
)
"""The message itself: it is tried as plain text, and then skipped."""
_OTHER_WAY: Final = frozenset(
    {
        "thread_not_found",
        "message_not_found",
        "cannot_reply_to_message",
        "restricted_action_thread_locked",
        "restricted_action_non_threadable_channel",
        "cant_broadcast_message",
        "edit_window_closed",
        "cant_update_message",
        "is_inactive",
        "block_mismatch",
        "no_dual_broadcast_content_update",
        "streaming_state_conflict",
        "update_failed",
    }
)
"""This thread or this message: a reply goes to the channel, an edit is left out."""
_PERHAPS: Final = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
_SETTINGS: Final = frozenset(
    {
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "not_allowed_token_type",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "restricted_action",
        "restricted_action_read_only_channel",
        "restricted_action_thread_only_channel",
        "messages_tab_disabled",
        "no_permission",
        "access_denied",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "team_access_not_granted",
        "team_not_found",
        "team_added_to_org",
        "external_channel_migrating",
        "org_login_required",
        "two_factor_setup_required",
        "not_allowed",
        "deprecated_endpoint",
        "method_deprecated",
    }
)
"""Token, scopes, channel or workspace: every message waits until somebody has set it right."""


def judge(error: SlackApiError, call: Call) -> CounterpoiseError:
    """What an error of Slack's means for the message of this call.

    A code that is not known here did not get the message accepted either. An edit or a reply has another way; a message that has
    none is tried again beside the others.
    """
    status = int(getattr(error.response, "status_code", 0) or 0)
    data = error.response.data if hasattr(error.response, "data") else error.response
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if not re.fullmatch(r"[a-z0-9_]+", code):
        code = ""  # not Slack's own words: something stands between, or the answer was cut
    if status == 429 or code in ("ratelimited", "rate_limited", "message_limit_exceeded"):
        headers = {name.lower(): value for name, value in dict(getattr(error.response, "headers", {}) or {}).items()}
        return NotAcceptedError("Slack asks us to slow down", _seconds(headers.get("retry-after")))
    if call == "picture" and (refused := refusal(code)) is not None:
        return refused
    if code in _SETTINGS:
        return NotAcceptedError(f"Slack answers {code}: check the token, its scopes and the channel (docs/slack.md)")
    if status >= 500 or code in _PERHAPS or not code:
        return AmbiguousError(f"Slack answered {status}{f' {code}' if code else ''}")
    if code in _NEVER:
        return ReceiverRefusedError(f"Slack refuses the message: {code}")
    if call in {"reply", "edit", "withdraw"} or (call == "read" and code in _OTHER_WAY):
        return NotThisWayError(f"Slack refuses the {call}: {code}")
    if code in _OTHER_WAY:
        return ReceiverRefusedError(f"Slack refuses the message: {code}")
    return UnknownAnswerError(f"Slack answers {code}")


def _seconds(value: Any) -> float:
    first = value[0] if isinstance(value, list) and value else value
    try:
        return min(3_600.0, max(1.0, float(first)))
    except (TypeError, ValueError):
        return 1.0
