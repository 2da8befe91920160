"""GET /v1/account: what a key may spend, how often it may come, and what it did on the last 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Self

from pydantic import BaseModel, Field

from packshot.service.accounts import KeyInfo
from packshot.service.ledger import DayUsage

DAYS = 30


class Day(BaseModel):
    """What a key did on a day, UTC."""

    day: date
    succeeded: int = Field(description="Photos that were answered.")
    failed: int = Field(description="Photos whose credit was given back.")
    credits: int = Field(description="Credits spent, those of photos in work included.")


class Account(BaseModel):
    """The account of the key that asks."""

    id: str = Field(description="Names the key; it is no secret.")
    name: str = Field(description="What the operator calls it.")
    credits: int | None = Field(description="Credits left; null: no end of them.")
    used: int = Field(description="Credits spent since the key was made.")
    rate: str | None = Field(description="Requests that may come; null: no limit.", examples=["600/minute"])
    expires_at: datetime | None
    usage: list[Day] = Field(description=f"The last {DAYS} days, newest first; days without a photo are left out.")

    @classmethod
    def of(cls, key: KeyInfo, usage: Sequence[DayUsage], *, rate: str | None) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            credits=key.credits,
            used=key.used,
            rate=key.rate or rate,
            expires_at=None if key.expires_at is None else datetime.fromtimestamp(int(key.expires_at), UTC),
            usage=[Day(day=row.day, succeeded=row.succeeded, failed=row.failed, credits=row.credits) for row in usage],
        )
