"""Every study by its name, in the order in which `make reproduce` runs them."""

from __future__ import annotations

from experiments.paper import study as paper
from experiments.studies import (
    chain,
    contributions,
    deviations,
    digits,
    exactness,
    membership,
    sampler,
    training,
    yoda_statistics,
)
from experiments.study import Study

_ALONE = (
    sampler,
    contributions,
    membership,
    deviations,
    exactness,
    training,
    chain,
    yoda_statistics,
    digits,
)
STUDIES: dict[str, Study] = {
    study.name: study for study in (*paper.STUDIES, *(module.STUDY for module in _ALONE))
}
