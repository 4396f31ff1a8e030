"""Tests of producer_agent.delivery."""
