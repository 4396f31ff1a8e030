"""Denies a topic by ACL and lowers its size limit, and puts back exactly what was there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from producer_agent.kafka.admin import Admin
from producer_agent.kafka.permissions import ANONYMOUS

_TIMEOUT_S = 4.0
_ATTEMPTS = 3
"""A broker that has just died is still in the metadata, and may be the one that is asked; all that
is done here may be done twice."""
T = TypeVar("T")

_LIMIT = "max.message.bytes"
_SET_ON_THE_TOPIC = 1
"""Kafka's ``ConfigSource`` of a setting of the topic's own."""


class RestraintRefused(Exception):
    """Kafka would not; the text says why."""


class TopicRestraint:
    """Works through a client made for each change: nodes come and go between two of them.

    Args:
        connection: librdkafka properties that reach the lab, as whoever they make us.
    """

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._connection = connection

    def before(self, topic: str, _kind: str) -> dict[str, Any]:
        """What is there now and has to be put back: the topic's own limit (None: it has none), and
        whether it has ACLs.

        Raises:
            RestraintRefused: it cannot be learnt.
        """
        return self._tried(lambda admin: _look(admin, topic))

    def deny(self, topic: str, before: Mapping[str, Any]) -> None:
        """Deny WRITE to clients without a login.

        Raises:
            RestraintRefused: Kafka would not.
        """
        bindings = _bindings(topic, before)
        self._tried(
            lambda admin: _each(
                admin.client.create_acls(bindings, request_timeout=_TIMEOUT_S), f"denying {topic}"
            )
        )

    def allow(self, topic: str, before: Mapping[str, Any]) -> None:
        """Take away what :meth:`deny` made, and nothing else.

        Raises:
            RestraintRefused: Kafka would not.
        """
        filters = [
            _filter(topic, each.principal, each.operation, each.permission_type)
            for each in _bindings(topic, before)
        ]
        self._tried(
            lambda admin: _each(
                admin.client.delete_acls(filters, request_timeout=_TIMEOUT_S),
                f"allowing {topic} again",
            )
        )

    def limit(self, topic: str, size: int) -> None:
        """Set the topic's largest batch, in bytes.

        Raises:
            RestraintRefused: Kafka would not.
        """
        self._alter(topic, AlterConfigOpType.SET, str(size))

    def unlimit(self, topic: str, before: Mapping[str, Any]) -> None:
        """Put the topic's own limit back, or the cluster's where it had none.

        A topic that is gone needs nothing.

        Raises:
            RestraintRefused: Kafka would not.
        """
        own = before.get("limit")
        if own is None:
            self._alter(topic, AlterConfigOpType.DELETE, None)
        else:
            self._alter(topic, AlterConfigOpType.SET, str(own))

    def _alter(self, topic: str, operation: AlterConfigOpType, value: str | None) -> None:
        entry = ConfigEntry(_LIMIT, value, incremental_operation=operation)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self._tried(
            lambda admin: _each(
                admin.client.incremental_alter_configs([resource], request_timeout=_TIMEOUT_S),
                f"changing {_LIMIT} of {topic}",
            )
        )

    def _tried(self, do: Callable[[Admin], T]) -> T:
        """Do it through a new client, and through another where nobody answered."""
        for attempt in range(_ATTEMPTS):
            admin = Admin(self._connection)  # held: its futures die with it
            try:
                return do(admin)
            except RestraintRefused as refused:
                if attempt + 1 == _ATTEMPTS or not _is_silence(refused.__cause__):
                    raise
        raise AssertionError("the last attempt returns or raises")


def _look(admin: Admin, topic: str) -> dict[str, Any]:
    (settings,) = admin.client.describe_configs(
        [ConfigResource(ResourceType.TOPIC, topic)], request_timeout=_TIMEOUT_S
    ).values()
    entry = _result(settings, f"the settings of {topic}")[_LIMIT]
    acls = _result(
        admin.client.describe_acls(_filter(topic), request_timeout=_TIMEOUT_S),
        f"the ACLs on {topic}",
    )
    return {
        "limit": entry.value if int(entry.source) == _SET_ON_THE_TOPIC else None,
        "has_acls": bool(acls),
    }


def _each(futures: Mapping[Any, Future[Any]], doing: str) -> None:
    for future in futures.values():
        try:
            _result(future, doing)
        except RestraintRefused as refused:
            if not _is_gone(refused.__cause__):
                raise


def _bindings(topic: str, before: Mapping[str, Any]) -> list[AclBinding]:
    bind: Callable[..., AclBinding] = AclBinding
    literal = ResourcePatternType.LITERAL
    found = [
        bind(
            ResourceType.TOPIC,
            topic,
            literal,
            ANONYMOUS,
            "*",
            AclOperation.WRITE,
            AclPermissionType.DENY,
        )
    ]
    if not before.get("has_acls"):
        # The first ACL on a topic shuts out everybody who has none; only writing is to be denied.
        found.append(
            bind(
                ResourceType.TOPIC,
                topic,
                literal,
                "User:*",
                "*",
                AclOperation.ALL,
                AclPermissionType.ALLOW,
            )
        )
    return found


def _filter(
    topic: str,
    principal: str | None = None,
    operation: AclOperation | str | int = AclOperation.ANY,
    permission: AclPermissionType | str | int = AclPermissionType.ANY,
) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        principal,  # type: ignore[arg-type]  # None is any; the stubs do not know
        None,  # type: ignore[arg-type]
        operation,
        permission,
    )


def _result(future: Future[Any], doing: str) -> Any:
    try:
        return future.result(_TIMEOUT_S + 1.0)
    except KafkaException as error:
        raise RestraintRefused(
            f"Kafka would not do it ({doing}): {error.args[0].str()}. With nodes stopped the "
            "controllers may be too few: start them first."
        ) from error
    except FutureTimeout as error:
        raise RestraintRefused(
            f"Kafka did not answer in time ({doing}): start the nodes first."
        ) from error


def _is_gone(error: BaseException | None) -> bool:
    return _code(error) == KafkaError.UNKNOWN_TOPIC_OR_PART


def _is_silence(error: BaseException | None) -> bool:
    return isinstance(error, FutureTimeout) or _code(error) in (
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
    )


def _code(error: BaseException | None) -> int | None:
    return int(error.args[0].code()) if isinstance(error, KafkaException) else None
