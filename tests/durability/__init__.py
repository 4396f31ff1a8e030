"""Tests of the durability audit."""
