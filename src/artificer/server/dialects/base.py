"""What a dialect is: a body becomes an ask, an answer becomes a body; everything between is common to all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from artificer.server.problems import JSON
from artificer.serving.predictor import Answer, Ask, Predictor


@dataclass(frozen=True, slots=True)
class Dialect:
    """A way to ask for predictions over HTTP, by POST.

    Attributes
    ----------
    path : where it is spoken.
    media : the content types of its bodies, lower case, without parameters.
    read : turns a body into what is asked of the model that will answer; raises ``Refusal`` for one that is malformed.
    write : turns what the predictor says to what was asked into the answer's body.
    content_type : header of the answer.
    """

    path: str
    media: frozenset[bytes]
    read: Callable[[bytes, Predictor], Ask]
    write: Callable[[Predictor, Answer, Ask], bytes]
    content_type: tuple[bytes, bytes] = JSON
