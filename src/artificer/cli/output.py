"""How a command speaks: one JSON document or a few readable lines on stdout; everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from artificer.endings import tell
from artificer.errors import ArtificerError

if TYPE_CHECKING:
    from artificer.types import Json

T = TypeVar("T")


def emit(document: Json, as_json: bool, render: Callable[[Json], None]) -> None:
    """Print the result of a command: the document itself with ``--json``, otherwise through `render`."""
    if as_json:
        sys.stdout.write(json.dumps(_plain(document), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        render(document)
    sys.stdout.flush()


def guarded(work: Callable[[], T], *, as_json: bool, debug: bool) -> T:
    """Run a command's work; what goes wrong becomes one sentence and an exit code."""
    try:
        from artificer.settings import apply_settings, load_settings

        apply_settings(load_settings())
        return work()
    except ArtificerError as error:
        _trace(debug)
        fail(str(error), error.exit_code, type(error).__name__, as_json)
    except KeyboardInterrupt:
        fail("interrupted before there was a result; what was there before still stands", 130, "Interrupted", as_json)
    except BrokenPipeError:
        # Who read the output has gone; Python would complain again when it closes the pipe.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- for the rest of the process
        raise SystemExit(1) from None
    except MemoryError as error:
        _trace(debug)
        fail("there is not enough memory; give fewer rows or a larger machine", 1, type(error).__name__, as_json)
    except OSError as error:
        _trace(debug)
        what = f"{error.filename} cannot be used" if error.filename else "a file cannot be used"
        cause = (error.strerror or str(error)).lower()
        fail(f"{what} ({cause}); check the disk and the permissions", 1, type(error).__name__, as_json)
    except Exception as error:
        _trace(debug)
        text = " ".join(str(error).split())[:300]
        fail(
            f"something unforeseen happened ({type(error).__name__}: {text}); run again with --debug and report it",
            1,
            type(error).__name__,
            as_json,
        )


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def fail(message: str, exit_code: int, kind: str, as_json: bool) -> NoReturn:
    """End the process with one sentence on stderr and, with ``--json``, the same as a document on stdout."""
    raise SystemExit(tell(message, kind, exit_code, as_json))


def _plain(value: Any) -> Any:
    """Anything a document may hold as JSON: NumPy scalars, paths and times too; a number that is none is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
