// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";

/// @title Seeded permutation of {0, …, size - 1}
/// @notice The generalised Feistel network of Black and Rogaway ("Ciphers with Arbitrary Finite Domains", CT-RSA 2002)
/// over keccak256, on a table of ⌈√size⌉ columns and as many rows as hold `size`, walked along its cycle until it lands
/// inside. Less than one row of the table is too much: from 9 on, 1.2 walks are expected at most.
library Sortition {
    /// @dev 3 × 3, from 5 on: with 5 or 6 in 3 × 2 cells, half of what is uneven would stay after every two rounds.
    uint256 private constant MIN_CELLS = 9;

    /// @notice Where `index` goes under the permutation that `seed` picks.
    /// @param index Below `size`.
    /// @param size From 1 to 2¹²⁸.
    function permute(uint256 index, uint256 size, bytes32 seed) internal pure returns (uint256) {
        unchecked {
            uint256 cells = size < 5 ? size : FixedPointMathLib.max(size, MIN_CELLS);
            uint256 columns = FixedPointMathLib.sqrt(cells - 1) + 1;
            uint256 rows = FixedPointMathLib.divUp(cells, columns);
            do {
                index = _feistel(index, columns, rows, seed);
            } while (index >= size);
            return index;
        }
    }

    /// @dev Fourteen rounds, since pools are small: two rounds divide what is uneven by about the number of rows. With
    /// ideal round functions the pair of seats worst off is asked too often or too rarely, against a fair draw, by
    ///   rounds      4       8       12      14
    ///   3 x 4 table 83 %    9.1 %   1.0 %   0.34 %
    ///   4 x 4       64 %    3.9 %   0.24 %  0.06 %
    ///   7 x 8       96 %    2.0 %   0.04 %  0.006 %
    /// Rows and columns both odd leave only even permutations of the table. From 5 seats on, that shows in the order
    /// within sets alone: whom a set of two or more ranks asks stays as likely.
    ///
    /// Round i = 0, …, 13 adds keccak256(the other coordinate in 32 - i bytes ‖ seed): the length tells the rounds
    /// apart. Written out, since a loop would cost a third more.
    function _feistel(uint256 index, uint256 columns, uint256 rows, bytes32 seed) private pure returns (uint256 cell) {
        assembly ("memory-safe") {
            let x := mod(index, columns)
            let y := div(index, columns)
            mstore(0x20, seed)
            mstore(0x00, y)
            x := addmod(x, keccak256(0, 64), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(1, 63), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(2, 62), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(3, 61), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(4, 60), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(5, 59), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(6, 58), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(7, 57), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(8, 56), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(9, 55), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(10, 54), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(11, 53), rows)
            mstore(0x00, y)
            x := addmod(x, keccak256(12, 52), columns)
            mstore(0x00, x)
            y := addmod(y, keccak256(13, 51), rows)
            cell := add(mul(y, columns), x)
        }
    }
}
