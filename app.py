"""The ASGI application: ``streamlit run app.py``. Starts the agent with it, and ends it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from producer_agent.settings import Settings
from producer_agent.store import facts
from producer_agent.store.clock import now_us
from producer_agent.store.database import StoreError
from producer_agent.store.reader import Reader
from producer_agent.supervisor import Supervisor

SILENT_AFTER_S = 5.0
"""An agent whose heartbeat is older is called silent."""

settings = Settings.load()
logging.basicConfig(
    level=settings.log_level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
)
reader = Reader(settings.db)


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """The agent lives as long as the server does."""
    supervisor = Supervisor(settings.db)
    supervisor.start()
    try:
        yield
    finally:
        await run_in_threadpool(supervisor.close)


async def healthz(_request: Request) -> JSONResponse:
    """200 while the agent's heartbeat is fresh, 503 with the reason otherwise."""
    try:
        agent = await run_in_threadpool(reader, lambda db: facts.get(db, "agent"))
    except StoreError as error:
        return JSONResponse({"healthy": False, "reason": str(error)}, status_code=503)
    age_s = None if agent is None else (now_us() - agent.at_us) / 1e6
    healthy = age_s is not None and age_s < SILENT_AFTER_S
    reason = None if healthy else "the agent is silent"
    return JSONResponse(
        {"healthy": healthy, "reason": reason, "heartbeat_age_s": age_s, "at_s": time.time()},
        status_code=200 if healthy else 503,
    )


app = st.App("dashboard/main.py", lifespan=lifespan, routes=[Route("/healthz", healthz)])
