"""How our HTTP servers run: one loop, no access log, no server header, a bounded number of connections."""

from __future__ import annotations

from typing import Any

import uvicorn


def server_of(
    app: Any, *, max_connections: int, keep_alive_seconds: int, stop_seconds: int, **more: Any
) -> uvicorn.Server:
    """A server for an ASGI application; `more` are further settings of uvicorn. After a stop, requests have `stop_seconds` to end."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=max_connections,
            timeout_keep_alive=keep_alive_seconds,
            timeout_graceful_shutdown=stop_seconds,
            **more,
        )
    )
