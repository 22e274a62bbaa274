"""Calls of the users API that many tests make."""

import uuid
from typing import Any

import httpx

from tests.support.running import PASSWORD, Running

OTHER_PASSWORD = "velvet-anchor-monsoon-77"


def sign_up(running: Running, **body: Any) -> httpx.Response:
    given = {"userName": f"u-{uuid.uuid4().hex[:12]}", "password": PASSWORD} | body
    return running.http.post("/api/users/register", json=given)


def sign_in(running: Running, name: str, password: str = PASSWORD) -> httpx.Response:
    return running.http.post("/api/users/login", json={"userName": name, "password": password})


def refresh(running: Running, token: str) -> httpx.Response:
    return running.http.post("/api/users/refresh_token", json={"refreshToken": token})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def profile(running: Running, token: str) -> int:
    return running.http.get("/api/users/profile", headers=bearer(token)).status_code


def events(running: Running, user_id: str) -> list[str]:
    admin, after, found = running.admin(), 0, []
    while True:
        page = admin.get(f"/api/events?source=users&limit=1000&after={after}")
        found += [each["type"] for each in page["data"] if each["subject"] == user_id]
        if page["nextAfter"] is None:
            return found
        after = page["nextAfter"]
