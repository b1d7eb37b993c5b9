"""An answer leaves in one piece, and nothing that has no body is held back."""

from __future__ import annotations

from typing import Any

import pytest

from artificer.server.wire import JoiningTransport

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorder:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, parts: Any) -> None:
        self.written.append(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def joining(recorder: Recorder) -> Any:
    return JoiningTransport(recorder)  # type: ignore[arg-type]


def test_head_and_body_go_together_and_more_body_at_once(joining: Any, recorder: Recorder) -> None:
    joining.write(HEAD)
    assert recorder.written == []
    joining.write(b"first")
    joining.write(b"second")
    assert recorder.written == [HEAD + b"first", b"second"]


def test_a_head_alone_goes_when_the_answer_is_complete_or_the_connection_closes(
    joining: Any, recorder: Recorder
) -> None:
    joining.write(HEAD)
    joining.flush()
    joining.flush()
    assert recorder.written == [HEAD]
    joining.write(HEAD)
    joining.close()
    assert recorder.written == [HEAD, HEAD]
    assert joining.is_closing()


def test_an_invitation_to_send_the_body_is_not_held(joining: Any, recorder: Recorder) -> None:
    joining.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert recorder.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
