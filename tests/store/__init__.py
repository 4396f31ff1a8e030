"""Tests of `producer_agent.store`."""
