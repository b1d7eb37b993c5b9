"""How a command speaks: one JSON document or a few readable lines on stdout; everything else on stderr."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from artificer.errors import ArtificerError, UsageError

if TYPE_CHECKING:
    from artificer.types import Json

T = TypeVar("T")


def emit(document: Json, as_json: bool, render: Callable[[Json], None]) -> None:
    """Print the result of a command: the document itself with ``--json``, otherwise through `render`."""
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False, default=_plain) + "\n")
        sys.stdout.flush()
    else:
        render(document)


def guarded(work: Callable[[], T], *, as_json: bool, debug: bool) -> T:
    """Run a command's work; what goes wrong becomes one sentence and an exit code."""
    try:
        return work()
    except ArtificerError as error:
        if debug:
            traceback.print_exc()
        fail(str(error), error.exit_code, type(error).__name__, as_json)
    except KeyboardInterrupt:
        fail("Interrupted before there was a result.", 130, "KeyboardInterrupt", as_json)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    except Exception as error:
        if debug:
            traceback.print_exc()
        text = " ".join(str(error).split())[:300]
        fail(
            f"Something unforeseen happened ({type(error).__name__}: {text}); run again with --debug and report it.",
            1,
            type(error).__name__,
            as_json,
        )


def fail(message: str, exit_code: int, kind: str, as_json: bool) -> NoReturn:
    """End the process with one sentence on stderr and, with ``--json``, the same as a document on stdout."""
    sentence = " ".join(message.split())
    sys.stderr.write(f"error: {sentence}\n")
    if as_json:
        document = {"schema": "artificer.error/1", "error": {"kind": kind, "message": sentence, "exit_code": exit_code}}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    raise SystemExit(exit_code)


def usage(message: str) -> NoReturn:
    raise UsageError(message)


def _plain(value: Any) -> Any:
    """NumPy scalars and paths as JSON."""
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
