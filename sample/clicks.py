"""Times of an attempt's clicks: whole seconds that add up to the published means, most of them from wrong clocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from random import Random
from typing import NamedTuple

MINUTE = 60  # seconds, as all durations here
PAUSE = (1.9, 0.9)  # logarithmic mean and deviation of the seconds between two clicks
LONGEST_PAUSE = 900
MINUTES_WRONG, HOURS_WRONG = 0.05, 0.02  # shares of the clients whose clocks are so


class Clicks(NamedTuple):
    """When an attempt was clicked at, by the client's clock."""

    first: int  # from the start to the first click; less than 0 where the clock is behind
    span: int  # from the first click to the last
    skew: int  # how far the clock is ahead, which is part of `first`


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """Share `total` by weight, rounded so that the sum is exact."""
    scale = total / sum(weights)
    ends = [0, *(round(scale * weight) for weight in accumulate(weights))]
    return [end - start for start, end in pairwise(ends)]


def pause(rng: Random) -> float:
    """The seconds between two clicks."""
    return min(rng.lognormvariate(*PAUSE), LONGEST_PAUSE)


def clicks(answered: Sequence[int], first_total: int, span_total: int, rng: Random) -> list[Clicks]:
    """The clicks of attempts with these numbers of answered questions; both totals are seconds over all attempts.

    Only attempts with two answers or more are sure to have two clicks, so only these have a span.
    """
    spans = shares(span_total, [sum(pause(rng) for _ in range(count - 1)) for count in answered])
    delays = [1 + int(pause(rng)) for _ in answered]
    skews = [0] * len(answered)
    wrong = rng.sample(range(len(answered)), round(len(answered) * (MINUTES_WRONG + HOURS_WRONG)))
    by_hours = wrong[: max(1, round(len(answered) * HOURS_WRONG))]
    for place in wrong[len(by_hours) :]:
        skews[place] = int(rng.gauss(3 * MINUTE, 6 * MINUTE))
    hours = shares(first_total - sum(delays) - sum(skews), [rng.uniform(60, 480) for _ in by_hours])
    for place, skew in zip(by_hours, hours, strict=True):
        skews[place] = skew
    return [Clicks(delay + skew, span, skew) for delay, span, skew in zip(delays, spans, skews, strict=True)]
