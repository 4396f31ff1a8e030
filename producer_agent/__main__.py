"""``python -m producer_agent``."""

from __future__ import annotations

from producer_agent.cli.main import main

if __name__ == "__main__":
    main()
