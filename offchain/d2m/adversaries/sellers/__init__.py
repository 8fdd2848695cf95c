"""Byzantine sellers: what they do to their data or to their updates.

An attack on updates sees a round's ``View`` and gives what the Byzantine sellers post; a
relabelling acts before the training. The part that a seller's process can do alone is in
``training.py``.
"""

from d2m.adversaries.sellers.labels import Relabelling, label_flip
from d2m.adversaries.sellers.shifted import (
    alie,
    ipm,
    line_searched_alie,
    line_searched_ipm,
    min_max,
    min_sum,
    varied_alie,
)
from d2m.adversaries.sellers.simple import gaussian, lazy_copy, mimic, sign_flip, stale
from d2m.adversaries.sellers.view import Attack, View

__all__ = ["ATTACKS", "RELABELLINGS", "Attack", "Relabelling", "View"]

ATTACKS: dict[str, Attack] = {
    "sign_flip": sign_flip,
    "gaussian": gaussian,
    "alie": alie,
    "varied_alie": varied_alie,
    "ipm": ipm,
    "min_max": min_max,
    "min_sum": min_sum,
    "mimic": mimic,
    "stale": stale,
    "lazy_copy": lazy_copy,
    "line_searched_alie": line_searched_alie,
    "line_searched_ipm": line_searched_ipm,
}
"""Attacks on updates, by the names that experiments use."""

RELABELLINGS: dict[str, Relabelling] = {"label_flip": label_flip}
"""Attacks on data: these sellers train honestly on the labels that it gives."""
