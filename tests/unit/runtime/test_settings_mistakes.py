"""What a mistake in the settings is answered with: one line that names the setting and the next step."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from counterpoise.settings.section import SettingsSection


def test_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_INGEST__SORCE", "mempool")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert (
        str(caught.value) == "settings: ingest.sorce: there is no setting of this name: docs/settings.md lists them all"
    )


@pytest.mark.parametrize("name", ["Bit Coin", "nocoin", "all", "bitcoin_cash"])
def test_a_chain_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COUNTERPOISE_INGEST__CHAIN", name)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert str(caught.value) == (
        f"settings: ingest.chain: {name!r} is an unknown chain: expected one of {known_chains()}"
    )


@pytest.mark.parametrize("name", CHAINS)
def test_every_known_chain_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COUNTERPOISE_INGEST__CHAIN", name)
    assert Settings.load().ingest.chain == name


def test_a_dataset_whose_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_DATASET", "Main-Net")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert (
        str(caught.value) == "settings: dataset: expected lower-case letters, digits and _ (a letter first, 48 at most)"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            b"[slak]\nchannel = '#risk'\n",
            "there is no setting or table 'slak' (did you mean 'slack'?): docs/settings.md lists",
        ),
        (
            b"COUNTERPOISE_DATASET = 'x'\n",
            "there is no setting or table 'COUNTERPOISE_DATASET' (did you mean 'dataset'?)",
        ),
        (b"xyzzy = 1\ndatset = 'x'\n", "there is no setting or table 'xyzzy', 'datset' (did you mean 'dataset'?)"),
        (b"dataset = 'a'\ndataset = 'b'\n", "Cannot overwrite a value (at line 2, column 14)"),
        (b"[slack\n", "Expected ']' at the end of a table declaration (at line 1, column 7)"),
        (b'dataset = "caf\xe9"\n', "'utf-8' codec can't decode byte 0xe9 in position 14"),
        (b"\xff\xfed\x00", "'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[slack]\nchanel = 'x'\n", "settings: slack.chanel: there is no setting of this name"),
    ],
)
def test_a_mistake_in_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes, told: str) -> None:
    """A misspelt table lost Slack without a word."""
    file = tmp_path / "counterpoise.toml"
    file.write_bytes(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    said = str(caught.value)
    assert told in said and "\n" not in said
    assert said.startswith("settings: slack.") or said.startswith("settings file 'counterpoise.toml': ")


def test_each_table_and_general_setting_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    general = "dataset = 'mine'\ndataset_kind = 'live'\ninstance = ''\nlog_format = 'text'\nlog_level = 'info'\n"
    tables = [name for name, info in Settings.model_fields.items() if isinstance(info.default, SettingsSection)]
    assert len(tables) > 10
    (tmp_path / "counterpoise.toml").write_text(general + "".join(f"[{name}]\n" for name in tables))
    monkeypatch.chdir(tmp_path)
    assert Settings.load().dataset == "mine"


@pytest.mark.parametrize(
    "name", ["#risk", "risk", "@ada", "C0 123", "https://desk.slack.com/archives/C0123ABCD", "c0123abcd"]
)
@pytest.mark.parametrize("setting", ["SLACK__CHANNEL", "ALERTS__RECEIVERS__desk__CHANNEL"])
def test_a_channel_that_is_no_id(monkeypatch: pytest.MonkeyPatch, setting: str, name: str) -> None:
    monkeypatch.setenv(f"COUNTERPOISE_{setting}", name)
    monkeypatch.setenv("COUNTERPOISE_ALERTS__RECEIVERS__desk__TYPE", "slack")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert str(caught.value) == (
        f"settings: {setting.lower().replace('__', '.')}: {name!r} is a channel's name or link: expected its id, such as C0123ABCD "
        "(in Slack, at the end of the channel's details)"
    )


def test_an_id_of_a_channel_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_SLACK__CHANNEL", "C0123ABCD")
    assert Settings.load().slack.channel == "C0123ABCD"


def _numbers(section: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _numbers(field.annotation, (*path, name))
        elif field.annotation in (float, float | None):
            yield (*path, name)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_no_setting_is_a_number_that_is_not_finite(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    every = list(_numbers(Settings))
    assert ("ingest", "replay", "speed") in every and ("alerts", "repeat_seconds") in every
    for path in every:
        with monkeypatch.context() as patch:
            patch.setenv(f"COUNTERPOISE_{'__'.join(path).upper()}", value)
            with pytest.raises(ConfigError, match=rf"^settings: {'.'.join(path)}: Input should be [^\n]*$"):
                Settings.load()
