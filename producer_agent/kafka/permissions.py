"""What our principal may do with a topic, and the ACLs on it, as far as the cluster tells."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin._acl import AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from producer_agent.kafka.admin import Admin

_MARGIN_S = 0.5

ANONYMOUS = "User:ANONYMOUS"
"""Whom brokers take us for on a listener without a login."""


@dataclass(frozen=True, slots=True)
class Acl:
    """One ACL, in Kafka's own words: ``DENY``, ``WRITE``, ``User:app``, ``*``."""

    permission: str
    operation: str
    principal: str
    host: str
    resource: str
    """``TOPIC`` or ``CLUSTER``."""
    name: str
    pattern: str
    """``LITERAL`` or ``PREFIXED``."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """What is known. ``allowed``: operations on the topic that our principal may do; None where it
    may not even describe it, or the cluster does not tell. ``acls``: those that match the topic or
    the cluster; None where we may not list them, and ``acls_error`` says why."""

    allowed: frozenset[str] | None
    cluster_allowed: frozenset[str] | None
    acls: tuple[Acl, ...] | None
    acls_error: str | None


def permissions(admin: Admin, topic: str, timeout_s: float) -> Permissions:
    """Ask for both at once. Never raises: what is not told is None."""
    described = admin.client.describe_topics(
        TopicCollection([topic]),
        include_authorized_operations=True,
        request_timeout=timeout_s,
    )[topic]
    cluster = admin.client.describe_cluster(
        include_authorized_operations=True, request_timeout=timeout_s
    )
    listed = [
        admin.client.describe_acls(
            AclBindingFilter(
                kind,
                name,
                ResourcePatternType.MATCH,
                None,  # type: ignore[arg-type]  # None is any; the stubs do not know
                None,  # type: ignore[arg-type]
                AclOperation.ANY,
                AclPermissionType.ANY,
            ),
            request_timeout=timeout_s,
        )
        for kind, name in ((ResourceType.TOPIC, topic), (ResourceType.BROKER, "kafka-cluster"))
    ]
    acls: list[Acl] = []
    error: str | None = None
    for future in listed:
        try:
            acls += [_acl(binding) for binding in future.result(timeout_s + _MARGIN_S)]
        except KafkaException as refused:
            error = admin.clean(f"{refused.args[0].name()}: {refused.args[0].str()}")
        except FutureTimeout:
            error = "no answer in time"
    return Permissions(
        _operations(described, timeout_s),
        _operations(cluster, timeout_s),
        None if error else tuple(acls),
        error,
    )


def principal_of(connection: Mapping[str, Any]) -> str | None:
    """Who we are to the brokers, as far as the client's own settings tell; None: not known.

    With TLS client certificates, Kerberos and OAuth the broker derives the name by rules of its
    own (``ssl.principal.mapping.rules``, ``sasl.kerberos.principal.to.local.rules``).
    """
    protocol = str(connection.get("security.protocol", "plaintext")).lower()
    if protocol == "plaintext":
        return ANONYMOUS
    if protocol.startswith("sasl"):
        user = connection.get("sasl.username", connection.get("sasl.user.name"))
        return f"User:{user}" if user else None
    certificate = ("ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location")
    return None if any(connection.get(name) for name in certificate) else ANONYMOUS


def _operations(future: Any, timeout_s: float) -> frozenset[str] | None:
    try:
        operations = future.result(timeout_s + _MARGIN_S).authorized_operations
    except (KafkaException, FutureTimeout):
        return None
    return None if operations is None else frozenset(each.name for each in operations)


def _acl(binding: Any) -> Acl:
    return Acl(
        binding.permission_type.name,
        binding.operation.name,
        binding.principal,
        binding.host,
        "CLUSTER" if binding.restype == ResourceType.BROKER else binding.restype.name,
        binding.name,
        binding.resource_pattern_type.name,
    )
