"""Every table that the alerter reads or writes, over one connection; each table has its own file beside this."""

from __future__ import annotations

from alerts.store.alert_actions_log import AlertActionsLog
from alerts.store.alert_deliveries_log import AlertDeliveriesLog
from alerts.store.alert_events_log import AlertEventsLog
from alerts.store.alert_mutes_log import AlertMutesLog
from alerts.store.alert_receivers_log import AlertReceiversLog
from alerts.store.alert_state_log import AlertStateLog
from alerts.store.attribution_pointer_log import AttributionPointerLog
from alerts.store.blocks_log import BlocksLog
from alerts.store.concentration_log import ConcentrationLog
from alerts.store.dead_letters_log import DeadLettersLog
from alerts.store.epochs_log import EpochsLog
from alerts.store.pool_names_log import PoolNamesLog
from alerts.store.sending_checks import SendingChecks
from counterpoise.clickhouse.client import ClickHouse


class AlertStore:
    """Not safe to share between threads."""

    def __init__(self, ch: ClickHouse) -> None:
        self.ch = ch
        self.actions = AlertActionsLog(ch)
        self.attribution = AttributionPointerLog(ch)
        self.blocks = BlocksLog(ch)
        self.concentration = ConcentrationLog(ch, PoolNamesLog(ch))
        self.dead_letters = DeadLettersLog(ch)
        self.deliveries = AlertDeliveriesLog(ch)
        self.epochs = EpochsLog(ch)
        self.events = AlertEventsLog(ch)
        self.mutes = AlertMutesLog(ch)
        self.receivers = AlertReceiversLog(ch)
        self.sending_checks = SendingChecks(ch)
        self.states = AlertStateLog(ch)
