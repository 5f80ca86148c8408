"""`counterpoise pools reattribute`: attribute every stored block anew and make the result current."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from desk.cli.options import JobJsonOption
from desk.cli.say import say


def reattribute(
    registry: Annotated[
        Path | None, typer.Option("--registry", help="A registry file; the default is the shipped one.")
    ] = None,
    entities: Annotated[
        Path | None, typer.Option("--entities", help="An entity map file; the default is the shipped one.")
    ] = None,
    chain: Annotated[str, typer.Option("--chain", help="The chain whose blocks are attributed anew.")] = "bitcoin",
    as_json: JobJsonOption = False,
) -> None:
    """Attribute every stored block anew, beside the old set, and switch to the result.

    Old numbers stay under their attribution id. Services may keep running: the streams worker follows the switch within seconds.
    Alerts treat it as a new base, not as a crossing.
    """
    from counterpoise.pools.attribution_set import AttributionSet
    from counterpoise.pools.entity_map import load_entity_map
    from counterpoise.pools.registry_file import load_registry
    from desk.cli.job_result import job_result
    from desk.cli.on_dataset import on_dataset
    from streams.blocks.reattribution import reattribute as run_reattribution

    attribution_set = AttributionSet(load_registry(registry), load_entity_map(entities))
    with job_result(as_json) as result:
        with on_dataset() as (clickhouse, progress):
            task = progress.add_task("attributing", total=None)

            def show(at: int, total: int) -> None:
                result.update(dataset=clickhouse.database, chain=chain)
                progress.update(task, completed=at, total=total)

            done = run_reattribution(clickhouse, chain, attribution_set, show)
            result.update(
                dataset=clickhouse.database,
                chain=done.chain,
                blocks=done.blocks,
                changed_blocks=done.changed,
                attribution_id=done.new_id,
                previous_attribution_id=done.old_id,
            )
        if done.old_id == done.new_id:
            say(f"{done.chain}: {done.blocks} blocks, set {done.new_id} was current already; its rows are whole.")
        else:
            say(
                f"{done.chain}: {done.blocks} blocks under set {done.new_id}; {done.changed} have another pool than under "
                f"{done.old_id}, whose numbers stay in the view concentration_of(attribution_id = '{done.old_id}')."
            )
