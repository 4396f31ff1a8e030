"""The lab: real Apache Kafka, three KRaft nodes on loopback, to break on purpose.

>>> with Lab(Path("/tmp/lab")) as lab:          # doctest: +SKIP
...     produce_to(lab.bootstrap_servers)
...     lab.kill(2)

Needs Linux or macOS, Java 17 or later, and (once, to fetch the jars) Maven.
"""

from producer_agent.kafka.lab.cluster import Lab, LabStatus, NodeStatus
from producer_agent.kafka.lab.errors import LabError
from producer_agent.kafka.lab.jars import default_cache, ensure_jars

__all__ = ["Lab", "LabError", "LabStatus", "NodeStatus", "default_cache", "ensure_jars"]
