"""Tests of `producer_agent.kafka`."""
