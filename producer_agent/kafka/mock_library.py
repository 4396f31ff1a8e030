"""librdkafka's mock brokers, reached through ctypes; no other file calls the mock.

confluent-kafka ships the mock inside its librdkafka and gives Python no way to it. The mock belongs
to a bare librdkafka handle of ours: the handle behind a ``confluent_kafka.Producer`` cannot be
reached, and this one opens no connection of its own.

The mock's API is declared experimental by ``rdkafka_mock.h``: that is why every symbol is looked
up before the first is called, and why a missing one is an error that says what to do instead.
"""

from __future__ import annotations

import ctypes
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from confluent_kafka import cimpl, libversion

_RD_KAFKA_PRODUCER = 0
_CONF_OK = 0

# Critical only: the mock logs each admin request that it does not serve as an error, to stderr and
# again on each of the client's retries. The client that asked is told by its own time-out.
_LOG_LEVEL = b"2"

_Handle = ctypes.c_void_p
_Text = ctypes.c_char_p
_Int = ctypes.c_int
_Int16 = ctypes.c_int16
_Int32 = ctypes.c_int32
_Int64 = ctypes.c_int64
_Size = ctypes.c_size_t
_Handles = ctypes.POINTER(ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class _Signature:
    """The C signature of one function, as ``rdkafka.h`` and ``rdkafka_mock.h`` declare it."""

    returns: Any
    takes: tuple[Any, ...]
    keeps_gil: bool = False


_REQUIRED: Mapping[str, _Signature] = {
    "rd_kafka_conf_new": _Signature(_Handle, ()),
    "rd_kafka_conf_set": _Signature(_Int, (_Handle, _Text, _Text, _Text, _Size)),
    "rd_kafka_conf_destroy": _Signature(None, (_Handle,)),
    "rd_kafka_new": _Signature(_Handle, (_Int, _Handle, _Text, _Size)),
    "rd_kafka_destroy": _Signature(None, (_Handle,)),
    "rd_kafka_err2str": _Signature(_Text, (_Int,)),
    "rd_kafka_mock_cluster_new": _Signature(_Handle, (_Handle, _Int)),
    "rd_kafka_mock_cluster_destroy": _Signature(None, (_Handle,)),
    "rd_kafka_mock_cluster_bootstraps": _Signature(_Text, (_Handle,)),
    "rd_kafka_mock_topic_create": _Signature(_Int, (_Handle, _Text, _Int, _Int)),
    "rd_kafka_mock_topic_set_error": _Signature(None, (_Handle, _Text, _Int)),
    "rd_kafka_mock_partition_set_leader": _Signature(_Int, (_Handle, _Text, _Int32, _Int32)),
    "rd_kafka_mock_broker_set_down": _Signature(_Int, (_Handle, _Int32)),
    "rd_kafka_mock_broker_set_up": _Signature(_Int, (_Handle, _Int32)),
    "rd_kafka_mock_broker_set_rtt": _Signature(_Int, (_Handle, _Int32, _Int)),
    "rd_kafka_mock_push_request_errors_array": _Signature(
        None, (_Handle, _Int16, _Size, ctypes.POINTER(_Int))
    ),
    "rd_kafka_mock_clear_request_errors": _Signature(None, (_Handle, _Int16)),
    "rd_kafka_mock_start_request_tracking": _Signature(None, (_Handle,)),
    "rd_kafka_mock_stop_request_tracking": _Signature(None, (_Handle,)),
    # These two are one step in take_request_counts. Were the GIL given up between them, another
    # thread could hold it for its whole switch interval while requests go by uncounted (7 in 100,
    # measured beside two busy threads).
    "rd_kafka_mock_get_requests": _Signature(
        _Handles, (_Handle, ctypes.POINTER(_Size)), keeps_gil=True
    ),
    "rd_kafka_mock_clear_requests": _Signature(None, (_Handle,), keeps_gil=True),
    "rd_kafka_mock_request_api_key": _Signature(_Int16, (_Handle,)),
    "rd_kafka_mock_request_destroy_array": _Signature(None, (_Handles, _Size)),
}

# Younger functions that only one method each needs; without them the cluster is still of use.
_OPTIONAL: Mapping[str, _Signature] = {
    "rd_kafka_mock_group_initial_rebalance_delay_ms": _Signature(None, (_Handle, _Int32)),
    "rd_kafka_mock_topic_delete": _Signature(_Int, (_Handle, _Text)),
    "rd_kafka_mock_partition_delete_records": _Signature(_Int, (_Handle, _Text, _Int32, _Int64)),
}


class EmbeddedClusterUnavailable(RuntimeError):
    """The installed librdkafka cannot run the embedded cluster; the message names the mend."""


def probe_symbols() -> list[str]:
    """Names of the C functions that the embedded cluster needs and librdkafka does not have.

    Empty on a library that can run it. Raises EmbeddedClusterUnavailable where the library cannot
    even be opened.
    """
    library = _open_library(ctypes.CDLL)
    return [name for name in _REQUIRED if not hasattr(library, name)]


def _open_library(loader: type[ctypes.CDLL]) -> ctypes.CDLL:
    # Symbols are looked up through confluent-kafka's extension module, which finds them in the very
    # librdkafka that it is linked with, wherever the wheel or the distribution has put that.
    try:
        return loader(cimpl.__file__)
    except OSError as error:
        raise _unavailable(f"{cimpl.__file__} cannot be opened ({error})") from error


def _unavailable(problem: str) -> EmbeddedClusterUnavailable:
    return EmbeddedClusterUnavailable(
        f"The embedded cluster cannot start: {problem}. Platform {platform.platform()}, "
        f"confluent-kafka {version('confluent-kafka')}, "
        f"librdkafka {libversion()[0]}. "
        "Set KAFKA_BOOTSTRAP_SERVERS to a Kafka cluster of yours, or start one with `make lab`."
    )


class MockLibrary:
    """The mock's C functions, with their types declared. Pointers are plain ints.

    Raises EmbeddedClusterUnavailable where librdkafka lacks a function that is needed.
    """

    def __init__(self) -> None:
        missing = probe_symbols()
        if missing:
            raise _unavailable(f"librdkafka has no symbol {', '.join(missing)}")
        gil_released = _open_library(ctypes.CDLL)
        gil_kept = _open_library(ctypes.PyDLL)
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, signature in {**_REQUIRED, **_OPTIONAL}.items():
            library = gil_kept if signature.keeps_gil else gil_released
            if hasattr(library, name):
                function = getattr(library, name)
                function.restype = signature.returns
                function.argtypes = list(signature.takes)
                self._functions[name] = function

    def has(self, function: str) -> bool:
        """Whether this librdkafka has `function` (only the younger ones can be missing)."""
        return function in self._functions

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a C function. Raises EmbeddedClusterUnavailable where librdkafka lacks it."""
        if not self.has(function):
            raise _unavailable(f"librdkafka has no symbol {function}")
        return self._functions[function](*arguments)

    def error_text(self, code: int) -> str:
        """librdkafka's words for an error code."""
        text: bytes = self.call("rd_kafka_err2str", code)
        return text.decode()

    def new_cluster(self, brokers: int) -> tuple[int, int]:
        """Start a mock cluster; returns (cluster, the client handle that owns it)."""
        handle = self._new_handle()
        cluster = self.call("rd_kafka_mock_cluster_new", handle, brokers)
        if not cluster:
            self.call("rd_kafka_destroy", handle)
            raise _unavailable(f"librdkafka could not open {brokers} listeners on 127.0.0.1")
        return int(cluster), handle

    def _new_handle(self) -> int:
        error = ctypes.create_string_buffer(512)
        conf = self.call("rd_kafka_conf_new")
        outcome = self.call("rd_kafka_conf_set", conf, b"log_level", _LOG_LEVEL, error, len(error))
        if outcome != _CONF_OK:
            self.call("rd_kafka_conf_destroy", conf)
            raise _unavailable(f"librdkafka refused log_level ({error.value.decode()})")
        handle = self.call("rd_kafka_new", _RD_KAFKA_PRODUCER, conf, error, len(error))
        if not handle:  # only a handle that was made owns, and later frees, its configuration
            self.call("rd_kafka_conf_destroy", conf)
            raise _unavailable(f"librdkafka made no client handle ({error.value.decode()})")
        return int(handle)

    def destroy_cluster(self, cluster: int, handle: int) -> None:
        """Stop the brokers and free both pointers, which must not be used again."""
        self.call("rd_kafka_mock_cluster_destroy", cluster)
        self.call("rd_kafka_destroy", handle)

    def push_errors(self, cluster: int, api_key: int, codes: Sequence[int]) -> None:
        """Queue `codes` as the answers to the next requests of kind `api_key`."""
        array = (_Int * len(codes))(*codes)
        self.call("rd_kafka_mock_push_request_errors_array", cluster, api_key, len(codes), array)

    def take_request_counts(self, cluster: int) -> Counter[int]:
        """Requests noted since the last take, by Kafka ApiKey; they are then forgotten."""
        count = _Size()
        requests = self.call("rd_kafka_mock_get_requests", cluster, ctypes.byref(count))
        self.call("rd_kafka_mock_clear_requests", cluster)
        if not requests:
            return Counter()
        try:
            api_key = self._functions["rd_kafka_mock_request_api_key"]
            return Counter(api_key(requests[i]) for i in range(count.value))
        finally:
            self.call("rd_kafka_mock_request_destroy_array", requests, count.value)
