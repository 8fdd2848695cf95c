// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRandomness} from "../interfaces/IRandomness.sol";

/// @title Seeds from block hashes
/// @notice Reads `blockhash` (the last 256 blocks) or, for older blocks, the EIP-2935 history contract where the chain
/// has one (the last 8191). Who builds the named block can withhold it, or make many versions of it, and so draw more
/// often; docs/adversaries.md states what that is worth.
contract BlockhashRandomness is IRandomness {
    /// @dev System contract of EIP-2935, the same address on every chain that has it.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    /// @inheritdoc IRandomness
    function read(uint256 blockNumber, bytes32 purpose) external view returns (bytes32 seed, bool expired) {
        if (block.number <= blockNumber) return (0, false);
        bytes32 hash = blockhash(blockNumber);
        if (hash == 0) hash = _history(blockNumber);
        if (hash == 0) return (0, true);
        return (keccak256(abi.encode(purpose, hash)), false);
    }

    /// @dev Zero when the chain has no history contract or the block is out of its range.
    function _history(uint256 blockNumber) private view returns (bytes32) {
        (bool ok, bytes memory data) = HISTORY.staticcall(abi.encode(blockNumber));
        if (!ok || data.length != 32) return 0;
        return abi.decode(data, (bytes32));
    }
}
