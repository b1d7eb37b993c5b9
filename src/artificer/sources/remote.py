"""Files at ``https://``, ``s3://`` and ``gs://``: brought here whole before they are read, or not read at all.

Credentials come from where the providers' own tools find them: for S3 the AWS variables, profiles and machine roles,
for Google its application default, for HTTP ``.netrc`` and ``${NAME}`` in the URL.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from artificer.errors import SourceError
from artificer.problem.places import StoreURL
from artificer.sources.locate import Located, find
from artificer.sources.packing import CHUNK
from artificer.sources.secrets import template, told

WAIT_SECONDS = (15, 60)
"""For a connection, and for the next bytes."""
RETRY_SECONDS = 30
_WILD = re.compile(r"[*?\[]")
_UNFIT = re.compile(r"[*?\[\\\x00-\x1f]")


@contextmanager
def fetched(spec: str) -> Iterator[Located]:
    """Bring what a URL names to a temporary folder, for as long as the context lasts.

    Raises
    ------
    SourceError
        It cannot be reached, is refused, is not there, or ended before its end.
    ConfigurationError
        An environment variable that the URL names is not set.
    """
    base, mark, table = spec.rpartition("#")
    url = template(base if mark else spec)
    with tempfile.TemporaryDirectory(prefix="artificer-") as folder:
        root = Path(folder)
        if url.template.split("://")[0].lower() in ("http", "https"):
            local = _from_http(url, root)
        else:
            local = _from_store(url, root)
        found = find(str(local))
        home = str(url).split("?")[0]
        start = _before_wild(home)
        files = tuple(
            replace(
                file,
                name=home
                if file.path == local
                else f"{start}/{file.path.relative_to(_before_wild(str(local))).as_posix()}",
            )
            for file in found.files
        )
        yield replace(found, place=str(url), files=files, table=table if mark else None)


def _before_wild(place: str) -> str:
    """The folder above the first wildcard; the place itself where there is none."""
    wild = _WILD.search(place)
    return place[: place.rindex("/", 0, wild.start())] if wild else place.rstrip("/")


def _from_http(url: StoreURL, root: Path) -> Path:
    import requests

    place = url.resolve()
    target = root / _plain_name(place)
    got, wanted = 0, None
    try:
        with requests.get(place, stream=True, timeout=WAIT_SECONDS, headers={"Accept-Encoding": "identity"}) as answer:
            if not answer.ok:
                raise _refused(url, answer.status_code, answer.reason)
            length = answer.headers.get("Content-Length")
            wanted = int(length) if length and "Content-Encoding" not in answer.headers else None
            with target.open("wb") as out:
                for chunk in answer.iter_content(CHUNK):
                    out.write(chunk)
                    got += len(chunk)
    except requests.RequestException as error:
        # `from None`: the library's own text quotes the URL with what stands in it.
        if got or isinstance(error, requests.exceptions.ChunkedEncodingError):
            raise _vanished(url, got, wanted) from None
        raise SourceError(f'"{url}" cannot be reached ({_kind(error)}); check the address and the network') from None
    if wanted is not None and got < wanted:
        raise _vanished(url, got, wanted)
    return target


def _plain_name(place: str) -> str:
    """The last name of a URL's path, decoded first: a name with a folder in it would lead out of the temporary one."""
    name = Path(unquote(urlsplit(place).path)).name
    return _UNFIT.sub("_", name) if name not in ("", ".", "..") else "table"


def _kind(error: Exception) -> str:
    """The kind of a failure in words: its text would quote the whole address."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def _refused(url: StoreURL, status: int, reason: str) -> SourceError:
    if status in (401, 403):
        return SourceError(f'"{url}" refuses the credentials ({status} {reason}); check them where they are kept')
    if status in (404, 410):
        return SourceError(f'there is no file "{url}" ({status} {reason}); check the address')
    return SourceError(f'"{url}" cannot be read now ({status} {reason}); try again later')


def _vanished(url: StoreURL, got: int, wanted: int | None) -> SourceError:
    share = f"{got:,} of {wanted:,} bytes" if wanted else f"{got:,} bytes"
    return SourceError(f'"{url}" ended after {share}; nothing of it was kept, so try again')


def _from_store(url: StoreURL, root: Path) -> Path:
    """Bring one object, those of a pattern, or those under a prefix; their names below the bucket are kept."""
    scheme, _, path = url.resolve().partition("://")
    path = unquote(path)
    if path.startswith("/") or ".." in Path(path).parts:
        raise SourceError(f'"{url}" leads out of its bucket; write bucket and key without ".." and an empty name')
    try:
        store = _store(scheme)
        for info in _objects(store, path):
            _bring(store, info, root / info.path, url)
    except (OSError, ValueError) as error:
        raise _of_store(url, error) from None
    local = root / path.rstrip("/")
    if not _WILD.search(path) and not local.exists():
        raise SourceError(f'there is no file "{url}"; check bucket and key')
    return local


def _store(scheme: str) -> Any:
    from pyarrow import fs

    if scheme == "gs":
        emulator = os.environ.get("STORAGE_EMULATOR_HOST")
        if emulator is None:
            return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=RETRY_SECONDS))
        kind, _, host = emulator.rpartition("://")
        return fs.GcsFileSystem(
            anonymous=True,
            scheme=kind or "http",
            endpoint_override=host,
            retry_time_limit=timedelta(seconds=RETRY_SECONDS),
        )
    kind, _, endpoint = (os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "").rpartition(
        "://"
    )
    return fs.S3FileSystem(
        endpoint_override=endpoint or None,
        scheme=kind or "https",
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        connect_timeout=WAIT_SECONDS[0],
        request_timeout=WAIT_SECONDS[1],
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def _objects(store: Any, path: str) -> list[Any]:
    from fnmatch import fnmatchcase

    from pyarrow import fs

    if not _WILD.search(path):
        info = store.get_file_info(path.rstrip("/"))
        if info.type is fs.FileType.File:
            return [info]
    base = _before_wild(path)
    every = store.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
    files = [info for info in every if info.type is fs.FileType.File]
    # "*" of a pattern does not cross folders here; what it brings too much is left aside when it is matched again.
    return [info for info in files if not _WILD.search(path) or fnmatchcase(info.path, path.replace("**/", "*"))]


def _bring(store: Any, info: Any, target: Path, url: StoreURL) -> None:
    if ".." in Path(info.path).parts:
        raise SourceError(f'"{url}" holds the key "{info.path}", which leads out of any folder; rename it')
    target.parent.mkdir(parents=True, exist_ok=True)
    got = 0
    try:
        with store.open_input_stream(info.path, compression=None) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, CHUNK)
            got = out.tell()
    except OSError as error:
        if target.exists() and target.stat().st_size:
            raise _vanished(url, target.stat().st_size, info.size) from error
        raise
    if info.size is not None and got < info.size:
        raise _vanished(url, got, info.size)


def _of_store(url: StoreURL, error: Exception) -> SourceError:
    said = told(url, error)
    small = said.lower()
    if any(
        sign in small
        for sign in ("access denied", "access_denied", "forbidden", "403", "401", "credential", "signature")
    ):
        return SourceError(f'"{url}" refuses the credentials ({said}); check them where the provider keeps them')
    if "not found" in small or "does not exist" in small or "no_such" in small:
        return SourceError(f'there is no file "{url}" ({said}); check bucket and key')
    return SourceError(f'"{url}" cannot be read ({said}); check the bucket and the network')
