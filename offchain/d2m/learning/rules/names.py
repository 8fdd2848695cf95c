"""Rules by the names that a job's specification uses."""

from __future__ import annotations

from d2m.learning.rules.averages import Mean, Median, TrimmedMean
from d2m.learning.rules.base import Rule
from d2m.learning.rules.iterated import CenteredClipping, GeometricMedian
from d2m.learning.rules.krum import Bulyan, CorrectedKrum, Krum, MultiKrum
from d2m.learning.rules.mixing import (
    Bucketing,
    Clipping,
    Mixed,
    NearestNeighbourMixing,
    Step,
)
from d2m.learning.rules.stack import RuleError

RULES: dict[str, type[Rule]] = {
    "mean": Mean,
    "median": Median,
    "trimmed_mean": TrimmedMean,
    "geometric_median": GeometricMedian,
    "krum": Krum,
    "multi_krum": MultiKrum,
    "corrected_krum": CorrectedKrum,
    "centered_clipping": CenteredClipping,
    "bulyan": Bulyan,
}
STEPS: dict[str, type[Step]] = {
    "nnm": NearestNeighbourMixing,
    "bucketing": Bucketing,
    "clipping": Clipping,
}
"""Steps that may stand before a rule, each at most once."""

MOST_ALTERNATIVES = 4
"""Each costs a round one more evaluation."""


def build(name: str, f: int) -> Rule:
    """The rule of a name such as "median" or "clipping+nnm+trimmed_mean", steps first.

    Raises RuleError when there is no such rule or f is not a count.

    >>> build("nnm+median", f=1)
    Mixed(f=1, steps=(<class '...NearestNeighbourMixing'>,), rule=<class '...Median'>)
    """
    *steps, rule = str(name).split("+")
    known = rule in RULES and set(steps) <= set(STEPS) and len(set(steps)) == len(steps)
    if not isinstance(name, str) or not known:
        raise RuleError(
            f"no rule {name!r}: expected one of {', '.join(RULES)}; before it, joined by '+', any"
            f" of {', '.join(STEPS)}, each once, as in 'clipping+nnm+trimmed_mean'"
        )
    if not steps:
        return RULES[rule](f=f)
    return Mixed(f=f, steps=tuple(STEPS[step] for step in steps), rule=RULES[rule])


def alternatives(text: str) -> tuple[str, ...]:
    """The names in a job's rule, as in "mean|nnm+trimmed_mean", at most MOST_ALTERNATIVES.

    A round takes the alternative whose model does best on the evaluation set, the first of equals.
    Raises RuleError when a name is none or stands there twice.

    >>> alternatives("mean|nnm+median")
    ('mean', 'nnm+median')
    """
    names = tuple(str(text).split("|"))
    for name in names:
        build(name, f=0)
    if len(set(names)) < len(names) or len(names) > MOST_ALTERNATIVES:
        raise RuleError(f"rule {text!r}: name up to {MOST_ALTERNATIVES} alternatives, each once")
    return names
