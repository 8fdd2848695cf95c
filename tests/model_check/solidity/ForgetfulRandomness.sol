// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRandomness} from "../../../contracts/interfaces/IRandomness.sol";

/// @title Seeds that depend on the block's number alone, so that a run can be repeated, and that expire soon
contract ForgetfulRandomness is IRandomness {
    /// @notice Blocks for which a seed can be read.
    uint256 public constant MEMORY = 12;

    /// @inheritdoc IRandomness
    function read(uint256 blockNumber, bytes32 purpose) external view returns (bytes32 seed, bool expired) {
        if (block.number <= blockNumber) return (0, false);
        if (block.number > blockNumber + MEMORY) return (0, true);
        return (keccak256(abi.encode(purpose, blockNumber)), false);
    }
}
