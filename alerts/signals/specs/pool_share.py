"""The share of one pool, or of one entity under the view `entity`.

A window names its six largest. Of any other pool only that it is no larger than the sixth is known: its share lies between nothing
and the sixth share, and a rule judges it where both ends give the same answer.
"""

from __future__ import annotations

import numpy as np

from alerts.signals.signal import FloatArray, Measured, Signal, SignalSql, SignalSubject
from alerts.signals.window_counts import WindowCounts, places
from counterpoise.metrics.counts import ratio
from counterpoise.metrics.spec import UNIT_RANGE
from counterpoise.windows import LEADERS


def _measure(series: WindowCounts, pool: str) -> Measured:
    code = places(series.names).get(pool, -1)
    its = (series.leaders == code) & (series.counts > 0)
    blocks = (series.counts * its).sum(axis=1)
    named = its.any(axis=1)
    low: FloatArray = ratio(np.where(named, blocks, 0), series.n)
    others = np.where(series.pools_seen > LEADERS, series.counts[:, LEADERS - 1], 0)
    most = np.where(named, blocks, others)
    return Measured(low, ratio(most, series.n), ratio(most + series.unknown, series.n))


def _sql(subject: SignalSubject) -> SignalSql:
    code = (
        f"(SELECT maxOrNull(code) FROM pool_names_log FINAL WHERE attribution_id = '{subject.attribution_id}' "  # noqa: S608
        f"AND view = '{subject.view}' AND slug = '{subject.pool}')"
    )
    blocks = " + ".join(f"if(l{rank} = pool_code, c{rank}, 0)" for rank in range(1, LEADERS + 1))
    most = f"if(pool_blocks > 0, pool_blocks, if(pools_seen > {LEADERS}, c{LEADERS}, 0))"
    terms = (("pool_code", code), ("pool_blocks", blocks), ("pool_most", most))
    return SignalSql("pool_most / n", "(pool_most + unknown) / n", terms, low="pool_blocks / n")


SIGNALS = (
    Signal(
        name="pool_share",
        title="share of {pool}",
        unit="share",
        kind="percent",
        range=UNIT_RANGE,
        comment="Share of one pool, or of one entity under the view `entity`: a lower bound, because unknown blocks may be its own",
        measure=_measure,
        sql=_sql,
        per_pool=True,
    ),
)
