// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Source of the seeds that draw samples and execution sets
/// @notice Freeze, then draw: a caller names a block that lies ahead of the frozen set, and reads the seed once that
/// block is mined. The source keeps no state and nobody can choose what it returns.
interface IRandomness {
    /// @notice The seed that `blockNumber` gives for one purpose.
    /// @param blockNumber The block, fixed when the set was frozen.
    /// @param purpose Separates the seeds of different draws that name the same block.
    /// @return seed The seed, or zero while the block is not mined yet or once it has expired.
    /// @return expired True when the block is too old to be read: the caller names a new one.
    function read(uint256 blockNumber, bytes32 purpose) external view returns (bytes32 seed, bool expired);
}
