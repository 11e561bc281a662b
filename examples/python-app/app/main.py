"""A notice board: post short notes, read the newest ones."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI(title="Notice board")
notes: deque[Note] = deque(maxlen=100)


class Draft(BaseModel):
    """A note as it is posted."""

    text: Annotated[str, Field(min_length=1, max_length=280)]


class Note(Draft):
    """A note on the board."""

    posted: datetime


@app.post("/notes", status_code=201)
def post(draft: Draft) -> Note:
    """Pin a note to the board; the hundredth oldest falls off."""
    note = Note(text=draft.text, posted=datetime.now(UTC))
    notes.appendleft(note)
    return note


@app.get("/notes")
def read() -> list[Note]:
    """Return the notes, the newest first."""
    return list(notes)
