"""Messages that are odd as a whole: very large, very deep, of odd days, or no JSON at all. ACCEPTED and REJECTED."""

from __future__ import annotations

import gzip
import json

from contract_messages import OBJECTS, STRINGS, changed, within, written
from messages import attempt, holding, option, question, text

MEGABYTE = 1 << 20
OPTIONS = 65_536
PLAIN = text(attempt("plain"))

DAYS = [
    "1969-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
    "1901-12-13T20:45:51Z",  # before what 32 bits count
    "1900-02-29T00:00:00Z",  # there is no such day
    "1600-01-01T00:00:00Z",
    "1599-12-31T23:59:59Z",  # before 1600 nothing is read
    "1582-10-10T00:00:00Z",  # in the gap of the calendars
    "0001-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "2038-01-19T03:14:08Z",
    "9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "10000-01-01T00:00:00Z",
    "+2017-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "2017-01-01T00:00:00+00:00",
    "2017-01-01T00:00:00-00:00",
    "2017-01-01T00:00:00+02:00",
    "2017-01-01T00:00:00-11:30",
    "2017-01-01T00:00:00+0530",
    "2017-01-01T00:00:00Z+01:00",
    "2017-01-01T00:00Z",
    "2017-01-01T00:00:00z",
    "2017-01-01t00:00:00Z",
    "2017-W01-1T00:00:00Z",
    "20170101T000000Z",
    "2017-01-01",
    "٢017-01-01T00:00:00Z",  # a digit of another script
    "2017-01-01T00:00:00Z\n",
    "2017-01-01T00:00:00.1234567Z",
]
SECONDS = ["-1", "-2208988800.5", "253402300799", "253402300800", "9999999999", "9999999999.999999", "1e3", "9" * 40]

ACCEPTED = {
    **{f"started {day}": text(attempt(f"started {day}", started_at=day)) for day in DAYS},
    **{
        f"clicked {day}": text(holding(f"clicked {day}", questions=[question(options=[option(at=day)])]))
        for day in DAYS
    },
    **{
        f"received {seconds}": text(attempt(f"received {seconds}", keen_timestamp=seconds, keen_created_at=seconds))
        for seconds in SECONDS
    },
    "no questions": text(holding("odd: no questions", questions=[])),
    "no counts": text(attempt("odd: no counts", sequences={"questions": [question()]})),
    "many options": text(holding("many options", questions=[question(options=[{"checked": True}] * OPTIONS), None])),
    "many questions": text(holding("many questions", questions=[{}, None] * 500)),
    "100 levels": changed("100 levels", (), within((), f'"unknown":{"[" * 99}{"]" * 99}')),
    # Its line is twice as long: line ends move it to `original` as well.
    "10 MB": json.dumps(attempt("10 MB", unknown=["x" * 65_536] * 160), indent=1).encode(),
}

_BOM = b"\xef\xbb\xbf"
_UTF8 = "not UTF-8 at byte "
REJECTED: dict[str, tuple[bytes | None, str]] = {
    "a tombstone": (None, "no value (a tombstone)"),
    "nothing": (b"", "empty message"),
    "a byte order mark": (_BOM + PLAIN, "not JSON: begins with a byte order mark"),
    "UTF-16": (PLAIN.decode().encode("utf-16"), _UTF8 + "0"),
    "UTF-32": (PLAIN.decode().encode("utf-32"), _UTF8 + "0"),
    "Latin-1": (PLAIN.replace(b"plain", b"na\xefve"), _UTF8),
    "cut off in a character": ('{"exam_name":"é'.encode()[:-1], _UTF8 + "14"),
    "a NUL in front": (b"\0" + PLAIN, "not JSON: "),
    "a NUL behind": (PLAIN + b"\0", "not JSON: trailing characters"),
    "two messages": (PLAIN + b"\n" + PLAIN, "not JSON: trailing characters"),
    "an array of messages": (b"[" + PLAIN + b"]", "expected object, got array at $"),
    "a message in a string": (json.dumps(PLAIN.decode()).encode(), "expected object, got string at $"),
    "a registry's header": (b"\0\0\0\0\7" + PLAIN, "not JSON: "),
    "gzip": (gzip.compress(PLAIN, mtime=0), _UTF8 + "1"),
    "a page": (b"<!doctype html><title>502 Bad Gateway</title>", "not JSON: "),
    **{
        f"100,000 levels in {written(path)}": (
            changed("wrong", path, within(path, f'"unknown":{"[" * 100_000}{"]" * 100_000}')),
            "nested deeper than 100 levels",
        )
        for path in OBJECTS
    },
    "100,000 levels at a known key": (changed("wrong", STRINGS[0], "[" * 100_000), "expected string, got array at $"),
    "100,000 levels of objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper than 100 levels"),
    "65,536 options, the last one wrong": (
        text(holding("wrong", questions=[question(options=[{}] * (OPTIONS - 1) + [1])])),
        "expected object, got integer at $.sequences.questions[0].options[65535]",
    ),
    "a name of 1 MB": (
        text(attempt("wrong", exam_name="é" * (MEGABYTE // 2))),
        "text of 1,048,576 bytes, more than 65,536, at $.exam_name",
    ),
    "10 MB in one text": (
        text(attempt("wrong", unknown="x" * (10 * MEGABYTE))),
        "text of 10,485,760 bytes, more than 65,536, at $.unknown",
    ),
    "10 MB": (text(attempt("wrong", unknown="x" * (10 * MEGABYTE)))[:-1], "not JSON: ends too early"),
}
