// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ExecutionSets} from "../../contracts/yoda/ExecutionSets.sol";

/// @title Execution sets follow one another without gap or overlap, and share out the pool
/// @dev For every base and every pool below 2^16. Mini-round i asks the ranks from askedAfter(i - 1) to askedAfter(i) - 1:
/// what is proved of these two numbers for every i holds for all sets of a draw.
/// @custom:halmos --loop 17
contract ExecutionSetsProof {
    /// @dev No draw has more mini-rounds: see `check_everybody_is_asked`.
    uint256 private constant MOST = 16;
    /// @dev Of the pool, `ConePool.MAX_SEATS`.
    uint256 private constant MAX_SEATS = 1024;

    /// @notice Nobody is asked before the first mini-round.
    function check_a_draw_begins_with_nobody(uint16 base, uint16 seats) external pure {
        assert(ExecutionSets.askedAfter(base, 0, seats) == 0);
    }

    /// @notice Mini-round i, up to the 16th, asks min(base + 2^(i-1), MAX_SET) further nodes, or all that are left.
    function check_sets_follow_one_another(uint16 base, uint16 seats, uint8 miniRound) external pure {
        for (uint256 i = 1; i <= MOST; ++i) {
            if (miniRound == i) return _asks(base, seats, i);
        }
    }

    /// @notice After 16 mini-rounds everybody in a pool of 1,024 or fewer has been asked.
    function check_everybody_is_asked(uint16 base, uint16 seats) external pure {
        if (seats > MAX_SEATS) return;
        assert(ExecutionSets.askedAfter(base, MOST, seats) == seats);
    }

    function _asks(uint256 base, uint256 seats, uint256 miniRound) private pure {
        uint256 size = base + 2 ** (miniRound - 1);
        uint256 further = size < ExecutionSets.MAX_SET ? size : ExecutionSets.MAX_SET;
        uint256 asked = ExecutionSets.askedAfter(base, miniRound - 1, seats) + further;
        assert(ExecutionSets.askedAfter(base, miniRound, seats) == (asked < seats ? asked : seats));
    }
}
