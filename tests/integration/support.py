"""What integration tests share: client settings, and ACLs for the time of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from producer_agent.kafka.lab import Lab


def client_config(lab: Lab) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": lab.bootstrap_servers}


def deny(resource: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    return binding(resource, name, operation, AclPermissionType.DENY)


def binding(
    resource: ResourceType, name: str, operation: AclOperation, permission: AclPermissionType
) -> AclBinding:
    literal = ResourcePatternType.LITERAL
    return AclBinding(resource, name, literal, "User:ANONYMOUS", "*", operation, permission)


@contextmanager
def acls(lab: Lab, *bindings: AclBinding) -> Iterator[None]:
    admin = AdminClient(client_config(lab))
    for future in admin.create_acls(list(bindings)).values():
        future.result(10)
    try:
        yield
    finally:
        filters = [
            AclBindingFilter(
                b.restype,
                b.name,
                b.resource_pattern_type,
                b.principal,
                b.host,
                b.operation,
                b.permission_type,
            )
            for b in bindings
        ]
        for deleted in admin.delete_acls(filters).values():
            deleted.result(10)
