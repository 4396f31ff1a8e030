"""No header, whatever its bytes and wherever it stands, makes decoding raise or loses a byte."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from producer_agent.dead_letters.conventions import CONVENTIONS, RawRecord, decode
from producer_agent.dead_letters.conventions.java_stack import root_of
from producer_agent.dead_letters.letters import letter_of
from tests.dead_letters.test_conventions_samples import SAMPLES

SEEN = sorted({name for sample in SAMPLES for name, _ in sample.record.headers})
DASHED = ("topic", "partition", "offset", "timestamp", "timestamp-type", "consumer-group")
FAILURE = ("fqcn", "cause-fqcn", "message", "stacktrace")
NAMES = [
    *SEEN,
    *(f"x-original-{word}" for word in DASHED),
    *(f"x-exception-{word}" for word in FAILURE),
    *(f"kafka_key-exception-{word}" for word in FAILURE),
    *(f"__dlq.errors.{word}" for word in ("topic", "partition", "offset", "group", "message")),
    "__dlq.errors.delivery.count",
    *(f"delayed-retry-{word}" for word in ("topic", "partition", "offset", "reason", "cause")),
    *(f"delayed-retry-{word}" for word in ("count", "original-timestamp", "cause-class-name")),
    *(f"source_{word}" for word in ("topic", "partition", "offset", "consumer_group")),
    *("source_attempts", "source_trace_id", "original_key", "original_attempts"),
    *(f"original_{word}" for word in ("topic", "partition", "offset", "consumer_group")),
    "springDeserializerExceptionKey",
    "deserialization-failure-data",
    "traceparent",
    "",
]
values = (
    st.none()
    | st.binary(max_size=12)
    | st.sampled_from([b"", b"orders", b"-1", b"7", b"\0\0\0\1", b"\0" * 8, b"\xff" * 8, b"9" * 30])
)
headers = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=5), values), max_size=40)
payload = st.none() | st.binary(max_size=20)


@st.composite
def disturbed(draw: st.DrawFn) -> RawRecord:
    """A framework's own record, some headers of which were left out, repeated or overwritten."""
    record = draw(st.sampled_from(SAMPLES)).record
    pairs = list(record.headers)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, max(0, len(pairs) - 1)))
        match draw(st.sampled_from(["drop", "repeat", "overwrite", "insert"])):
            case "drop" if pairs:
                pairs.pop(place)
            case "repeat" if pairs:
                pairs.insert(draw(st.integers(0, len(pairs))), pairs[place])
            case "overwrite" if pairs:
                pairs[place] = (pairs[place][0], draw(values))
            case _:
                pairs.insert(place, (draw(st.sampled_from(NAMES)), draw(values)))
    key, value = draw(payload), draw(payload)
    return RawRecord(record.topic, 0, 1, record.timestamp_ms, key, value, tuple(pairs))


any_record = disturbed() | st.builds(
    lambda pairs, key, value: RawRecord("dead", 0, 1, 5, key, value, tuple(pairs)),
    headers,
    payload,
    payload,
)


@settings(max_examples=400, deadline=None)
@given(any_record)
def test_any_headers_are_read_or_kept_whole(raw: RawRecord) -> None:
    decoded = decode(raw)
    letter = letter_of(raw, "", decoded)

    assert (letter.key, letter.value, letter.headers) == (raw.key, raw.value, raw.headers)
    left = iter(raw.headers)
    assert all(pair in left for pair in decoded.original_headers), "kept in order, bytes untouched"
    if decoded.convention == "unknown":
        assert decoded.original_headers == raw.headers
    else:
        assert (decoded.side, decoded.original_value) == ("consumer", raw.value)
        assert decoded.hops
    numbers = [decoded.original_partition, decoded.original_offset, decoded.deliveries]
    numbers += [decoded.original_timestamp_ms, decoded.attempts_header]
    assert all(number is None or 0 <= number < 2**63 for number in numbers)
    for text in (decoded.original_topic, decoded.error_class, decoded.error_message):
        assert text is None or text.encode() is not None
    for place in decoded.fields.values():
        assert place in ("key", "value") or place.startswith("header ")
    assert decoded.undecoded.keys() <= decoded.fields.keys()


@settings(max_examples=200, deadline=None)
@given(any_record)
def test_a_place_names_a_header_that_is_there_and_undecoded_bytes_are_all_there(
    raw: RawRecord,
) -> None:
    decoded = decode(raw)
    for field, place in decoded.fields.items():
        if not place.startswith("header "):
            continue
        name, occurrence = place.removeprefix("header ").rsplit(" ", 1)
        held = [value for other, value in raw.headers if other == name]
        value = held[int(occurrence.strip("[]"))]
        assert value is not None or field == "original_key"
        if field in decoded.undecoded:
            assert value is not None
            assert bytes.fromhex(decoded.undecoded[field]) == value


@settings(max_examples=200, deadline=None)
@given(any_record)
def test_what_several_conventions_claim_has_the_origin_of_one_of_them(raw: RawRecord) -> None:
    claims = [
        found for convention in CONVENTIONS.values() if (found := convention(raw)) is not None
    ]
    decoded = decode(raw)
    if claims:
        origins = {claim.original_topic for claim in claims}
        assert decoded.original_topic in (origins if len(claims) == 1 else {*origins, None})
        assert decoded.convention in {claim.convention for claim in claims}


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text("\tat \nCausedby:.$/(x", max_size=300))
def test_any_text_is_looked_at_as_a_stack(text: str) -> None:
    for stack in (text, f"a.B: c\n\tat x.Y.z(Y.java:1)\n{text}"):
        root = root_of(stack)
        assert root is None or (root.error_class and "\n" not in root.message)
