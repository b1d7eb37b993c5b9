"""Every broker keeps the contract of streams."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from artificer.errors import ConfigurationError, StreamError
from artificer.streams.base import stream_for, streams
from artificer.testing.streams import check_stream

from .conftest import Server, free_port


def test_nats(nats: Server) -> None:
    asyncio.run(check_stream(lambda: stream_for(f"nats://127.0.0.1:{nats.port}", create=True)))


def test_redis(redis_url: str) -> None:
    asyncio.run(check_stream(lambda: stream_for(redis_url, create=True)))


def test_kafka(kafka_url: str) -> None:
    asyncio.run(check_stream(lambda: stream_for(kafka_url, create=True)))


def test_every_member_has_a_test() -> None:
    assert {f"test_{name}" for name in streams()} <= set(globals())


@pytest.mark.parametrize("scheme", ["nats", "redis"])
def test_nobody_there(scheme: str) -> None:
    pytest.importorskip(scheme)
    stream = stream_for(f"{scheme}://127.0.0.1:{free_port()}")
    with pytest.raises(StreamError, match="cannot be reached"):
        asyncio.run(stream.open())


def test_an_unknown_scheme() -> None:
    with pytest.raises(ConfigurationError, match='did you mean "kafka"'):
        stream_for("kafkaa://here")


def test_a_subject_that_nobody_keeps(nats: Server) -> None:
    async def prepare() -> None:
        stream = stream_for(f"nats://127.0.0.1:{nats.port}")
        await stream.open()
        try:
            await stream.prepare("nowhere")
        finally:
            await stream.close()

    with pytest.raises(ConfigurationError, match="add one, or set"):
        asyncio.run(prepare())


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def absent(name: str, *_: Any) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match=r'pip install "artificer\[nats\]"'):
        asyncio.run(_opened("nats://127.0.0.1:1"))


async def _opened(url: str) -> None:
    from artificer.streams.nats import NatsStream

    await NatsStream(url).open()
