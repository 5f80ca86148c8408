"""Which partition a key goes to: the rule, and that each client's own hook gives the same answer."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner

from counterpoise.chain.chain_registry import CHAINS
from counterpoise.kafka.partition import KeyPartitioner, hashed_partition, partition_among, partition_of

COUNTS = st.integers(1, 64)


class Cluster:
    """As much of kafka-python's metadata as a partitioner asks for."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"topic"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


def test_with_four_partitions_only_the_test_networks_share_one() -> None:
    """Before chains had numbers, bitcoin, litecoin and testnet4 shared one, and bitcoin's is the same as then."""
    own = {"bitcoin": 0, "litecoin": 1, "bitcoin-cash": 2, "testnet4": 3, "signet": 3}
    assert {name: partition_of(name.encode(), 4) for name in own} == own
    assert [hashed_partition(name.encode(), 4) for name in own] == [0, 0, 1, 0, 1]
    assert partition_of(b"bitcoin", 4) == hashed_partition(b"bitcoin", 4)


@given(st.sampled_from(list(CHAINS.values())), COUNTS)
def test_a_known_chain_is_where_its_number_says(chain: object, count: int) -> None:
    assert partition_of(chain.name.encode(), count) == chain.number % count  # type: ignore[attr-defined]


@given(st.binary(max_size=40), COUNTS)
def test_any_other_key_is_where_kafka_puts_it(key: bytes, count: int) -> None:
    if key.decode(errors="replace") not in CHAINS:
        assert partition_of(key, count) == hashed_partition(key, count)
        assert partition_of(key, count) == DefaultPartitioner().partition("topic", key, key, None, None, Cluster(count))


@given(st.one_of(st.sampled_from([name.encode() for name in CHAINS]), st.binary(max_size=40)), COUNTS)
def test_both_clients_are_told_the_same(key: bytes, count: int) -> None:
    expected = partition_of(key, count)
    assert 0 <= expected < count
    assert KeyPartitioner().partition("topic", key, key, b"", b"", Cluster(count)) == expected
    assert partition_among(key, list(reversed(range(count))), []) == expected


def test_a_message_without_a_key_goes_to_some_partition() -> None:
    assert KeyPartitioner().partition("topic", None, None, b"", b"", Cluster(3)) in range(3)
    assert partition_among(None, [0, 1, 2], [2]) == 2
    assert partition_among(None, [0, 1, 2], []) == 0
