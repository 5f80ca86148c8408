"""What a mistake in the settings is answered with: one line that names the setting and the next step."""

import pytest

from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings


def test_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_INGEST__SORCE", "mempool")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert (
        str(caught.value) == "settings: ingest.sorce: there is no setting of this name: docs/settings.md lists them all"
    )


def test_a_chain_whose_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_INGEST__CHAIN", "Bit Coin")
    with pytest.raises(
        ConfigError, match=r"^settings: ingest.chain: expected lower-case letters, digits, dots, - and _ "
    ):
        Settings.load()


def test_a_dataset_whose_name_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOISE_DATASET", "Main-Net")
    with pytest.raises(ConfigError) as caught:
        Settings.load()
    assert (
        str(caught.value) == "settings: dataset: expected lower-case letters, digits and _ (a letter first, 48 at most)"
    )
