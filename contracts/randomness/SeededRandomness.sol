// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRandomness} from "../interfaces/IRandomness.sol";

/// @title Seeds from one fixed number, for local chains only
/// @notice Makes two runs of the market draw alike, whatever their block hashes. Everybody can foresee every draw:
/// never deploy it where money has value.
contract SeededRandomness is IRandomness {
    bytes32 private immutable SEED;

    constructor(bytes32 seed) {
        SEED = seed;
    }

    /// @inheritdoc IRandomness
    function read(uint256 blockNumber, bytes32 purpose) external view returns (bytes32 seed, bool expired) {
        if (block.number <= blockNumber) return (0, false);
        return (keccak256(abi.encode(purpose, SEED)), false);
    }
}
