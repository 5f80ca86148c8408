"""What a mistake in the settings is answered with: one line that names the setting and the next step."""

import pytest

from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings


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
