"""A policy says which topics it covers, how they are read, and is refused with a mend if it cannot
be."""

from __future__ import annotations

import pytest

from producer_agent.dead_letters.conventions import CONVENTIONS, RawRecord, decode, decode_under
from producer_agent.dead_letters.policies import PolicyInvalid, policy_from, require_valid
from producer_agent.store.dead_letter_policies import Policy, policy_of, with_own

OWN = "dead-letter-queue"

CONNECT = tuple(
    (f"__connect.errors.{name}", value)
    for name, value in (
        ("topic", b"payments"),
        ("partition", b"1"),
        ("offset", b"7"),
        ("connector.name", b"sink"),
        ("task.id", b"0"),
        ("stage", b"VALUE_CONVERTER"),
        ("class.name", b"x.Y"),
        ("exception.class.name", b"x.DataException"),
        ("exception.message", b"no"),
        ("exception.stacktrace", b"x.DataException: no"),
    )
)


def topic_of(policies: list[Policy], topic: str) -> str | None:
    found = policy_of(policies, topic)
    return None if found is None else found.topic


def test_a_name_goes_before_patterns_and_the_oldest_pattern_before_the_others() -> None:
    policies = [Policy("^orders"), Policy("^.*-dlt$"), Policy("orders-dlt")]
    assert topic_of(policies, "orders-dlt") == "orders-dlt"
    assert topic_of(policies, "orders-dead") == "^orders"
    assert topic_of(policies[::-1], "orders-us-dlt") == "^.*-dlt$"
    assert topic_of(policies, "payments") is None


def test_a_pattern_need_not_match_to_the_end_but_a_name_does() -> None:
    assert Policy("^orders").covers("orders-dlt")
    assert not Policy("^orders$").covers("orders-dlt")
    assert not Policy("orders").covers("orders-dlt")


def test_no_pattern_reads_an_internal_topic() -> None:
    assert not Policy("^.*").covers("__consumer_offsets")
    assert Policy("^.*").covers("_schemas-dlq")


def test_the_boards_own_topic_is_read_without_a_policy_and_by_its_own_if_it_has_one() -> None:
    assert topic_of(with_own([Policy("^.*")], OWN), OWN) == OWN
    stored = Policy(OWN, keep_closed_days=3.0)
    assert with_own([stored], OWN) == [stored]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy("^("), "no regular expression"),
        (Policy("a b"), "begins with"),
        (Policy(""), "begins with"),
        (Policy(".."), "no name of a topic"),
        (Policy("x" * 250), "1 to 249"),
        (Policy("__consumer_offsets"), "internal topic"),
        (Policy("dlt", convention="connect"), "kafka-connect"),
        (Policy("dlt", start_from="latest"), "earliest or now"),
        (Policy("dlt", keep_closed_days=0.0), "above 0"),
        (Policy("dlt", keep_closed_days=float("nan")), "above 0"),
        (Policy("dlt", default_target="a/b"), "default target 'a/b' is no name"),
        (Policy("dlt", default_target="__x"), "internal topic"),
        (Policy("dlt", default_target="dlt"), "come back at once"),
        (Policy("^orders", default_target="orders"), "come back at once"),
        (Policy("dlt", default_target="other-dlt"), "come back at once"),
        (Policy("dlt", default_target=OWN), "come back at once"),
    ],
)
def test_what_cannot_be_is_refused_and_says_what_to_do(policy: Policy, words: str) -> None:
    with pytest.raises(PolicyInvalid, match=words):
        require_valid(policy, [Policy("^.*-dlt$")], OWN)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(PolicyInvalid) as told:
        require_valid(Policy("a b", "nothing", start_from="x"), [], OWN)
    assert len(str(told.value).splitlines()) == 3


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_policy_may_name_any_convention_there_is(convention: str) -> None:
    require_valid(Policy("^.*-dlt$", convention, "orders", "now", 30.0), [], OWN)


def test_a_policy_that_replaces_itself_is_not_in_its_own_way() -> None:
    """The old one covers the target that the new one does not."""
    require_valid(Policy("dlt", default_target="orders"), [Policy("dlt")], OWN)


@pytest.mark.parametrize(
    "arguments",
    [
        {"topic": "a", "color": "red"},
        {"topic": 7},
        {"topic": "a", "convention": ["x"]},
        {"topic": "a", "keep_closed_days": "7"},
        {"topic": "a", "keep_closed_days": True},
    ],
)
def test_arguments_of_the_wrong_kind_are_refused_in_words(arguments: dict[str, object]) -> None:
    with pytest.raises(PolicyInvalid):
        policy_from(arguments)


def test_arguments_become_a_policy() -> None:
    assert policy_from({"topic": "a", "keep_closed_days": 2}) == Policy("a", keep_closed_days=2.0)


def raw(value: bytes = b"v", headers: object = ()) -> RawRecord:
    return RawRecord("dlt", 0, 0, None, b"k", value, tuple(headers))  # type: ignore[arg-type]


def test_a_default_target_stands_in_for_an_origin_that_is_not_told_and_says_so() -> None:
    decoded = decode_under(raw(), None, "orders")
    assert decoded.original_topic == "orders"
    assert decoded.fields["original_topic"] == "policy of dlt"


def test_a_default_target_gives_way_to_what_the_record_tells() -> None:
    told = decode(raw(headers=CONNECT))
    assert told.original_topic
    assert decode_under(raw(headers=CONNECT), None, "orders") == told


def test_a_default_target_does_not_replace_an_internal_topic() -> None:
    headers = [
        ("__streams.errors.exception", b"java.lang.IllegalStateException"),
        ("__streams.errors.topic", b"app-KSTREAM-KEY-SELECT-0000000003-repartition"),
        ("__streams.errors.partition", b"0"),
        ("__streams.errors.offset", b"5"),
    ]
    decoded = decode_under(raw(headers=headers), None, "orders")
    assert decoded.internal_topic is not None
    assert decoded.original_topic is None


def test_a_fixed_convention_is_the_only_one_that_is_tried() -> None:
    assert decode_under(raw(headers=CONNECT), "kafka-connect", None).convention == "kafka-connect"
    other = decode_under(raw(headers=CONNECT), "karafka", "orders")
    assert other.convention == "unknown"
    assert other.details["policy"] == "the policy of dlt says karafka, and this record is none"
    assert other.original_topic == "orders"


def test_a_convention_that_a_later_version_knew_does_not_stop_the_reading() -> None:
    decoded = decode_under(raw(), "of-tomorrow", None)
    assert decoded.convention == "unknown"
    assert "does not know" in decoded.details["policy"]
