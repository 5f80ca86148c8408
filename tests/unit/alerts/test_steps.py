"""Steps of one alert: a lower one says nothing while a higher one fires."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.policy import inhibitor_of
from alerts.rules.steps import steps_above
from alerts.rules_file import parse_rules_file

NAMES = ("a", "b", "c", "d")
higher_steps = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES))


@st.composite
def alerts(draw: st.DrawFn) -> dict[str, str]:
    found = {
        "rule": draw(st.sampled_from(NAMES)),
        "chain": draw(st.sampled_from(["bitcoin", "litecoin"])),
        "alert": draw(st.sampled_from([f"{number:016x}" for number in range(6)])),
    }
    instance = draw(st.sampled_from([None, None, "x", "y"]))
    return found if instance is None else found | {"instance": instance}


@given(higher_steps, st.sampled_from(NAMES))
def test_the_steps_above_a_rule_end_whatever_the_file_says(higher: dict[str, str], name: str) -> None:
    above = steps_above(name, higher)
    assert name not in above and len(set(above)) == len(above)
    path = [name, *above]
    assert all(higher[lower] == upper for lower, upper in zip(path, above, strict=False))
    assert above or higher.get(name) in (None, name)


@given(alerts(), st.lists(alerts(), max_size=6), higher_steps)
def test_an_alert_is_kept_back_exactly_while_a_higher_step_fires_beside_it(
    alert: dict[str, str], firing: list[dict[str, str]], higher: dict[str, str]
) -> None:
    above = steps_above(alert["rule"], higher)
    found = inhibitor_of(alert, firing, above)
    beside = {
        other["rule"]
        for other in firing
        if other["chain"] == alert["chain"]
        and other["alert"] != alert["alert"]
        and (other.get("instance", "") in ("", alert.get("instance", "")) or "instance" not in alert)
    }
    assert (found is not None) == bool(beside.intersection(above))
    assert found is None or found in beside
    assert inhibitor_of(alert, [], above) is None


RULE = "  - {{id: {id}, type: top_share, above: 0.7, clear_below: 0.7, inhibited_by: {by}}}\n"


def mistakes(**steps: str) -> list[str]:
    text = "version: 1\nrules:\n" + "".join(RULE.format(id=name, by=by) for name, by in steps.items())
    return [one.problem for one in parse_rules_file(text, "f").mistakes]


def test_a_step_names_another_rule_of_the_file_and_steps_end() -> None:
    assert mistakes(low="high", high="null") == []
    assert mistakes(low="hihg", high="null") == [
        "rule 'low' (number 1): field 'inhibited_by' is 'hihg', perhaps 'high' was meant, "
        "expected the id of another rule of this file"
    ]
    [alone] = mistakes(low="low")
    assert alone.endswith("field 'inhibited_by' is 'low', expected the id of another rule of this file")
    first, second = mistakes(low="high", high="low")
    assert first.endswith("expected a rule that is not below this one (low → high → low)")
    assert second.endswith("expected a rule that is not below this one (high → low → high)")


def test_a_step_is_no_edit_of_its_rule() -> None:
    one, other = (
        parse_rules_file("version: 1\nrules:\n" + RULE.format(id="low", by=by) + RULE.format(id="high", by="null"), "f")
        for by in ("high", "null")
    )
    assert one.or_raise().rules[0].rule_hash == other.or_raise().rules[0].rule_hash
