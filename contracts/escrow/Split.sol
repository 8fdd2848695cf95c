// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BPS} from "../lib/Limits.sol";

/// @title How a job's price is split
/// @notice The rounds that were accepted and opened earn their share of the price. Of what is earned, CONE nodes get
/// 30 % and sellers the rest; the buyer gets back what was not earned. Amounts are in the smallest unit of the job's
/// token (wei for ETH). One rounding rule: shares round down, and the remainder goes to the other side of the
/// subtraction: conePart + (earned - conePart) + (price - earned) = price.
library Split {
    /// @dev The CONE nodes' part of what is earned: 30 %, as in the paper.
    uint256 internal constant CONE_BPS = 3000;

    /// @notice What `rounds` of `total` equal rounds earn of `price`, rounded down.
    /// @param price Below 2^128. @param rounds At most `total`. @param total At least 1, below 2^128.
    function earned(uint256 price, uint256 rounds, uint256 total) internal pure returns (uint256) {
        return (price * rounds) / total;
    }

    /// @notice The CONE nodes' pot, rounded down; `earned_` less this is the sellers' pot.
    /// @param earned_ Below 2^128.
    function conePart(uint256 earned_) internal pure returns (uint256) {
        return (earned_ * CONE_BPS) / BPS;
    }

    /// @notice Part of `pot` between the marks `start` and `end` of `whole`. Neighbouring parts add up without loss: from
    /// 0 to `whole` they are `pot` exactly, whoever claims first.
    /// @param pot Below 2^128. @param start At most `end`. @param end At most `whole`.
    /// @param whole At least 1, below 2^128.
    function between(uint256 pot, uint256 start, uint256 end, uint256 whole) internal pure returns (uint256) {
        return (pot * end) / whole - (pot * start) / whole;
    }
}
