// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Split} from "../../contracts/escrow/Split.sol";
import {BPS} from "../../contracts/lib/Limits.sol";

/// @title The split of a price is exact
/// @dev For all amounts and marks below 2^128. No sum, product or difference of the library overflows there: the prover
/// is told to take that for a failure too.
/// @custom:halmos --solver-command '.tools/audit/bin/python tools/audit/solve.py'
contract SplitProof {
    uint256 private constant LIMIT = 1 << 128;

    /// @notice Accepted rounds earn their share of the price, less a fraction of one unit, and never more than the price.
    function check_earned_is_the_share_rounded_down(uint256 price, uint256 rounds, uint256 total) external pure {
        if (price >= LIMIT || total >= LIMIT || total == 0 || rounds > total) return;
        uint256 earned = Split.earned(price, rounds, total);
        assert(earned <= price);
        assert(earned * total <= price * rounds);
        assert(price * rounds < earned * total + total);
    }

    /// @notice CONE nodes get 30 % of what is earned, less a fraction of one unit.
    function check_cone_part_is_30_percent_rounded_down(uint256 earned) external pure {
        if (earned >= LIMIT) return;
        uint256 part = Split.conePart(earned);
        assert(part * BPS <= earned * 3000);
        assert(earned * 3000 < part * BPS + BPS);
    }

    /// @notice The two pots and the refund are the price exactly, whatever part of it was earned.
    function check_pots_and_refund_are_the_price(uint256 price, uint256 earned) external pure {
        if (price >= LIMIT || earned > price) return;
        uint256 conePot = Split.conePart(earned);
        (uint256 sellerPot, uint256 refund) = (earned - conePot, price - earned);
        assert(conePot + sellerPot + refund == price);
    }

    /// @notice Two neighbouring parts of a pot add up to the part that spans both: nothing is lost between claims.
    function check_neighbouring_parts_add_up(uint256 pot, uint256 start, uint256 middle, uint256 end, uint256 whole)
        external
        pure
    {
        if (pot >= LIMIT || whole >= LIMIT || whole == 0) return;
        if (start > middle || middle > end || end > whole) return;
        uint256 first = Split.between(pot, start, middle, whole);
        uint256 second = Split.between(pot, middle, end, whole);
        assert(first + second == Split.between(pot, start, end, whole));
    }

    /// @notice All parts together are the pot.
    function check_the_whole_is_the_pot(uint256 pot, uint256 whole) external pure {
        if (pot >= LIMIT || whole >= LIMIT || whole == 0) return;
        assert(Split.between(pot, 0, whole, whole) == pot);
    }

    /// @notice No part exceeds the pot.
    function check_a_part_is_within_the_pot(uint256 pot, uint256 start, uint256 end, uint256 whole) external pure {
        if (pot >= LIMIT || whole >= LIMIT || whole == 0 || start > end || end > whole) return;
        assert(Split.between(pot, start, end, whole) <= pot);
    }
}
