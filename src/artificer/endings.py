"""How a process ends on an error: one sentence for people, and one document for programs that asked for JSON."""

from __future__ import annotations

import json
import sys
from typing import Final

SCHEMA: Final = "artificer.error/1"


def tell(message: str, kind: str, exit_code: int, as_json: bool) -> int:
    """Write the sentence to standard error and, where asked for, the document to standard output; gives the exit code.

    Parameters
    ----------
    kind : the name of the error's class.
    """
    sentence = " ".join(message.split()).rstrip(".")
    sys.stderr.write(f"error: {sentence}\n")
    if as_json:
        document = {"schema": SCHEMA, "error": {"kind": kind, "message": sentence, "exit_code": exit_code}}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return exit_code
