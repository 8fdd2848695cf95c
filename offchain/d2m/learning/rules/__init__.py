"""Aggregation rules behind one interface: ``Rule(f=…)(updates)``.

All decisions follow from exact integers and ties break by index, so a rule gives the same vector
everywhere. ``decide`` also says which updates a round keeps, and pays for.
"""

from d2m.learning.rules.averages import Mean, Median, TrimmedMean
from d2m.learning.rules.base import Decision, Rule
from d2m.learning.rules.iterated import CenteredClipping, GeometricMedian
from d2m.learning.rules.krum import Bulyan, CorrectedKrum, Krum, MultiKrum
from d2m.learning.rules.mixing import Bucketing, Clipping, NearestNeighbourMixing
from d2m.learning.rules.names import RULES, STEPS, alternatives, build
from d2m.learning.rules.stack import RuleError

__all__ = [
    "RULES",
    "STEPS",
    "Bucketing",
    "Bulyan",
    "CenteredClipping",
    "Clipping",
    "CorrectedKrum",
    "Decision",
    "GeometricMedian",
    "Krum",
    "Mean",
    "Median",
    "MultiKrum",
    "NearestNeighbourMixing",
    "Rule",
    "RuleError",
    "TrimmedMean",
    "alternatives",
    "build",
]
