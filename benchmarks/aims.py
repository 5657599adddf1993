"""The performance targets, mostly ratios within one run, and how a run meets each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.steps import Size

AT = 1_000_000  # attempts at which the aims are meant
RUN = ("land", "build")
BEHIND = "build.flat.superseded_messages_v1"  # reads what the other flat tables hold, so it is filled after them
UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


@dataclass(frozen=True)
class Aim:
    """A number with an upper limit; `of` computes it from a size, None where it was not measured."""

    text: str
    limit: float
    form: str
    of: Callable[[Size], float | None]
    at: int = AT

    def text_of(self, size: Size) -> str:
        """The number of a size as text, a dash where there is none."""
        value = self.of(size)
        return "-" if value is None else self.form.format(value)

    def verdict(self, sizes: Sequence[Size]) -> str:
        """Whether it is met at the size that it is meant for."""
        place = "" if self.at == AT else f" at {self.at:,}"
        values = [self.of(size) for size in sizes if size.attempts == self.at]
        if not values or values[0] is None:
            return f"not measured{place}"
        return f"met{place}" if values[0] <= self.limit else f"**not met**{place}"


def ratio(numerator: float | None, denominator: float | None) -> float | None:
    """The ratio of two numbers, None where either is missing."""
    return None if numerator is None or not denominator else numerator / denominator


def landing(size: Size) -> float | None:
    """Landing to the plain copy's work, without the start of its Spark: the warehouse's is up already."""
    copy = size.steps.get("copy")
    return ratio(size.median("land"), copy.working if copy else None)


def flat(size: Size) -> float | None:
    """The flat tables to DuckDB's work: those that read no other are filled at the same time, so the longest counts."""
    duckdb = size.steps.get("duckdb")
    seconds = {name: size.steps[name].median for name in size.tables(("flat",))}
    behind = seconds.pop(BEHIND, 0.0)
    return ratio(max(seconds.values(), default=0.0) + behind or None, duckdb.working if duckdb else None)


def whole(size: Size) -> float | None:
    """Land and build, validation included, to the script with the start of its Spark, as it is run."""
    return ratio(size.median(*RUN), size.median("script"))


def built(size: Size) -> float | None:
    """Build, validation included, to dbt's build with its tests, from the same landing."""
    return ratio(size.median("build"), size.median("dbt"))


def validation(size: Size) -> float | None:
    """The validation in a build to the whole run."""
    return ratio(size.median("build.validation"), size.median(*RUN))


def increment(size: Size) -> float | None:
    """What a run after a hundredth more costs beyond one after a few, to the whole run."""
    more, few = (size.median(f"{name}.land", f"{name}.build") for name in ("more", "few"))
    return None if more is None or few is None else ratio(more - few, size.median(*RUN))


def heap(size: Size) -> float | None:
    """The heap that Spark's server may take, in GB."""
    if not size.heap:
        return None
    number, unit = size.heap[:-1], size.heap[-1].lower()
    return (int(number) * UNITS[unit] if unit in UNITS else int(size.heap)) / 2**30


def python(size: Size) -> float | None:
    """The largest Python process of the warehouse's own: a command or one of Spark's workers, in MB."""
    names = ("publish", "land", "build", "validate", "report", "more.land", "more.build", "few.land", "few.build")
    peaks = [size.steps[name].memory.get("python", 0) for name in names if name in size.steps]
    return max(peaks) / 1e6 if peaks else None


def slowest(*prefixes: str) -> Callable[[Size], float | None]:
    """The slowest of the steps whose names begin so, in seconds: of each the median."""

    def of(size: Size) -> float | None:
        return max((step.median for name, step in size.steps.items() if name.startswith(prefixes)), default=None)

    return of


def visible(size: Size) -> float | None:
    """The seconds from a message's publication to a query that shows it, at the 95th percentile."""
    return size.median("follow.p95")


AIMS = [
    Aim("landing, every message checked : plain copy of the topic by Spark", 1.3, "{:.2f}", landing),
    Aim("all of `flat.*` : DuckDB", 3.0, "{:.2f}", flat),
    Aim("whole run, land to validated marts : usual script", 1.0, "{:.2f}", whole),
    Aim("build, validation included : dbt build of the same tables with as many tests", 1.0, "{:.2f}", built),
    Aim("validation : whole run", 0.15, "{:.1%}", validation),
    Aim("run after 1 % more, less its fixed cost : whole run", 0.05, "{:.1%}", increment),
    Aim("`land --follow`: published to visible, 95th percentile, s", 30.0, "{:.1f}", visible, at=100_000),
    Aim("heap of Spark's server, GB", 2.0, "{:.0f}", heap),
    Aim("largest Python process, MB", 300.0, "{:.0f}", python),
    Aim(
        "count or mean of `flat.attempts` on Spark, s", 1.0, "{:.2f}", slowest("query.spark.count", "query.spark.mean")
    ),
    Aim("slowest answer of a mart on Spark, s", 0.3, "{:.2f}", slowest("answer.spark.")),
    Aim("slowest answer of a mart on HiveServer2, s", 3.0, "{:.2f}", slowest("answer.hive.")),
]
