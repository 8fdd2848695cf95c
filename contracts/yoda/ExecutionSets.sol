// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";

/// @title Sizes of execution sets
/// @notice Mini-round i of a draw asks min(base + 2^(i-1), MAX_SET) further nodes, the paper's growth with a cap, until
/// every seat has been asked. It asks those of rank askedAfter(i - 1) to askedAfter(i) - 1.
library ExecutionSets {
    /// @dev Most nodes of one set. Its turnout is one word: two bits for each position, and counts beside them.
    uint256 internal constant MAX_SET = 120;

    /// @notice Nodes asked in a draw once its first `miniRounds` mini-rounds have opened.
    /// @param base At least 1. @param miniRounds At most 64; 0 gives 0. @param seats Size of the frozen pool.
    function askedAfter(uint256 base, uint256 miniRounds, uint256 seats) internal pure returns (uint256 asked) {
        for (uint256 i = 0; i < miniRounds && asked < seats; ++i) {
            asked += FixedPointMathLib.min(base + (uint256(1) << i), MAX_SET);
        }
        return FixedPointMathLib.min(asked, seats);
    }
}
