"""One streamed answer, or as much of it as its fault leaves."""

import json
import time
from typing import Any

import trio

from discordianai.sandbox.http import Exchange
from discordianai.sandbox.http.http2 import Http2Connection
from discordianai.sandbox.providers.answers import Answer
from discordianai.sandbox.providers.faults import Fault, Kind

Json = dict[str, Any]


class Streaming:
    """One streamed answer."""

    def __init__(
        self, exchange: Exchange, body: Json, answer: Answer, fault: Fault | None, pace: tuple[float, float]
    ) -> None:
        self._exchange = exchange
        self._body = body
        self._answer = answer
        self._fault = fault
        self._first, self._pause = pace  # seconds before the first token, and between two
        if fault and fault.kind is Kind.SLOW and fault.seconds is not None:
            self._pause = fault.seconds

    async def run(self, headers: list[tuple[str, str]]) -> None:
        """Send the answer, or what the fault leaves of it."""
        await self._exchange.start(200, [("content-type", "text/event-stream; charset=utf-8"), *headers])
        await self._event(self._chunk({"role": "assistant", "content": ""}))
        await trio.sleep(self._first)
        pieces = self._answer.pieces if self._answer.text else []
        for number, piece in enumerate(pieces):
            if self._fault and number == self._fault.after and await self._misbehave(self._fault):
                return
            await self._event(self._chunk({"content": piece}, some_sources=number))
            await trio.sleep(self._pause)
        reason = "length" if self._fault and self._fault.kind is Kind.LENGTH else "stop"
        await self._event(self._chunk({}, finish_reason=reason, some_sources=len(self._answer.sources)))
        if self._body.get("stream_options", {}).get("include_usage"):
            usage = usage_of(self._body, self._answer)
            await self._event({**common(self._body), "choices": [], "usage": usage})
        await self._exchange.send(b"data: [DONE]\n\n")
        await self._exchange.finish()

    async def _misbehave(self, fault: Fault) -> bool:
        """Do it; whether that was the end of the answer."""
        exchange = self._exchange
        connection = getattr(exchange, "connection", None)
        match fault.kind:
            case Kind.STALL:
                await trio.sleep_forever()
            case Kind.HALF_CHARACTER:
                whole = json.dumps(self._chunk({"content": "é"}), ensure_ascii=False).encode()
                await exchange.send(b"data: " + whole[: whole.index("é".encode()) + 1])
                await exchange.reset()
            case Kind.CUT:
                await exchange.reset()
            case Kind.ABORT if connection is not None:
                await connection.abort()
            case Kind.GOAWAY if isinstance(connection, Http2Connection):
                await connection.goaway()
                return False
            case Kind.END:
                await exchange.finish()
            case Kind.EVENT:
                await self._event({"error": {"message": "secret words", "type": "server_error"}})
                await exchange.finish()
            case _:
                return False
        return True

    def _chunk(self, delta: Json, finish_reason: str | None = None, some_sources: int = 0) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        sources = sources_of(Answer("", self._answer.sources[:some_sources]))
        if finish_reason and self._answer.sources:
            sources["usage"] = usage_of(self._body, self._answer)
        return {**common(self._body), "object": "chat.completion.chunk", "choices": [choice], **sources}

    async def _event(self, data: Json) -> None:
        await self._exchange.send(b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n")


def said_by_people(body: Json) -> list[str]:
    """What people said, message by message; of what has pictures in it, the text."""
    said = [message["content"] for message in body["messages"] if message["role"] == "user"]
    return [content if isinstance(content, str) else content[0]["text"] for content in said]


def common(body: Json) -> Json:
    """What every object of an answer has."""
    return {"id": "chatcmpl-sandbox", "created": int(time.time()), "model": body["model"]}


def usage_of(body: Json, answer: Answer) -> Json:
    """Four characters are a token here."""
    asked, said = len(json.dumps(body["messages"])) // 4, len(answer.text) // 4
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def sources_of(answer: Answer) -> Json:
    """The sources in both of Perplexity's shapes."""
    if not answer.sources:
        return {}
    return {
        "citations": [source.url for source in answer.sources],
        "search_results": [
            {"title": source.title, "url": source.url, "date": source.date} for source in answer.sources
        ],
    }
