"""The constants of the contracts, by their names there. A test compares them with the sources."""

from __future__ import annotations

# --- units

BPS = 10_000
"""Basis points in a whole."""
PPM = 1_000_000
"""Parts per million in a whole."""
WAD = 10**18
"""Units in a whole: wei in an ether, and the fixed point of the likelihood score."""

# --- money

CONE_BPS = 3000
"""The CONE nodes' part of the price; the rest is the sellers'."""
LOST_RESULT_BPS = 5000
"""Part of the stake unit that a vote for a result that lost costs."""
WRONG_AUDIT_BPS = 2500
"""Part of the stake unit that a wrong audit word costs."""
SILENCE_BPS = 200
"""Part of the stake unit that silence in an opened round costs."""
MIN_STAKE_UNIT = BPS
"""Least stake unit, in wei: a basis point of it is a whole number."""
UNBONDING_BLOCKS = 7200
"""Blocks between leaving and taking a stake or bond: a day of 12 s."""

# --- auctions

MAX_TIER = 20
"""A deposit is the reserve doubled at most so many times."""
MIN_WINDOW_BLOCKS = 5
MAX_WINDOW_BLOCKS = 50_400
"""Shortest and longest windows of auctions and of jobs; the longest is a week of 12 s."""

# --- jobs and votes

MAX_ROUNDS = 256
MAX_SELLERS = 256
"""Most sellers of a job, and of one round."""
MIN_BYZANTINE_BPS = 2000
MAX_BYZANTINE_BPS = 4500
"""Bounds of the tolerated share of nodes."""
MAX_ERROR_PPM = 100_000
"""Largest tolerated chance of error."""
MAX_JOB_BLOCKS = 648_000
"""Most blocks of all rounds together: 90 days of 12 s."""
MIN_SEATS = 5
"""No job is made with fewer nodes."""
MAX_SET = 120
"""Most nodes of one execution set."""
MIN_CELLS = 9
"""From 5 seats on, 3 x 3 cells at least: 5 or 6 in 3 x 2 cells are mixed badly."""
RESULT_VERSION = 2
"""Version of the result's layout."""
MAX_TAGS = 8
"""Most tags of an offer."""
