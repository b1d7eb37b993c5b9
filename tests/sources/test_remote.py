"""Files of other machines, played by servers on loopback: HTTP, and as much of S3 and Google's storage as is asked."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import openpyxl
import polars as pl
import pytest

from artificer.errors import ConfigurationError, SourceError
from artificer.sources import remote
from artificer.sources.base import ReadOptions
from artificer.sources.reading import read_batches, read_source

SECRET = "hush-4711-secret"  # noqa: S105 -- made up
TABLE = b"a,b\n" + b"1,2\n" * 50_000


class Store(ThreadingHTTPServer):
    """Objects by path; a path that holds "cut" ends midway, one with "locked" is refused, "gone" is broken."""

    objects: dict[str, bytes]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        self.server.asked.append(self.path)
        asked = {key: values[0] for key, values in parse_qs(place.query, keep_blank_values=True).items()}
        path = unquote(place.path)
        if "locked" in path or "locked" in asked.get("prefix", ""):
            self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
        elif path.startswith("/storage/v1/b/"):
            self.google(path, asked)
        elif "list-type" in asked:
            self.listing(path.strip("/"), asked.get("prefix", ""), asked.get("delimiter"))
        elif path in self.server.objects:
            self.content(self.server.objects[path], path)
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")

    def answer(self, status: int, body: bytes, kind: str = "application/xml") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def content(self, data: bytes, path: str) -> None:
        total, first = len(data), 0
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            first = int(wanted[1])
            data = data[first : int(wanted[2] or total - 1) + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{total}")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Sat, 01 Nov 2025 00:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command == "HEAD":
            return
        if "cut" in path:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
        else:
            self.wfile.write(data)

    def listing(self, bucket: str, prefix: str, delimiter: str | None) -> None:
        names = [path.removeprefix(f"/{bucket}/") for path in self.server.objects if path.startswith(f"/{bucket}/")]
        names = [name for name in names if name.startswith(prefix)]
        entries = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(self.server.objects[f'/{bucket}/{name}'])}</Size>"
            "<LastModified>2025-11-01T00:00:00.000Z</LastModified></Contents>"
            for name in names
        )
        self.answer(
            200,
            f"<ListBucketResult><Name>{bucket}</Name><Prefix>{prefix}</Prefix><KeyCount>{len(names)}</KeyCount>"
            f"<IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode(),
        )

    def google(self, path: str, asked: dict[str, str]) -> None:
        bucket, _, name = path.removeprefix("/storage/v1/b/").partition("/o")
        name = name.lstrip("/")
        key = f"/{bucket}/{name}"
        if not name:
            found = [k for k in self.server.objects if k.startswith(f"/{bucket}/{asked.get('prefix', '')}")]
            items = [self.described(bucket, k.removeprefix(f"/{bucket}/")) for k in found]
            self.answer(200, json.dumps({"kind": "storage#objects", "items": items}).encode(), "application/json")
        elif key not in self.server.objects:
            self.answer(404, b'{"error": {"code": 404, "message": "none"}}', "application/json")
        elif asked.get("alt") == "media":
            self.content(self.server.objects[key], path)
        else:
            self.answer(200, json.dumps(self.described(bucket, name)).encode(), "application/json")

    def described(self, bucket: str, name: str) -> dict[str, str]:
        size = str(len(self.server.objects[f"/{bucket}/{name}"]))
        return {"kind": "storage#object", "name": name, "bucket": bucket, "size": size, "generation": "1"}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    server = Store(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.objects, server.asked = {}, []
    host = f"127.0.0.1:{server.server_address[1]}"
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-north-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "STORAGE_EMULATOR_HOST": f"http://{host}",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "RETRY_SECONDS", 1)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(store: Store, path: str) -> str:
    return f"http://127.0.0.1:{store.server_address[1]}{path}"


def test_files_over_http(store: Store, tmp_path: Path) -> None:
    store.objects["/data/sales.csv"] = TABLE
    result = read_source(address(store, "/data/sales.csv"))
    assert result.rows_read == 50_000
    assert result.place == result.parts[0].name == address(store, "/data/sales.csv")
    assert sum(batch.frame.height for batch in read_batches(address(store, "/data/sales.csv"))) == 50_000
    local = tmp_path / "sales.csv"
    local.write_bytes(TABLE)
    assert read_source(local).fingerprint == result.fingerprint
    book = openpyxl.Workbook()
    for name in ("first", "second"):
        sheet = book.create_sheet(name)
        sheet.append(["x"])
        sheet.append([name])
    book.save(tmp_path / "b.xlsx")
    store.objects["/b.xlsx"] = (tmp_path / "b.xlsx").read_bytes()
    assert read_source(address(store, "/b.xlsx#second")).frame.rows() == [("second",)]
    with pytest.raises(SourceError, match=r'"http://127.0.0.1:\d+/b.xlsx" has 2 sheets .* "b.xlsx#first"'):
        read_source(address(store, "/b.xlsx"))


def test_no_address_writes_outside_the_temporary_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    outside = tmp_path / "outside.csv"
    coded = str(outside).replace("/", "%2F")
    for path in (f"/{coded}", "/..%2F..%2Foutside.csv", "/a/%2E%2E", "/%2E", "/", "/a%00b.csv", "/..%5Coutside.csv"):
        store.objects[unquote(path)] = b"a,b\n1,2\n"
        with remote.fetched(address(store, path)) as found:
            (file,) = found.files
            assert file.path.read_bytes() == b"a,b\n1,2\n"
            assert file.path.parent.parent == folder
        assert not outside.exists()
        assert list(folder.iterdir()) == []


def test_a_key_that_leads_out_of_its_bucket_is_refused(store: Store) -> None:
    for place in ("s3://bucket/../../x.csv", "s3://bucket/%2E%2E/x.csv", "s3://%2Fetc/x.csv"):
        with pytest.raises(SourceError, match="leads out of its bucket"):
            read_source(place)


@pytest.mark.parametrize("scheme", ["http", "s3", "gs"])
def test_a_source_that_vanishes_midway_gives_no_partial_table(store: Store, scheme: str) -> None:
    store.objects["/bucket/cut.csv"] = TABLE
    place = address(store, "/bucket/cut.csv") if scheme == "http" else f"{scheme}://bucket/cut.csv"
    with pytest.raises(SourceError, match=r"ended after|cannot be read") as caught:
        read_source(place)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [("/none.csv", "there is no file"), ("/locked.csv", "refuses the credentials")],
)
@pytest.mark.parametrize("scheme", ["http", "s3"])
def test_what_is_not_there_or_not_allowed(store: Store, scheme: str, path: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_source(address(store, path) if scheme == "http" else f"s3://bucket{path}")


def test_nobody_answers() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        read_source("http://127.0.0.1:1/t.csv")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_objects_patterns_and_prefixes_of_a_store(store: Store, scheme: str, tmp_path: Path) -> None:
    for year in (2023, 2024):
        path = tmp_path / f"{year}.parquet"
        pl.DataFrame({"n": [year]}).write_parquet(path)
        store.objects[f"/bucket/sales/year={year}/part.parquet"] = path.read_bytes()
    store.objects["/bucket/other/x.csv"] = b"a,b\n1,2\n"
    whole = read_source(f"{scheme}://bucket/sales/")
    assert whole.frame.rows() == [(2023, "2023"), (2024, "2024")]
    assert whole.parts[0].name == f"{scheme}://bucket/sales/year=2023/part.parquet"
    assert read_source(f"{scheme}://bucket/sales/*/part.parquet").frame.rows() == whole.frame.rows()
    assert read_source(f"{scheme}://bucket/other/x.csv").frame.rows() == [("1", "2")]
    with pytest.raises(SourceError, match="no file"):
        read_source(f"{scheme}://bucket/none-*.csv")


def test_secrets_come_from_the_environment_and_are_never_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "artificer")
    monkeypatch.setenv("DATA_TOKEN", SECRET)
    store.objects["/t.csv"] = store.objects["/cut.csv"] = TABLE
    result = read_source(address(store, "/t.csv?token=${DATA_TOKEN}"))
    assert f"token={SECRET}" in store.asked[-1]
    said = [repr(result.notes), result.place, repr(result.parts), caplog.text]

    def failing(read: Callable[[], object]) -> None:
        with pytest.raises((SourceError, ConfigurationError)) as caught:
            read()
        error: BaseException | None = caught.value
        while error is not None:
            said.append(f"{error!r} {error}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)

    for path in ("/none.csv", "/locked.csv", "/cut.csv"):
        failing(lambda path=path: read_source(address(store, f"{path}?token=${{DATA_TOKEN}}")))
    failing(lambda: read_source("http://user:${DATA_TOKEN}@127.0.0.1:1/t.csv"))
    failing(lambda: read_source("s3://bucket/locked.csv"))
    failing(lambda: read_source("postgresql://me:${DATA_TOKEN}@127.0.0.1:1/db", options=ReadOptions(table="t")))
    failing(lambda: read_source("mysql://me:${DATA_TOKEN}@127.0.0.1:1/db", options=ReadOptions(table="t")))
    assert SECRET not in " ".join(said)
    monkeypatch.delenv("DATA_TOKEN")
    with pytest.raises(ConfigurationError, match="DATA_TOKEN, which is not set"):
        read_source(address(store, "/t.csv?token=${DATA_TOKEN}"))
