"""Every receiver by the name of its type, and those that the settings choose. To add a type: a file beside this, and a line in
RECEIVERS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TextIO

import structlog
from pydantic import BaseModel, ValidationError

from alerts.outbox.receivers.alertmanager_receiver import AlertmanagerReceiver
from alerts.outbox.receivers.console_receiver import ConsoleReceiver
from alerts.outbox.receivers.receiver import ConfiguredReceiver, may_reach
from alerts.outbox.receivers.slack_receiver import SlackReceiver
from alerts.outbox.receivers.webhook_receiver import WebhookReceiver
from alerts.outbox.routes import GROUP_LABELS, Route
from alerts.rules.names import nearest
from alerts.rules.rule import Rule
from alerts.rules_file import read_rules_file
from counterpoise.errors import ConfigError
from counterpoise.runtime.probe import Probe
from counterpoise.settings.model import Settings
from counterpoise.settings.sections.alert_sections import ReceiverSettings
from counterpoise.visible import visible

log = structlog.get_logger(__name__)

AUTO: Final = "auto"
MAX_SHOWN: Final = 80
"""Characters of a name that an error shows."""

RECEIVERS: Final[dict[str, type[ConfiguredReceiver]]] = {
    "slack": SlackReceiver,
    "webhook": WebhookReceiver,
    "alertmanager": AlertmanagerReceiver,
    "console": ConsoleReceiver,
}
"""In the order in which `auto` tries them."""


def choose_receiver(settings: Settings) -> str:
    """The type that the settings give; for `auto` the first that is configured and may be reached from this dataset."""
    asked = settings.alerts.notifier
    if asked == AUTO:
        return next(name for name, receiver in RECEIVERS.items() if receiver.is_configured(settings))
    if asked not in RECEIVERS:
        raise ConfigError(
            f"COUNTERPOISE_ALERTS__NOTIFIER is {asked!r}, expected {AUTO} or one of {', '.join(RECEIVERS)}"
        )
    return asked


def make_receivers(settings: Settings, stream: TextIO) -> tuple[ConfiguredReceiver, ...]:
    """The receivers of the settings; ConfigError names what is missing or wrong. `stream` is the console.

    Where the settings name none, it is one that has the name of its type. Those that this dataset may not reach are left out, and
    the console takes their place if none is left.
    """
    routes(settings)
    made = []
    for name, receiver in settings.alerts.receivers.items():
        own = settings_of(settings, name)
        if not may_reach(own) and RECEIVERS[receiver.type].external:
            log.warning("receiver left out: the dataset is not live", receiver=name, dataset=settings.dataset)
            continue
        try:
            found = RECEIVERS[receiver.type].from_settings(own, stream)
        except ConfigError as error:
            raise ConfigError(f"alerts.receivers.{name}: {error}") from None
        found.name = name
        made.append(found)
    if made:
        return tuple(made)
    chosen = ConsoleReceiver if settings.alerts.receivers else RECEIVERS[choose_receiver(settings)]
    return (chosen.from_settings(settings, stream),)


def probes(settings: Settings) -> Iterator[tuple[str, Probe]]:
    """The result of `counterpoise doctor` on each receiver that is in use or has settings, by its name."""
    try:
        rules_file = read_rules_file(settings.alerts.rules_file)
        check_rules(settings, None if rules_file.mistakes else rules_file.rules)
    except ConfigError as error:
        yield "routes", Probe("problem", str(error))
    if not settings.alerts.receivers:
        yield from ((name, probe) for name, one in RECEIVERS.items() if (probe := one.probe(settings)))
    for name, receiver in settings.alerts.receivers.items():
        try:
            own = settings_of(settings, name)
            probe = RECEIVERS[receiver.type].probe(own)
        except ConfigError as error:
            probe = Probe("problem", str(error))
        if probe is not None:
            yield name, probe


def routes(settings: Settings) -> tuple[Route, ...]:
    """The routes of the settings; ConfigError for one that names a receiver that there is not."""
    known = settings.alerts.receivers
    for at, route in enumerate(settings.alerts.routes, 1):
        for name in route.receivers:
            if name not in known:
                raise ConfigError(
                    f"alerts.routes: route {at} names the receiver {name!r}, expected one of "
                    f"{', '.join(known) or 'alerts.receivers, which has none'}"
                )
    return tuple(
        Route(route.match, frozenset(route.receivers), tuple(dict.fromkeys(route.group_by)))
        for route in settings.alerts.routes
    )


def check_rules(settings: Settings, rules: Iterable[Rule] | None) -> None:
    """Every check of settings and rules together; ConfigError where they do not fit. None: the rules are not known.

    The alerter makes it at its start and at each change of its rules, so that it can start again with the rules in use.
    """
    found = routes(settings)
    if rules is not None:
        check_groups(found, rules)


def check_groups(routes: Sequence[Route], rules: Iterable[Rule]) -> None:
    """ConfigError where `group_by` of a route names no label: neither one of ours nor a rule's own."""
    own = sorted({name for rule in rules for name in rule.labels})
    allowed = (*GROUP_LABELS, *(name for name in own if name not in GROUP_LABELS))
    for at, route in enumerate(routes, 1):
        for name in route.group_by:
            if name not in allowed:
                near = nearest(name, allowed)
                hint = f"perhaps {near!r} was meant, " if near else ""
                raise ConfigError(
                    f"alerts.routes: group_by of route {at} names {visible(name)[:MAX_SHOWN]!r}, {hint}"
                    f"expected labels: {', '.join(allowed)}"
                )


def settings_of(settings: Settings, name: str) -> Settings:
    """The settings with those of a named receiver in the section of its type. ConfigError for a type that there is not, and for a
    setting that its type does not have."""
    receiver = settings.alerts.receivers[name]
    if receiver.type not in RECEIVERS:
        raise ConfigError(f"alerts.receivers.{name}: type is {receiver.type!r}, expected one of {', '.join(RECEIVERS)}")
    given = dict(_given(receiver))
    section = getattr(settings, receiver.type, None)
    known = type(section).model_fields if isinstance(section, BaseModel) else {}
    for field in given:
        if field not in known:
            raise ConfigError(
                f"alerts.receivers.{name}: type {receiver.type} has no setting {field!r}, expected "
                f"{', '.join(sorted(set(known) & set(ReceiverSettings.model_fields))) or 'none beside type'}"
            )
    if not isinstance(section, BaseModel):
        return settings
    values = {field: getattr(section, field) for field in known} | given
    try:
        changed = type(section).model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigError(f"alerts.receivers.{name}: {field}: {first['msg'].removeprefix('Value error, ')}") from None
    return settings.model_copy(update={receiver.type: changed})


def _given(receiver: ReceiverSettings) -> Mapping[str, Any]:
    """The values of a receiver's own settings. A secret given as a value takes the place of the section's file, and the reverse."""
    given = {name: value for name, value in receiver if name != "type" and value is not None}
    for secret in ("token", "secret"):
        if secret in given or f"{secret}_file" in given:
            given = {secret: None, f"{secret}_file": None} | given
    return given
