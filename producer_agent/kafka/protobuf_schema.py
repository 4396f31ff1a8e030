"""Protobuf without generated code: a message read by the descriptor that a registry tells."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def decode(
    descriptor: str, files: Sequence[tuple[str, str]], body: bytes
) -> tuple[str, dict[str, Any]]:
    """The full name of the message type, and the message as ``protobuf``'s JSON mapping has it.

    Args:
        descriptor: The schema, a ``FileDescriptorProto`` in base64.
        files: Name and descriptor of what it imports, each after what it imports itself.
        body: The index of the message type (Confluent's wire format), then the message.

    Raises:
        Exception: the body or a descriptor is none; protobuf's own errors and ``ValueError``.
    """
    pool = descriptor_pool.DescriptorPool()
    for name, text in files:
        _add(pool, _file(text, name))
    file = _file(descriptor, "schema.proto")
    _add(pool, file)
    indexes, start = _indexes(body)
    types = pool.FindFileByName(file.name).message_types_by_name
    names = [message.name for message in file.message_type]
    found = types[names[indexes[0]]]
    for index in indexes[1:]:
        found = found.nested_types[index]
    message = message_factory.GetMessageClass(found)()
    message.ParseFromString(body[start:])
    told = json_format.MessageToDict(
        message, preserving_proto_field_name=True, descriptor_pool=pool
    )
    return found.full_name, told


def _file(text: str, name: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text))
    file.name = name
    return file


def _add(pool: descriptor_pool.DescriptorPool, file: descriptor_pb2.FileDescriptorProto) -> None:
    for name in file.dependency:
        _add_well_known(pool, name)
    pool.Add(file)


def _add_well_known(pool: descriptor_pool.DescriptorPool, name: str) -> None:
    """What every Protobuf has built in, such as ``google/protobuf/timestamp.proto``."""
    try:
        pool.FindFileByName(name)
    except KeyError:
        built_in = descriptor_pool.Default().FindFileByName(name)
        file = descriptor_pb2.FileDescriptorProto()
        built_in.CopyToProto(file)
        _add(pool, file)


def _indexes(body: bytes) -> tuple[list[int], int]:
    """Where the message type stands among those of the file, from the outermost in, and where the
    message begins. A single 0 is short for the first type."""
    count, at = _zigzag(body, 0)
    if count == 0:
        return [0], at
    if not 0 < count <= 100:
        raise ValueError("the index of the message type is none")
    indexes = []
    for _ in range(count):
        index, at = _zigzag(body, at)
        if index < 0:
            raise ValueError("the index of the message type is none")
        indexes.append(index)
    return indexes, at


def _zigzag(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise ValueError("the index of the message type is none")
