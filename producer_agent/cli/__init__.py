"""The terminal: ``python -m producer_agent COMMAND``."""
