// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Sizes of execution sets
/// @notice Mini-round i of a draw asks min(base + 2^(i-1), MAX_SET) further nodes, the paper's growth with a cap, until
/// every seat has been asked. It asks those of rank askedAfter(i - 1) to askedAfter(i) - 1.
library ExecutionSets {
    /// @dev Most nodes of one set. Its turnout is one word: two bits for each position, and counts beside them.
    uint256 internal constant MAX_SET = 120;

    /// @notice Nodes asked in a draw once its first `miniRounds` mini-rounds have opened.
    /// @param base At least 1. @param miniRounds 0 gives 0. @param seats Size of the frozen pool.
    function askedAfter(uint256 base, uint256 miniRounds, uint256 seats) internal pure returns (uint256 asked) {
        uint256 grown = 0;
        for (uint256 size = base + 1; grown < miniRounds && size < MAX_SET; ++grown) {
            asked += size;
            size += uint256(1) << grown;
        }
        asked += (miniRounds - grown) * MAX_SET;
        return asked < seats ? asked : seats;
    }
}
