// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Sortition} from "../../contracts/yoda/Sortition.sol";

/// @title Ranking the pool is a permutation, for all seeds, in pools of 2, 4 and 16
/// @dev The hash is any function, and the code the contract's own. Proved for the pools that fill a table whose sides are
/// powers of two, where the solver sees remainders as bits. For the others this is no proof but an argument: each of the
/// fourteen rounds adds a hash to one coordinate modulo the side, which subtracting undoes; and to walk along the cycles of
/// a permutation until inside is a permutation of the inside (Black and Rogaway, CT-RSA 2002). Concrete seeds are tried for
/// pools of every size up to 300 in `tests/protocol/test_sortition.py`.
contract SortitionProof {
    /// @notice Two seats of a pool of 2 never have the same rank, and no rank is outside.
    function check_pool_of_2(uint256 seat, uint256 other, bytes32 seed) external pure {
        _ranksDiffer(seat, other, 2, seed);
    }

    /// @notice Nor do two seats of a pool of 4.
    function check_pool_of_4(uint256 seat, uint256 other, bytes32 seed) external pure {
        _ranksDiffer(seat, other, 4, seed);
    }

    /// @notice Nor do two seats of a pool of 16.
    function check_pool_of_16(uint256 seat, uint256 other, bytes32 seed) external pure {
        _ranksDiffer(seat, other, 16, seed);
    }

    function _ranksDiffer(uint256 seat, uint256 other, uint256 seats, bytes32 seed) private pure {
        if (seat >= seats || other >= seats || seat == other) return;
        uint256 rank = Sortition.permute(seat, seats, seed);
        assert(rank < seats);
        assert(rank != Sortition.permute(other, seats, seed));
    }
}
