"""@detoxify on all four kinds of functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from cpguard import detoxify


@detoxify
def answer() -> str:
    return "Read the damn manual, moron. It is on page 12."


@detoxify
async def answer_later() -> str:
    await asyncio.sleep(0)
    return "The server is back."


@detoxify
def stream() -> Iterator[str]:
    yield from ["What a shi", "tty question. The po", "rt is 8080."]


@detoxify(key="reply")
def record() -> dict[str, str]:
    return {"id": "a1", "reply": "Shut up and wait until 5 pm."}


@detoxify
async def stream_later() -> AsyncIterator[str]:
    for piece in ["All go", "od."]:
        yield piece


async def main() -> None:
    print(answer())
    print(await answer_later())
    print("".join(stream()))
    print(record())
    print("".join([piece async for piece in stream_later()]))


asyncio.run(main())
