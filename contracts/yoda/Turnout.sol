// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {ExecutionSets} from "./ExecutionSets.sol";

/// @title Who of an execution set has committed and revealed, in one word
/// @notice Bit p: position p has committed. Bit 120 + p: it has revealed. Bits 240 to 254: how many strays there are. Bit
/// 255 is always set, so that the word never costs what a fresh one does.
library Turnout {
    uint256 internal constant NONE = 1 << 255;

    uint256 private constant SET = ExecutionSets.MAX_SET;
    uint256 private constant MASK = (1 << SET) - 1;
    uint256 private constant ONE_STRAY = 1 << (2 * SET);
    uint256 private constant STRAYS_MASK = (1 << 15) - 1;

    function hasCommitted(uint256 turnout, uint256 position) internal pure returns (bool) {
        return turnout >> position & 1 == 1;
    }

    function withCommitted(uint256 turnout, uint256 position) internal pure returns (uint256) {
        return turnout | 1 << position;
    }

    function hasRevealed(uint256 turnout, uint256 position) internal pure returns (bool) {
        return turnout >> (SET + position) & 1 == 1;
    }

    function withRevealed(uint256 turnout, uint256 position) internal pure returns (uint256) {
        return turnout | 1 << (SET + position);
    }

    function withStray(uint256 turnout) internal pure returns (uint256) {
        return turnout + ONE_STRAY;
    }

    function committedCount(uint256 turnout) internal pure returns (uint256) {
        return LibBit.popCount(turnout & MASK);
    }

    function revealedCount(uint256 turnout) internal pure returns (uint256) {
        return LibBit.popCount(turnout >> SET & MASK);
    }

    function strays(uint256 turnout) internal pure returns (uint256) {
        return turnout >> (2 * SET) & STRAYS_MASK;
    }

    /// @notice Votes that agree with the first one revealed, itself included.
    function followers(uint256 turnout) internal pure returns (uint256) {
        return revealedCount(turnout) - strays(turnout);
    }
}
