"""Counters of a serving party, for Prometheus. One process is one party, so these are its own."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ROUND_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
"""Seconds: a small model on the digits takes 0.1, a window of 50 blocks lasts 600."""

HEALTHY = Gauge("d2m_healthy", "1 while nothing keeps the party from its duties.")
PROBLEM = Gauge("d2m_problem", "1 while a problem of this kind lasts.", ["kind"])
ERRORS = Counter("d2m_errors", "Errors met while serving, by kind.", ["kind"])

HEAD_BLOCK = Gauge("d2m_head_block", "Number of the latest block that was seen.")
HEAD_TIME = Gauge("d2m_head_timestamp_seconds", "Time stamp of that block.")
LAST_TURN = Gauge("d2m_last_turn_timestamp_seconds", "When the party last asked for news.")
LAST_LOOK = Gauge("d2m_last_look_timestamp_seconds", "When it last looked at its jobs.")
REORGANISATIONS = Counter("d2m_reorganisations", "Re-organisations of the chain noticed.")

JOBS = Gauge("d2m_jobs", "Running jobs that the party takes part in, by state.", ["state"])
JOBS_ENDED = Counter("d2m_jobs_ended", "Jobs that ended while the party served.")
DONE = Counter("d2m_duties", "Duties done: committed, revealed, posted, opened.", ["duty"])
MISSED = Counter("d2m_duties_missed", "Duties whose window passed.", ["duty"])
ROUND_SECONDS = Histogram(
    "d2m_round_seconds", "Computing a round as a CONE node.", buckets=ROUND_BUCKETS
)
TRAINING_SECONDS = Histogram(
    "d2m_training_seconds", "Training an update as a seller.", buckets=ROUND_BUCKETS
)

TRANSACTIONS = Counter("d2m_transactions", "Transactions mined.", ["step", "outcome"])
REPLACED = Counter("d2m_transactions_replaced", "Transactions sent again.", ["step"])
FEES = Counter("d2m_fees_wei", "Fees paid, in wei.")
NOT_WITHDRAWN = Counter("d2m_withdrawals_refused", "Withdrawals that the recipient refused.")
BALANCE = Gauge("d2m_balance_wei", "What the account holds, in wei.")
