"""benchmarks/: counts, ratios and texts, and DuckDB's tables row by row. No server is started and nothing is timed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from comparing import assert_same
from oracle import Message, tables

from benchmarks import __main__ as command
from benchmarks import aims, measure, messages, page, plot, saved
from benchmarks.contestants import duckdb_flat
from benchmarks.measure import BenchmarkError, Measured, Memory
from benchmarks.messages import Expected, check
from benchmarks.queries import FLAT
from benchmarks.steps import Size
from etl.settings import PROJECT
from sample import generate

MACHINE = {
    "cores": 2,
    "memory_bytes": 8 << 30,
    "system": "Linux 6",
    "versions": {"python": "3.11"},
    "load_before": 0.1,
    "niceness": 0,
}


def measured(attempts: int = aims.AT, slower: float = 1.0) -> Size:
    """A size with numbers that are easy to divide."""
    size = Size(attempts, 2, {"messages": attempts, "attempts": attempts - 1}, 10, "2g", {"landings": 4, "flat": 6})
    memory = Memory(2_000_000_000, 100_000_000, 200_000_000, 2_300_000_000, 250_000_000)
    for name, seconds in {"land": 20, "build": 80, "validate": 9, "more.land": 3, "more.build": 6}.items():
        for _ in range(2):
            size.add(name, Measured(seconds * slower, memory, ""), size=5)
    inner = {
        "build.validation": 10,
        "build.flat.superseded_messages_v1": 20,
        "build.flat.attempts_v1": 10,
        "few.land": 2,
    }
    inner["build.flat.messages_v1"] = 9
    for name, seconds in {
        **inner,
        "build.marts.exams_v1": 5,
        "few.build": 4,
        "duckdb": 15,
        "dbt": 160,
    }.items():
        size.add(name, seconds * slower)
    for engine, seconds in {"spark": 0.3, "hive": 2.0}.items():
        size.add(f"answer.{engine}.exams", seconds / 2)
        size.add(f"answer.{engine}.questions", seconds)
    for step, seconds in {"write": 9, "all": 3, "week": 1}.items():
        size.add(f"layout.month.{step}", seconds * slower, size=5_000_000)
    size.steps["layout.month.write"].files = 7
    for engine, seconds in {"spark": 0.4, "duckdb": 0.2}.items():
        size.add(f"query.{engine}.count", seconds / 4)
        size.add(f"query.{engine}.mean", seconds)
    size.add("command.help", 0.25)
    size.add("follow.p95", 12)
    for name, seconds in {"copy": 30, "script": 100}.items():
        size.add(name, Measured(seconds * slower, memory, ""), size=7, start=10 * slower)
    return size


def document(*sizes: Size) -> dict[str, Any]:
    about = {"date": "2026-01-02T0304", "seed": 1, "machine": MACHINE}
    return dict(json.loads(json.dumps(saved.document(about, sizes))))


# What is to come out


def test_the_last_message_of_a_keen_id_counts_and_one_without_is_its_own() -> None:
    def line(keen_id: str | None, *options: int | None) -> bytes:
        questions = [None if count is None else {"options": [{}] * count} for count in options]
        return json.dumps({"keen_id": keen_id, "sequences": {"questions": questions}}).encode()

    expected = Expected().add([line("a", 2, 3), line(None, 1), line(None, None), line("a", 1), b'{"keen_id":"b"}'])
    assert expected.messages == 5
    assert expected.counts == {"attempts": 4, "questions": 3, "options": 2}


def test_the_counts_of_a_sample_are_those_of_the_independent_computation() -> None:
    texts = list(generate.messages(400, 3))
    created = tables([Message("t", 0, offset, 0, text) for offset, text in enumerate(texts)])
    assert Expected().add(texts).counts == {
        name: len(created[f"flat.{table}"]) for name, table in duckdb_flat.TABLES.items()
    }


def test_a_wrong_count_ends_the_run() -> None:
    check("x", {"attempts": 1}, {"attempts": 1})
    with pytest.raises(BenchmarkError, match=r"x made .*1.*expected are .*2"):
        check("x", {"attempts": 1}, {"attempts": 2})


def test_the_file_is_cut_in_its_order_and_nothing_is_left(tmp_path: Path) -> None:
    whole = tmp_path / "whole.json"
    lines = [b"%d\n" % number for number in range(messages.needed(200, 2, 5))]
    whole.write_bytes(b"".join(lines))
    parts = messages.cut(whole, 200, 2, tmp_path, 5)
    assert [[len(path.read_bytes().splitlines()) for path in pair] for pair in parts.later] == [[2, 10], [2, 10]]
    paths = [parts.first, *(path for pair in parts.later for path in pair), parts.followed]
    assert b"".join(path.read_bytes() for path in paths) == b"".join(lines)
    with pytest.raises(BenchmarkError, match="are needed"):
        messages.cut(whole, 200, 3, tmp_path)


def test_what_comes_later_brings_new_attempts() -> None:
    texts = list(generate.messages(messages.needed(1000, 1), 1))
    first = Expected().add(texts[:1000]).counts["attempts"]
    assert Expected().add(texts).counts["attempts"] >= first + messages.more(1000)


# DuckDB's tables


def test_duckdb_makes_the_same_rows_as_the_independent_computation(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    texts, at = list(generate.messages(300, 1)), 1_511_000_000_123
    dump = tmp_path / "dump.json"
    form = '{"kafka_topic":"t","kafka_partition":0,"kafka_offset":%d,"kafka_timestamp":%d,"payload":%s}\n'
    dump.write_text("".join(form % (offset, at + offset, text.decode()) for offset, text in enumerate(texts)))
    duckdb_flat.flatten(dump, tmp_path, 2)
    assert duckdb_flat.counts(tmp_path) == Expected().add(texts).counts
    assert {name: len(seconds) for name, seconds in duckdb_flat.answers(tmp_path, 2).items()} == dict.fromkeys(FLAT, 5)
    expected = tables([Message("t", 0, offset, at + offset, text) for offset, text in enumerate(texts)])
    for table in duckdb_flat.TABLES.values():
        content = duckdb.read_parquet(str(tmp_path / f"{table}.parquet"))
        rows = [dict(zip(content.columns, row, strict=True)) for row in content.fetchall()]
        dates = [{**row, "started_date": str(row["started_date"])} if "started_date" in row else row for row in rows]
        assert_same(dates, expected[f"flat.{table}"])


# Measuring


def test_a_command_is_measured_with_its_memory_and_what_it_printed() -> None:
    code = "import time; held = bytearray(50_000_000); time.sleep(1); print(len(held))"
    done = measure.run([sys.executable, "-c", code], {})
    assert done.output == "50000000\n" and done.seconds > 0
    assert done.memory.process == done.memory.python == done.memory.total > 50_000_000
    assert done.memory.jvm == done.memory.workers == 0


def test_a_command_that_fails_is_an_error_with_its_last_words() -> None:
    with pytest.raises(BenchmarkError, match="ended with 3: no luck"):
        measure.run([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"], {})


def test_a_process_that_has_ended_takes_no_memory() -> None:
    ended = max(psutil.pids()) + 100_000
    assert measure.sample([ended]) == Memory()


# Medians, ratios and aims


def test_a_step_has_the_median_of_its_repeats_and_the_peak_of_its_memory() -> None:
    size = Size(100, 3)
    for seconds, peak in ((9.0, 5), (1.0, 7), (2.0, 6)):
        size.add("script", Measured(seconds, Memory(jvm=peak), ""), start=seconds / 2)
    step = size.steps["script"]
    assert (step.median, step.working, step.rate, step.memory["jvm"]) == (2.0, 1.0, 50.0, 7)
    assert size.median("script", "script") == 4.0 and size.median("script", "land") is None


def test_every_aim_is_a_ratio_of_what_was_measured() -> None:
    results = {aim.text: aim.of(measured()) for aim in aims.AIMS}
    assert list(results.values()) == pytest.approx(
        [20 / 20, 30 / 15, 100 / 100, 80 / 160, 0.1, (9 - 6) / 100, 12, 2.0, 250.0, 0.4, 0.3, 2.0]
    )
    assert {aim.verdict([measured(aim.at)]) for aim in aims.AIMS} == {"met", "met at 100,000"}


def test_an_aim_that_is_missed_is_told_and_a_smaller_size_says_nothing() -> None:
    slow = measured()
    slow.steps["script"].seconds = [99.0]
    by_text = {aim.text: aim for aim in aims.AIMS}
    aim = next(each for text, each in by_text.items() if "usual script" in text)
    assert aim.verdict([slow]) == "**not met**"
    assert aim.verdict([measured(1000)]) == "not measured" and aim.text_of(Size(1, 1)) == "-"


def test_ratios_do_not_depend_on_how_fast_the_machine_is() -> None:
    fast, slow = measured(), measured(slower=10)
    assert [aim.of(fast) for aim in aims.AIMS] == pytest.approx([aim.of(slow) for aim in aims.AIMS])


@pytest.mark.parametrize(("heap", "gigabytes"), [("2g", 2.0), ("512m", 0.5), ("2147483648", 2.0), ("", None)])
def test_the_heap_is_read_as_java_writes_it(heap: str, gigabytes: float | None) -> None:
    assert aims.heap(Size(1, 1, heap=heap)) == gigabytes


# The page


def test_a_saved_run_reads_back_as_it_was(tmp_path: Path) -> None:
    pages = document(measured(1000), measured())
    assert saved.save(pages, tmp_path).name == "2026-01-02T0304.json"
    assert saved.sizes_of(saved.newest(tmp_path)) == [measured(1000), measured()]
    with pytest.raises(BenchmarkError, match="no run was saved"):
        saved.newest(tmp_path / "empty")


def test_the_text_has_the_aims_and_a_line_for_each_step() -> None:
    text = page.text(document(measured(1000), measured()))
    assert "| whole run, land to validated marts : usual script | 1.00 | 1.00 | 1.00 | met |" in text
    assert "### 1,000,000 attempts" in text and "2 times, medians are shown" in text
    assert "| **land and build: the whole run** | 100.0 | 10,000 | 1.00 | 2,000 | 100 | 200 | 0.0 |" in text
    assert "| of which `flat.attempts_v1` | 10.0 |" in text and "| plain copy (Spark's start: 10.0 s) | 30.0 |" in text


def test_the_text_has_what_a_person_waits_for_and_the_layouts_that_were_compared() -> None:
    text = page.text(document(measured()))
    assert "| `--help` | 0.25 |" in text and "`status`" not in text
    assert "| `marts.questions`, on Spark and on HiveServer2 | 0.30 and 2.00 |" in text
    assert "GROUP BY exam_id ORDER BY exam_id LIMIT 10`, on Spark and in DuckDB | 0.40 and 0.20 |" in text
    assert "FROM flat.question_options" not in text
    assert "| month | 9.0 | 7 | 5.0 | 3.00 | 1.00 |" in text and "| day |" not in text


def test_the_text_has_what_a_message_waits_for_while_the_warehouse_follows() -> None:
    size = measured()
    size.follow_rate = 100.0
    text = page.text(document(size))
    assert "| `land --follow`, 100 messages a second | Seconds |" in text and "| 95th percentile | 12.0 |" in text


def test_the_text_states_the_fixed_cost_and_whether_the_machine_was_busy() -> None:
    quiet = document(measured())
    assert "a run after 10 more messages: 6.0 s." in page.text(quiet) and "a trial" not in page.text(quiet)
    busy = {**quiet, "machine": {**MACHINE, "load_before": 1.5}}
    assert "these figures are a trial" in page.text(busy)


def test_a_later_measurement_adds_to_a_saved_one_what_it_did_not_have() -> None:
    first, later = measured(), Size(aims.AT, 1, loads={"2026-01-03T0000": 0.25})
    first.loads = {"2026-01-02T0304": 0.5}
    later.add("script", 1)
    later.add("more", 2)
    first.extend(later)
    assert first.median("script") == 100.0 and first.median("more") == 2.0
    assert (first.repeats, first.heap, first.expected) == (2, "2g", measured().expected)
    dates = "Measured 2026-01-02T0304 at a load of 0.5 and 2026-01-03T0000 at a load of 0.25."
    assert dates in page.text(document(first))


def test_a_run_that_was_not_saved_is_named() -> None:
    with pytest.raises(BenchmarkError, match="no run was saved as 2026-01-01T0000"):
        saved.run("2026-01-01T0000")


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"above\n{page.BEGIN}\nold\n{page.END}\nbelow\n")
    for _ in range(2):
        page.write(document(measured()), path)
    text = path.read_text()
    assert text.startswith("above\n") and text.endswith(f"{page.END}\nbelow\n") and "old" not in text
    assert text.count("### 1,000,000 attempts") == 1


def test_the_page_in_docs_is_what_the_results_that_it_names_say() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.text(page.named_by()) == text.partition(page.BEGIN)[2].partition(page.END)[0].strip()


def test_a_later_run_of_a_part_changes_nothing_about_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"{page.BEGIN}\n{page.END}\n")
    with pytest.raises(BenchmarkError, match="names no saved run"):
        page.named_by(path, tmp_path)
    whole = document(measured())
    saved.save(whole, tmp_path)
    page.write(whole, path)
    saved.save({**document(measured(1000)), "date": "2026-02-01T0000"}, tmp_path)
    assert page.named_by(path, tmp_path) == whole


def test_results_name_no_machine_and_no_path() -> None:
    for path in saved.RESULTS.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "/" not in text and str(PROJECT) not in text


def test_the_plot_has_a_line_for_each_contestant_that_ran() -> None:
    points = plot.records([measured(1000), measured()])
    assert {point["contestant"] for point in points} == set(plot.LINES) - {"PySpark, flat only"}
    assert len(points) == 10 and 'role="graphics-symbol"' in plot.draw([measured(1000), measured()])


def test_the_marks_of_the_seconds_enclose_all_of_them() -> None:
    assert plot.ticks([{"seconds": 3.0}, {"seconds": 41.0}]) == [2, 5, 10, 20, 50]
    assert plot.ticks([{"seconds": 10.0}]) == [10]


# The command line


def test_repeats_are_one_number_or_one_per_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.arguments([]).repeats == [3, 3, 3]
    assert command.arguments(["--attempts", "10", "20", "--repeats", "2", "1"]).repeats == [2, 1]
    with pytest.raises(SystemExit):
        command.arguments(["--attempts", "10", "--repeats", "2", "1"])
    assert "--repeats takes one number" in capsys.readouterr().err


def test_write_docs_alone_measures_nothing() -> None:
    assert not command.arguments(["--write-docs"]).is_run
    assert command.arguments(["--write-docs", "--attempts", "10"]).is_run and command.arguments([]).is_run


def test_without_the_warehouse_there_is_nothing_to_go_on_from() -> None:
    assert list(command.arguments(["--only", "duckdb", "later", "hive"]).only) == ["duckdb"]
