"""Tests against real Apache Kafka: three KRaft nodes on loopback."""
