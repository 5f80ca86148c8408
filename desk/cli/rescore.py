"""`counterpoise rescore`: score every stored block anew, in place."""

from __future__ import annotations

from typing import Annotated

import typer

from desk.cli.say import say


def rescore(
    chain: Annotated[str | None, typer.Option("--chain", help="One chain; the default is every stored one.")] = None,
) -> None:
    """Score stored blocks anew after an upgrade that stores more columns or sums. Resumes where it was interrupted.

    Services may keep running. Chains whose rows already have this version's format stay unchanged.
    """
    from desk.cli.on_dataset import on_dataset
    from streams.blocks.loader import stored_chains
    from streams.blocks.rescoring import rescore as run_rescore

    with on_dataset() as (clickhouse, progress):
        for name in stored_chains(clickhouse) if chain is None else [chain]:
            task = progress.add_task(f"scoring {name}", total=None)
            done = run_rescore(
                clickhouse,
                name,
                lambda at, total, task=task: progress.update(task, completed=at, total=total),  # type: ignore[misc]
            )
            say(
                f"{name}: {done.scored} of {done.blocks} blocks scored anew"
                if done.scored
                else f"{name}: nothing to do"
            )
