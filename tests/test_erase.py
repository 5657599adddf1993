"""What an erasure does without servers: which messages belong to an attempt, their account, masks, keys, requests."""

from __future__ import annotations

import base64
import gzip
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import zstandard
from contract_messages import RULES_OF_CONTRACT as RULES
from messages import attempt, text
from scanner import holding
from test_worker import ENVELOPES, batch

from etl import settings as settings_module
from etl.build import home_files
from etl.build.erase import attempt_ids
from etl.errors import UsageError, WarehouseError
from etl.land import choice, raw_lines, rewrite, spark_job, worker
from etl.land.check_message import Accepted, contract
from etl.settings import Settings
from etl.store import erased_attempts, erasures
from etl.store.erased_attempts import Erased, digest

ID = "37f0a30a-7464-11e6-aa92-a8667f27e5dc"
KEY = b"k" * 32
ERASED = Erased(KEY, {digest(KEY, ID), digest(KEY, "with space")}, "user_exam_id")
OTHER = attempt("other")
OF_IT = {
    "its own id": text(attempt("a", user_exam_id=ID)),
    "an escaped id": text(attempt("a", user_exam_id=ID)).replace(b"37f0", b"\\u00337f0"),
    "an id given twice, this one last": b'{"user_exam_id": "other", "user_exam_id": "' + ID.encode() + b'"}',
    "another of the erased ids": text(attempt("a", user_exam_id="with space")),
    "an envelope of another tool": text({"payload": attempt("a", user_exam_id=ID)}),
    "no JSON": b"{oops " + ID.encode() + b", cut",
    "a list": text([1, {"id": ID}]),
    "a text in which it is a word": text({"note": f"attempt {ID}, again"}),
    "UTF-16": f"id {ID}".encode("utf-16"),
    "gzip": gzip.compress(ID.encode()),
    "no text at all, but around it": b"\xff\x00 " + ID.encode() + b" \xff",
}
NOT_OF_IT = {
    "another attempt that mentions it": text({**OTHER, "unknown": {"retake_of": ID}}),
    "another attempt whose name is it": text(attempt("other", exam_name=ID)),
    "an id given twice, this one first": b'{"user_exam_id": "' + ID.encode() + b'", "user_exam_id": "other"}',
    "a longer id": text({"id": f"{ID}0"}),
    "nothing": b"",
    "cut gzip": gzip.compress(ID.encode())[:15],
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", OF_IT)
def test_a_message_belongs_to_an_erased_attempt(name: str) -> None:
    assert ERASED.holds(OF_IT[name])


@pytest.mark.parametrize("name", NOT_OF_IT)
def test_a_message_of_another_attempt_stays(name: str) -> None:
    assert not ERASED.holds(NOT_OF_IT[name])


def test_key_and_headers_name_an_attempt_only_where_the_message_has_none() -> None:
    for around in ((ID.encode(), []), (None, [("attempt", ID.encode())]), (None, [(ID, None)])):
        assert ERASED.holds(None, *around) and ERASED.holds(b"{}", *around)
        assert not ERASED.holds(text(OTHER), *around)


def test_another_key_recognizes_nothing() -> None:
    assert not Erased(b"other" * 8, {digest(KEY, ID)}, "user_exam_id").holds(OF_IT["its own id"])


def test_workers_count_the_messages_of_erased_attempts_and_write_none_of_them() -> None:
    values = [*OF_IT.values(), *NOT_OF_IT.values(), None, text(OTHER)]
    rows = [(ENVELOPES[0]._replace(headers=()), value) for value in values]
    (plain,) = worker.checker(RULES, 3)(iter([batch(rows)]))
    (lines,) = worker.checker(RULES, 3, ERASED)(iter([batch(rows)]))
    tables = lines.column("table").to_pylist()
    assert tables[: len(OF_IT)] == [spark_job.ERASED] * len(OF_IT)
    assert not any(lines.column("line").to_pylist()[: len(OF_IT)])
    assert lines.slice(len(OF_IT)).equals(plain.slice(len(OF_IT))), "all others are written as ever"


def raw_file(*values: bytes | None, landing: int = 1, key: bytes | None = None) -> dict[str, bytes]:
    """The files of a landing with these messages, by raw table."""
    fits, lines = contract(*RULES), {spark_job.ACCEPTED: b"", spark_job.REJECTED: b""}
    for offset, value in enumerate(values):
        envelope = ENVELOPES[0]._replace(landing=landing, partition=0, offset=offset, key=key)
        verdict = fits.check(value)
        if isinstance(verdict, Accepted):
            lines[spark_job.ACCEPTED] += raw_lines.line_accepted(envelope, verdict).encode() + b"\n"
        else:
            lines[spark_job.REJECTED] += raw_lines.line_rejected(envelope, verdict.reason, value).encode() + b"\n"
    return {table: gzip.compress(content) for table, content in lines.items()}


def test_lines_of_other_attempts_stay_byte_for_byte_and_those_that_mention_it_are_named() -> None:
    values = [*OF_IT.values(), *NOT_OF_IT.values(), None]
    files, others = raw_file(*values), raw_file(*values)
    naming: list[Any] = []
    chosen = choice.of_attempts(ERASED, [ID, "with space"])
    for table, content in files.items():
        gone: list[Any] = []
        kept = list(rewrite._kept(content, table, chosen, gone, naming))
        lines = gzip.decompress(others[table]).splitlines(keepends=True)
        assert [line for line in lines if json.loads(line)["kafka_offset"] >= len(OF_IT)] == kept
        assert [offset for _, _, offset in gone] == [
            offset for offset in (json.loads(line)["kafka_offset"] for line in lines) if offset < len(OF_IT)
        ]
    assert [offset - len(OF_IT) for _, _, offset in sorted(naming)] == [0, 1, 2]


def landing(number: int, accepted: int, rejected: int, **more: Any) -> dict[str, Any]:
    counts = {"accepted_count": accepted, "rejected_count": rejected, "absent_count": 0, "replayed_offsets": []}
    return {"landing": number, "kafka_partition": 0, **counts, **more}


def test_the_account_of_a_landing_says_how_many_were_erased() -> None:
    rows = [landing(2, 3, 0, erased_count=1), landing(1, 5, 2)]
    first, second = rewrite.accounts(rows, [(1, 0, 3), (2, 0, 9)], [(1, 0, 4)])
    assert (first["accepted_count"], first["rejected_count"], first["erased_count"]) == (4, 1, 2)
    assert (second["accepted_count"], second["rejected_count"], second["erased_count"]) == (2, 0, 2)


def test_a_replayed_message_counts_as_erased_where_it_was_landed_first() -> None:
    rows = [landing(1, 1, 2), landing(2, 2, 0, replayed_offsets=[0, 1])]
    first, second = rewrite.accounts(rows, [(2, 0, 1)], [(1, 0, 1)])
    assert (first["rejected_count"], first["erased_count"]) == (1, 1)
    assert (second["accepted_count"], second["erased_count"], second["replayed_offsets"]) == (1, 0, [0])


# --- the home ---


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return settings_module.load(home=tmp_path)


def test_pages_logs_and_scratch_files_lose_the_id_in_every_form_and_keep_their_length(home: Settings) -> None:
    odd = 'a "b" & é/1'
    forms = [odd, "a &quot;b&quot; &amp; é/1", json.dumps(odd), base64.b64encode(odd.encode()).decode(), ID]
    for folder in home_files.FOLDERS:
        path = home.home / folder / "deep" / "file"
        path.parent.mkdir(parents=True)
        path.write_text("before " + " | ".join(forms) + " after")
        (path.parent / "empty").touch()
    size = path.stat().st_size
    assert home_files.mask(home, [odd, ID]) == len(home_files.FOLDERS)
    assert path.stat().st_size == size
    assert set(path.read_text().removeprefix("before ").removesuffix(" after")) <= set('x |"')
    assert home_files.mask(home, [odd, ID]) == 0


def test_a_server_goes_on_writing_to_a_log_that_was_overwritten(home: Settings) -> None:
    path = home.home / "logs" / "spark.log"
    path.parent.mkdir()
    with path.open("a") as log:
        log.write(f"SELECT {ID}\n")
        log.flush()
        home_files.mask(home, [ID])
        log.write("next\n")
    assert path.read_text() == f"SELECT {'x' * len(ID)}\nnext\n"


class Files:
    """ops/erasures_v1 in memory."""

    def __init__(self) -> None:
        self.held: dict[str, list[dict[str, Any]]] = {}

    def names(self, *_: str) -> list[str]:
        return sorted(self.held)

    def rows(self, *path: str) -> list[dict[str, Any]]:
        return self.held[path[-1]]

    def put_rows(self, rows: list[dict[str, Any]], *path: str) -> bool:
        return self.held.setdefault(path[-1], rows) is rows


def test_what_stays_of_an_erasure_is_a_keyed_hash_and_a_key_that_its_user_alone_reads(home: Settings) -> None:
    hdfs: Any = Files()
    erasure = erasures.request(home, [ID, ID], "request 17")
    assert holding(home.home, ID) == [f"erasures/{erasure.erasure_id}.json"]
    assert [pending.attempts for pending in erasures.pending(home)] == [[ID]]
    erasures.publish_requests(home, hdfs, [erasure])
    erasures.publish_requests(home, hdfs, [erasure])  # as the run after a kill does
    erasures.complete(home, hdfs, erasure)
    erasures.complete(home, hdfs, erasure)
    assert erasures.pending(home) == [] and holding(home.home, ID) == []
    assert [row["action"] for name in hdfs.names() if name[0] == "e" for row in hdfs.held[name]] == [
        "completed",
        "requested",
    ]
    assert ID not in json.dumps(hdfs.held)
    erased = erasures.read(home, hdfs)
    assert erased is not None and ID in erased and "other" not in erased
    for path in (home.home / "erasure.key", home.home / "erasures"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_request_that_was_killed_while_it_was_written_is_removed(home: Settings) -> None:
    erasure = erasures.request(home, [ID], "request 17")
    (draft,) = (path.with_name(f".{path.name}") for path in erasures._pending(home).glob("e*.json"))
    draft.write_text(f'{{"attempts": ["{ID}')
    assert erasures.pending(home) == [erasure] and not draft.exists()


def test_an_erasure_that_was_killed_while_it_forgot_the_ids_is_complete(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hdfs: Any = Files()
    erasure = erasures.request(home, [ID], "request 17")
    erasures.publish_requests(home, hdfs, [erasure])
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Path, "unlink", lambda *_: 1 // 0)
        erasures.complete(home, hdfs, erasure)
    assert erasures.pending(home) == [] and not erasures.is_pending(home)


def test_of_two_homes_that_erase_for_the_first_time_one_key_counts(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hdfs: Any = Files()
    other = settings_module.load(home=tmp_path / "other")
    erasure, first = erasures.request(home, [ID], "request 17"), erasures.request(other, ["first"], "request 16")

    def interrupted(path: Path, content: bytes) -> None:
        monkeypatch.undo()
        erasures.publish_requests(other, hdfs, [first])
        erasures._write_private(path, content)

    monkeypatch.setattr(erasures, "_write_private", interrupted)
    with pytest.raises(WarehouseError, match=r"copy erasure\.key"):
        erasures.publish_requests(home, hdfs, [erasure])
    assert "first" in (erasures.read(other, hdfs) or ())
    (home.home / "erasure.key").write_bytes((other.home / "erasure.key").read_bytes())
    erasures.publish_requests(home, hdfs, [erasure])
    assert ID in (erasures.read(other, hdfs) or ())


def test_of_a_message_in_gzip_no_more_is_unpacked_than_a_message_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erased_attempts, "MOST", 1000)
    bomb = gzip.compress(f"{ID} ".encode() + b"0" * 10_000_000)
    words = list(erased_attempts.names(bomb))
    assert ID in words and max(map(len, words)) <= 1000


def test_a_home_without_the_key_lands_nothing_and_says_what_to_copy(home: Settings, tmp_path: Path) -> None:
    hdfs: Any = Files()
    assert erasures.read(home, hdfs) is None
    erasures.publish_requests(home, hdfs, [erasures.request(home, [ID], "request 17")])
    other = settings_module.load(home=tmp_path / "other")
    with pytest.raises(WarehouseError, match=r"copy erasure\.key"):
        erasures.read(other, hdfs)
    (tmp_path / "wrong.key").write_bytes(os.urandom(32))
    with pytest.raises(WarehouseError, match=r"wrong\.key is not the key"):
        erasures.read(settings_module.load(home=other.home, erasure_key_file=tmp_path / "wrong.key"), hdfs)
    shared = settings_module.load(home=other.home, erasure_key_file=tmp_path / "erasure.key")
    assert ID in (erasures.read(shared, hdfs) or ())


def test_ids_come_from_the_command_and_a_file_and_need_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("\ufeffb\n\nc\n")
    assert attempt_ids(["a"], str(path), "request 17") == ["a", "b", "c"]
    assert attempt_ids([], "", "") == []
    for given, reason in ((["a"], " "), ([" "], "request 17"), (["a\udcff"], "request 17")):
        with pytest.raises(UsageError):
            attempt_ids(given, "", reason)
    with pytest.raises(UsageError, match="cannot be read"):
        attempt_ids([], str(tmp_path / "none"), "request 17")


# --- the scanner of the tests itself ---


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("form", ["plain", "utf-16", "base64 0", "base64 1", "base64 2"])
def test_the_scanner_finds_an_id_in_every_form_at_every_depth(form: str, level: int, tmp_path: Path) -> None:
    kind, _, before = form.partition(" ")
    content = ID.encode("utf-16-le" if kind == "utf-16" else "utf-8")
    if kind == "base64":
        content = base64.b64encode(b"-" * int(before) + content + b"more")
    for pack in (zstandard.compress, gzip.compress)[:level]:
        content = b"noise \x00\xff" + pack(content)
    (tmp_path / "file").write_bytes(content)
    assert holding(tmp_path, ID) == ["file"]
    assert holding(tmp_path, "another id") == []
