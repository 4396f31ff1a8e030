"""Tests of `producer_agent.cli`."""
