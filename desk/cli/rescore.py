"""`counterpoise rescore`: score every stored block anew, in place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from desk.cli.options import JobJsonOption
from desk.cli.say import say

if TYPE_CHECKING:
    from rich.progress import TaskID


def rescore(
    chain: Annotated[str | None, typer.Option("--chain", help="One chain; the default is every stored one.")] = None,
    as_json: JobJsonOption = False,
) -> None:
    """Score stored blocks anew after an upgrade that stores more columns or sums. Resumes where it was interrupted.

    Services may keep running. Chains whose rows already have this version's format stay unchanged.
    """
    from desk.cli.job_result import job_result
    from desk.cli.on_dataset import on_dataset
    from streams.blocks.loader import stored_chains
    from streams.blocks.rescoring import rescore as run_rescore

    with job_result(as_json) as result, on_dataset() as (clickhouse, progress):
        chains: list[dict[str, object]] = []
        begun = {"dataset": clickhouse.database, "chains": chains}

        def show(task: TaskID, at: int, total: int) -> None:
            result.update(begun)
            progress.update(task, completed=at, total=total)

        for name in stored_chains(clickhouse) if chain is None else [chain]:
            task = progress.add_task(f"scoring {name}", total=None)
            done = run_rescore(clickhouse, name, partial(show, task))
            chains.append({"chain": name, "blocks": done.blocks, "scored_blocks": done.scored})
            say(
                f"{name}: {done.scored} of {done.blocks} blocks scored anew"
                if done.scored
                else f"{name}: nothing to do"
            )
        result.update(begun)
