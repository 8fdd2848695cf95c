// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Request, Rules} from "../interfaces/Types.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {ExecutionSets} from "../yoda/ExecutionSets.sol";
import {BPS, MAX_CID_BYTES} from "../lib/Limits.sol";

/// @title What a request may ask for
library Bounds {
    /// @notice A sample is a bitmap of one word.
    uint256 internal constant MAX_SELLERS = 256;
    /// @notice A node's paid rounds are a bitmap of one word.
    uint256 internal constant MAX_ROUNDS = 256;
    /// @notice A buyer that declared fewer liars could decide its own job with a few nodes of its own.
    uint256 internal constant MIN_BYZANTINE_BPS = 2000;
    /// @notice With half the pool Byzantine nothing could be decided; near it, hardly anything.
    uint256 internal constant MAX_BYZANTINE_BPS = 4500;
    /// @notice The first mini-round asks one more than the base, and no set is larger than `MAX_SET`.
    uint256 internal constant MAX_BASE = ExecutionSets.MAX_SET - 1;
    /// @notice One wrong result in ten is no agreement.
    uint256 internal constant MAX_ERROR_PPM = 100_000;
    /// @notice A minute of 12 s blocks: less could be missed by an honest party.
    uint256 internal constant MIN_WINDOW_BLOCKS = 5;
    /// @notice A week of 12 s blocks, the longest that a state can hold money still.
    uint256 internal constant MAX_WINDOW_BLOCKS = 50_400;
    /// @notice Rounds times windows, so that a job cannot bind stakes for good: 90 days of 12 s blocks. Further
    /// mini-rounds and a redraw come on top.
    uint256 internal constant MAX_JOB_BLOCKS = 648_000;
    /// @notice With fewer, ⌊fN⌋ could be 0, and one vote would be certain.
    uint256 internal constant MIN_SEATS = 5;

    function check(Request calldata request) internal pure {
        _cid(request.specCid);
        _cid(request.evaluationCid);
        Rules calldata rules = request.rules;
        _within("targetBps", rules.targetBps, 1, BPS);
        _within("rounds", rules.rounds, 1, MAX_ROUNDS);
        _within("sampleSize", rules.sampleSize, 1, MAX_SELLERS);
        _within("byzantineBps", rules.byzantineBps, MIN_BYZANTINE_BPS, MAX_BYZANTINE_BPS);
        _within("base", rules.base, 1, MAX_BASE);
        _within("errorPpm", rules.errorPpm, 1, MAX_ERROR_PPM);
        _within("updateBlocks", rules.updateBlocks, MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS);
        _within("commitBlocks", rules.commitBlocks, MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS);
        _within("revealBlocks", rules.revealBlocks, MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS);
        _within("openBlocks", rules.openBlocks, MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS);
        _within("judgeBlocks", rules.judgeBlocks, MIN_WINDOW_BLOCKS, MAX_WINDOW_BLOCKS);
        uint256 round = uint256(rules.updateBlocks) + rules.commitBlocks + rules.revealBlocks + rules.openBlocks;
        _within("rounds * windows", rules.rounds * round, 1, MAX_JOB_BLOCKS);
    }

    function _within(bytes32 rule, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert IJobs.RuleOutOfBounds(rule);
    }

    function _cid(bytes calldata cid) private pure {
        if (cid.length == 0 || cid.length > MAX_CID_BYTES) revert IJobs.BadCid();
    }
}
