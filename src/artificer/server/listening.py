"""The address a service listens on, and what must hold before it may."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from artificer.access.tokens import read_tokens
from artificer.errors import UsageError
from artificer.server.options import Options
from artificer.server.origin import is_loopback

BACKLOG: Final = 2048


def listen(options: Options) -> socket.socket:
    """Take the address, before anything slow is done.

    Raises
    ------
    UsageError
        The address is in use or unknown, or open to other machines while there is no token.
    """
    try:
        found = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f'the host "{options.host}" is not an address of this machine: {error}; use 127.0.0.1.'
        ) from error
    remote = [str(place[4][0]) for place in found if not is_loopback(str(place[4][0]))]
    if remote:
        _check_tokens(remote[0], options.tokens)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {options.port} of {options.host} cannot be taken: {error.strerror or error}; stop what uses it or "
            "choose another."
        ) from error
    return listener


def _check_tokens(address: str, tokens: Path | None) -> None:
    if tokens is None or not read_tokens(tokens):
        raise UsageError(
            f"the address {address} is open to other machines, and there is no token yet to tell who may ask; "
            'make one with "artificer token add NAME --scope predict", or listen on 127.0.0.1.'
        )


def tls_context(options: Options) -> ssl.SSLContext | None:
    """What the service speaks TLS with, None where it speaks plain HTTP.

    Raises
    ------
    UsageError
        The certificate and its key cannot be read, or do not belong together.
    """
    if options.certificate is None or options.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, options.certificate, options.key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Let new connections be made with these files.

    Raises
    ------
    UsageError
        As :func:`tls_context`.
    """
    try:
        # The empty passphrase keeps OpenSSL from asking for one on a terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise UsageError(
            f"the certificate {certificate} and the key {key} cannot be used ({error}); give two PEM files that "
            "belong together, the key without a passphrase."
        ) from error


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Give the URL under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
