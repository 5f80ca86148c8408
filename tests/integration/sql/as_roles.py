"""Statements run under roles, by the engine itself: a process of its own, because the embedded server lets nobody make roles.

Reads `{"config": …, "data": …, "steps": [[role, statement], …]}` from its standard input; without a role, null. Writes
`{"codes": …, "log": …}`: one error code a step, 0 for none, and with `"log": true` the statements in the engine's query log.
"""

from __future__ import annotations

import json
import re
import sys

from chdb.state.sqlitelike import connect


def main() -> None:
    """Run the steps in order; a role holds until another one is named."""
    asked = json.load(sys.stdin)
    engine = connect(f"{asked['data']}?config-file={asked['config']}")
    now, codes = None, []
    for role, statement in asked["steps"]:
        if role != now:
            engine.query(f"SET ROLE {role}")
            now = role
        try:
            engine.query(statement)
        except Exception as error:  # the engine has one class for everything
            code = re.match(r"Code: (\d+)", str(error))
            codes.append(int(code[1]) if code else -1)
        else:
            codes.append(0)
    log = []
    if asked.get("log"):
        engine.query("SYSTEM FLUSH LOGS")
        rows = str(engine.query("SELECT query FROM system.query_log WHERE type != 'QueryStart'", "JSONEachRow"))
        log = [json.loads(row)["query"] for row in rows.splitlines()]
    json.dump({"codes": codes, "log": log}, sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
