"""How every HTTP server of ours that uvicorn runs is set up."""

from __future__ import annotations

from typing import Any, Final

PLAIN_SERVER: Final[dict[str, Any]] = {
    "ws": "none",
    "lifespan": "off",
    "loop": "asyncio",
    "log_config": None,
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
}
"""Arguments of `uvicorn.Config`: HTTP alone, our own logs, and no word about what serves."""
