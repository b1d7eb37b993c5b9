"""Bodies of requests: what they may be declared as, how long they may be, how slow they may come, and JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

import msgspec

from artificer.server.problems import Refusal

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
T = TypeVar("T")

MAX_CELLS: Final = 5_000_000
"""More values in one body are refused unread: as Python objects they take many times the body's size."""
BODY_SECONDS: Final = 30.0
"""So long may a body stand still."""
WHOLE_BODY_SECONDS: Final = 300.0
"""So long may a body take in all, however it trickles."""

JSON_MEDIA: Final = frozenset({b"application/json"})
TOO_DEEP: Final = "the body is nested too deeply; send rows of plain values"


def check_headers(headers: Headers, media: frozenset[bytes], max_body: int) -> None:
    """Hold the declared type, length and coding of a body to what is taken; Refusal where they are not.

    A type of ``b""`` among `media` lets a body pass that is declared as nothing.
    """
    declared = False
    for name, value in headers:
        if name == b"content-type":
            declared = True
            if value not in media:
                _check_media_type(value, media)
        elif name == b"content-length":
            if int(value) > max_body:
                too_large(max_body)
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise Refusal(415, "media-type", "the body is compressed; send it as it is")
    if not declared and b"" not in media:
        # A browser asks no leave for a body without a type, whichever page it is from.
        named = b" or ".join(sorted(media)).decode()
        raise Refusal(415, "media-type", f"the body is declared as nothing; send content-type: {named}")


def media_type(headers: Headers) -> bytes:
    """The declared type of a body, lower case, without parameters."""
    value = next((value for name, value in headers if name == b"content-type"), b"")
    return value.partition(b";")[0].strip().lower()


async def read_body(receive: Receive, max_body: int) -> bytes | None:
    """Read a body whose headers are checked, or None when the client goes away before its end."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message["body"]
    if message["more_body"]:
        return await _rest_of_body(body, receive, max_body)
    if len(body) > max_body:
        too_large(max_body)
    return body


async def _rest_of_body(first: bytes, receive: Receive, max_body: int) -> bytes | None:
    chunks, size, more = [first], len(first), True
    end = asyncio.get_running_loop().time() + WHOLE_BODY_SECONDS
    while more:
        if size > max_body:
            too_large(max_body)
        try:
            left = end - asyncio.get_running_loop().time()
            async with asyncio.timeout(min(BODY_SECONDS, left)):
                message = await receive()
        except TimeoutError:
            detail = f"the body stood still for {BODY_SECONDS:.0f} s or took {WHOLE_BODY_SECONDS:.0f}; send it again"
            raise Refusal(408, "too-slow", detail, headers=[(b"connection", b"close")]) from None
        if message["type"] != "http.request":
            return None
        chunks.append(message["body"])
        size += len(chunks[-1])
        more = message["more_body"]
    if size > max_body:
        too_large(max_body)
    return b"".join(chunks)


def too_large(max_body: int) -> NoReturn:
    """Refuse a body for its length."""
    raise Refusal(413, "too-large", f"a body may have {max_body:,} bytes; send the rows in smaller batches")


def decoded(decoder: msgspec.json.Decoder[T], field: str, body: bytes, *, nan: bool = False) -> T:
    """Read ``{field: [...]}`` and what may stand beside it; Refusal where it is not that.

    `nan` takes the literal NaN, which is no JSON and which clients of some protocols send, for a missing cell.
    """
    if len(body) > MAX_CELLS and body.count(b",") > MAX_CELLS:
        detail = f"the body holds more than {MAX_CELLS:,} values; send the rows in smaller batches"
        raise Refusal(413, "too-large", detail)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        return _decoded_slowly(decoder, field, body, error)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if nan and b"NaN" in body:
            with suppress(ValueError, RecursionError):
                return decoded(decoder, field, msgspec.json.encode(json.loads(body, parse_constant=_constant)))
        raise Refusal(400, "malformed", f"the body is not JSON in UTF-8: {error}; send one JSON object") from error
    except RecursionError:
        raise Refusal(400, "malformed", TOO_DEEP) from None


def _decoded_slowly(decoder: msgspec.json.Decoder[T], field: str, body: bytes, error: msgspec.ValidationError) -> T:
    """Read once more what msgspec refused: a number such as 1e400 is JSON, and the contract names the cell it is in."""
    if "out of range" in str(error):
        with suppress(ValueError, RecursionError, msgspec.ValidationError):
            return msgspec.convert(json.loads(body), decoder.type)
    message = str(error).replace("`", '"')
    raise Refusal(422, "shape", f'{message}; send {{"{field}": [...]}}, as /docs shows') from error


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no number")


def _check_media_type(value: bytes, media: frozenset[bytes]) -> None:
    main, *parameters = (part.strip() for part in value.lower().split(b";"))
    given = value[:100].decode("latin-1")
    if main not in media:
        named = b" or ".join(sorted(media - {b""})).decode()
        raise Refusal(415, "media-type", f'the body is declared as "{given}"; send {named}')
    for parameter in parameters:
        name, _, setting = parameter.partition(b"=")
        if name.strip() == b"charset" and setting.strip(b' "') not in (b"utf-8", b"utf8", b"us-ascii"):
            raise Refusal(415, "media-type", f'the body is declared as "{given}"; send JSON in UTF-8')
