// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Seeded permutation of {0, …, size - 1}
/// @notice A balanced Feistel network over keccak256 on the smallest even number of bits that holds `size`, walked along
/// its cycle until it lands inside. O(1): the domain is below 4 × size, so fewer than 4 walks are expected.
library Sortition {
    /// @dev The four rounds of Luby and Rackoff suffice for large halves only: in a pool of 16 some pairs of seats were
    /// asked together a third too often. With 12 the excess is within noise from 5 seats on; NIST's FF1 takes 10.
    uint256 private constant FEISTEL_ROUNDS = 12;

    /// @notice Where `index` goes under the permutation that `seed` picks.
    /// @param index Below `size`.
    /// @param size At least 1.
    function permute(uint256 index, uint256 size, bytes32 seed) internal pure returns (uint256) {
        uint256 half = 1;
        while ((uint256(1) << (2 * half)) < size) ++half;
        do {
            index = _feistel(index, half, seed);
        } while (index >= size);
        return index;
    }

    function _feistel(uint256 index, uint256 half, bytes32 seed) private pure returns (uint256) {
        uint256 mask = (uint256(1) << half) - 1;
        uint256 left = index >> half;
        uint256 right = index & mask;
        for (uint256 i = 0; i < FEISTEL_ROUNDS; ++i) {
            uint256 mixed = uint256(keccak256(abi.encode(seed, i, right))) & mask;
            (left, right) = (right, left ^ mixed);
        }
        return (left << half) | right;
    }
}
