// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a buyer asks for: R = (tags, Amt, K model, M metric, target) of the paper, with the job's own rules.
/// The bid Amt is found by the auction.
struct Request {
    /// @dev ξ: sellers registered under this tag are matched.
    bytes32 tag;
    /// @dev K: keccak256 and CID of the job specification (model, training, rule), a canonical JSON document.
    bytes32 specHash;
    bytes specCid;
    /// @dev M: name of the metric, a short string.
    bytes32 metric;
    /// @dev keccak256 and CID of the evaluation set.
    bytes32 evaluationHash;
    bytes evaluationCid;
    Rules rules;
}

/// @notice A job's own numbers, bounded by the constants of the job contract and never read from anywhere else.
struct Rules {
    /// @dev τ in basis points of the metric.
    uint16 targetBps;
    /// @dev T: most global rounds.
    uint16 rounds;
    /// @dev K: draws per round, repeats included.
    uint16 sampleSize;
    /// @dev f: largest Byzantine share of the frozen pool, in basis points.
    uint16 byzantineBps;
    /// @dev base: mini-round i asks base + 2^(i-1) further nodes.
    uint16 base;
    /// @dev β: tolerated chance of accepting a wrong result, in parts per million.
    uint32 errorPpm;
    /// @dev Windows in blocks: posting updates, committing, revealing, opening the accepted result, and punishing
    /// what is left unpunished once the job has ended.
    uint32 updateBlocks;
    uint32 commitBlocks;
    uint32 revealBlocks;
    uint32 openBlocks;
    uint32 judgeBlocks;
}

/// @notice The outcome of a round. Its digest, keccak256 of its ABI encoding, is what CONE nodes vote on.
struct RoundResult {
    /// @dev Version of this layout: `RESULT_VERSION`.
    uint16 version;
    uint256 jobId;
    /// @dev From 1.
    uint32 round;
    bytes32 modelHash;
    bytes modelCid;
    bytes32 samplerHash;
    bytes samplerCid;
    uint64 metricNumerator;
    uint64 metricDenominator;
    /// @dev keccak256 of every per-sample prediction of the computation: what the audit words of the round hide.
    bytes32 predictionsHash;
    /// @dev Merkle root of the sellers' shares so far, zero while nobody's update was kept.
    bytes32 contributionsRoot;
    /// @dev Bitmap of the sellers sampled for the next round, bit i for seller i.
    uint256 nextSample;
}
