"""The accounted producer: confluent-kafka's, with the end of every record entered in a book."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_agent.kafka.our_headers import IDENTITY, IDENTITY_HEADER
from producer_agent.reliable.book import WIDTH
from producer_agent.reliable.clerk import Clerk
from producer_agent.reliable.errors import fatal, raise_in_words
from producer_agent.reliable.librdkafka_log import TOLD_AGAIN_S

if TYPE_CHECKING:
    from confluent_kafka._types import HeadersType
    from confluent_kafka.cimpl import DeliveryCallback

log = logging.getLogger(__name__)

FOLD_AT: Final = 50_000 * WIDTH
"""Numbers of reports that are counted without waiting for somebody to ask."""

LATE_POLL_S: Final = 0.25
"""Reports served later than this spoil latencies: ``Message.latency()`` is taken by ``poll()``."""

_DEAD: Final = frozenset({KafkaError._FATAL, KafkaError._FENCED})

_produce = Producer.produce
_poll = Producer.poll


class AccountedProducer(Producer):
    """A producer whose records are all accounted for, by a clerk. Its methods have the bare
    client's signatures, and call the same callbacks from the same places.

    Args:
        settings: librdkafka's properties; ``on_delivery`` and ``delivery.report.only.error`` among
            them are done here.
        logger: Gets librdkafka's log.
        clerk: Enters what is not acknowledged; its book has the rest.
        identity: Whether each record gets the identity header.
    """

    def __init__(
        self, settings: Mapping[str, Any], logger: Any, clerk: Clerk, *, identity: bool
    ) -> None:
        settings = dict(settings)
        self._default_callback = settings.pop("on_delivery", None)
        if self._default_callback is not None and not callable(self._default_callback):
            settings["on_delivery"] = self._default_callback  # the bare client says why not
        # Applied here, as an acknowledgement that is not reported would be an open end for us.
        errors_only = _is_true(settings.pop("delivery.report.only.error", False))
        self._report = _reporter(clerk, errors_only=errors_only)
        self._clerk = clerk
        self._book = clerk.book
        self._name = clerk.profile
        self._run_bytes = clerk.book.run.bytes if identity else None
        self._initialised = False
        self._polled_s = time.monotonic()
        self._late_again_s = 0.0
        super().__init__(settings, logger=logger)

    def produce(
        self,
        topic: str,
        value: str | bytes | None = None,
        key: str | bytes | None = None,
        partition: int = -1,
        callback: DeliveryCallback | None = None,
        on_delivery: DeliveryCallback | None = None,
        timestamp: int = 0,
        headers: HeadersType | None = None,
    ) -> None:
        """Hand a record over; its end is told from :meth:`poll` or :meth:`flush`.

        Raises:
            BufferError: the queue is full: poll, and call it again.
            KafkaException: the record was refused; it is counted and dead-lettered as well.
            TypeError: an argument is of the wrong type.
        """
        # This runs once a record, and so does the report: an attribute or a comparison here can
        # be seen in bench/reliable_producer.py.
        book = self._book
        if book.unused:
            sequence = book.spare()
        else:
            sequence = next(book.sequences)
            book.used = sequence + 1
        if callback is None:
            callback = self._default_callback if on_delivery is None else on_delivery
        try:
            place = book.topics.get(topic)
            if place is None:
                place = book.place_of(topic)
            if self._run_bytes is not None:
                headers = _marked(headers, self._run_bytes, sequence, value)
            # A partial is made quicker than a function, which needs a cell for each name in it.
            sent_us = time_ns() // 1000
            report = partial(
                self._report, sequence, sent_us, place, callback, topic, key, value, headers
            )
            _produce(self, topic, value, key, partition, report, None, timestamp, headers)
        except BufferError:
            book.unused.append(sequence)
            book.queue_full()
            raise
        except KafkaException as raised:
            error = raised.args[0]
            record = (topic, partition, key, value, _pairs(headers))
            self._clerk.rejected(sequence, *record, error)
            if error.code() in _DEAD or error.fatal():
                raise fatal(error) from raised
            raise
        except BaseException:
            book.unused.append(sequence)
            raise

    def produce_batch(
        self,
        topic: str,
        messages: list[dict[str, Any]],
        partition: int = -1,
        callback: DeliveryCallback | None = None,
        on_delivery: DeliveryCallback | None = None,
    ) -> int:
        """As the bare client's, by :meth:`produce` for each message, headers included.

        A message that is not taken gets its error under ``_error``.
        """
        taken = 0
        for message in messages:
            own = message.get("callback", message.get("on_delivery"))
            try:
                self.produce(
                    topic,
                    message.get("value"),
                    message.get("key"),
                    message.get("partition", partition),
                    own or callback or on_delivery,
                    None,
                    message.get("timestamp", 0),
                    message.get("headers"),
                )
                taken += 1
            except BufferError:
                message["_error"] = KafkaError(KafkaError._QUEUE_FULL)
            except KafkaException as raised:
                message["_error"] = raised.args[0]
        return taken

    def poll(self, timeout: float = -1) -> int:
        """Serve delivery reports, waiting up to ``timeout`` seconds (-1: for ever) for one.

        Raises:
            FatalProducerError: the producer is dead.
            Exception: whatever a callback raised.
        """
        late_s = time.monotonic() - self._polled_s
        if late_s > LATE_POLL_S and len(self):
            self._late(late_s)
        try:
            return _poll(self, timeout)
        except (KafkaException, SystemError) as raised:
            raise_in_words(raised)
        finally:
            self._polled_s = time.monotonic()
            if len(self._book.reports) > FOLD_AT:
                self._book.fold()

    def flush(self, timeout: float = -1) -> int:
        """Wait until every record has its report, or ``timeout`` seconds; returns how many are
        left.

        Raises:
            FatalProducerError: the producer is dead.
            Exception: whatever a callback raised.
        """
        try:
            return super().flush(timeout)
        except (KafkaException, SystemError) as raised:
            raise_in_words(raised)
        finally:
            self._polled_s = time.monotonic()
            self._book.fold()

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        """Drop what is not delivered yet; the reports tell, and nothing of it is dead-lettered."""
        self._clerk.purging = True
        super().purge(in_queue, in_flight, blocking)

    def init_transactions(self, timeout: float = -1) -> None:
        """Take the transactional id; see the bare client."""
        super().init_transactions(timeout)
        self._initialised = True

    def begin_transaction(self) -> None:
        """Begin a transaction: what is delivered from now on counts once it is committed."""
        super().begin_transaction()
        self._book.begin()

    def commit_transaction(self, timeout: float = -1) -> None:
        """Commit the transaction; see the bare client for what it raises, or use
        :meth:`transaction`."""
        super().commit_transaction(timeout)
        self._book.commit()

    def abort_transaction(self, timeout: float = -1) -> None:
        """Abort the transaction: its records end as failed, and none is dead-lettered."""
        self._clerk.aborting = True
        try:
            super().abort_transaction(timeout)
            for sequence, sent_us, partition, topic in self._book.abort():
                self._clerk.aborted(sequence, sent_us, topic, partition)
        finally:
            self._clerk.aborting = False

    def _late(self, late_s: float) -> None:
        self._book.late_poll()
        now_s = time.monotonic()
        if now_s >= self._late_again_s:
            self._late_again_s = now_s + TOLD_AGAIN_S
            log.info(
                "%s: reports waited up to %.0f ms for poll(), and their latencies are that much "
                "too long: call poll() more often",
                self._name,
                late_s * 1e3,
            )


def _reporter(clerk: Clerk, *, errors_only: bool) -> Callable[..., None]:
    """The delivery callback of every record, to be bound to what is known of it at its start.

    It holds the clerk and not the producer, see there.
    """
    book = clerk.book
    reports, most = book.reports, book.most_numbers
    extend = reports.extend

    def report(
        sequence: int,
        sent_us: int,
        place: int,
        callback: DeliveryCallback | None,
        topic: str,
        key: Any,
        value: Any,
        headers: Any,
        error: KafkaError | None,
        message: Message,
    ) -> None:
        if error is None:
            if len(reports) < most:
                partition, offset = message.partition(), message.offset()
                extend((sequence, sent_us, partition, offset, message.latency(), place))
            else:
                book.overflow()
            if callback is not None and not errors_only:
                callback(error, message)
            return
        try:
            place_of = (topic, message.partition(), key, value, _pairs(headers))
            clerk.failed(sequence, sent_us, *place_of, error)
        finally:
            if callback is not None:
                callback(error, message)

    return report


def _marked(headers: Any, run: bytes, sequence: int, value: Any) -> HeadersType:
    """The headers with the identity among them; the last of a name is the one that counts."""
    if value is None:
        checksum = 0
    else:
        checksum = crc32(value.encode() if isinstance(value, str) else value)
    mark = (IDENTITY_HEADER, IDENTITY.pack(run, sequence, checksum))
    return [*_pairs(headers), mark] if headers else [mark]


def _pairs(headers: Any) -> list[tuple[str, str | bytes | None]]:
    if not headers:
        return []
    return list(headers.items() if isinstance(headers, dict) else headers)


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() in ("true", "t", "1")
