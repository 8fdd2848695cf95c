// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRandomness} from "../../../contracts/interfaces/IRandomness.sol";

/// @title Seeds without waiting for a block, so that a whole vote fits into one `eth_call`
contract InstantRandomness is IRandomness {
    function read(uint256, bytes32 purpose) external pure returns (bytes32 seed, bool expired) {
        return (keccak256(abi.encode(purpose)), false);
    }
}
