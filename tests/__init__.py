"""Tests, mirroring the packages they cover."""
