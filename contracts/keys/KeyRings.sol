// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IKeyRings} from "../interfaces/IKeyRings.sol";
import {MAX_CID_BYTES} from "../lib/Limits.sol";

/// @title Key rings
contract KeyRings is IKeyRings {
    /// @inheritdoc IKeyRings
    mapping(address account => bytes32) public keyOf;

    /// @inheritdoc IKeyRings
    function register(bytes32 publicKey) external {
        if (publicKey == 0) revert MissingPublicKey();
        keyOf[msg.sender] = publicKey;
        emit KeyRegistered(msg.sender, publicKey);
    }

    /// @inheritdoc IKeyRings
    function post(uint256 jobId, bytes32 contentHash, bytes calldata cid) external {
        if (cid.length == 0 || cid.length > MAX_CID_BYTES) revert BadCid();
        emit KeyRingPosted(jobId, msg.sender, contentHash, cid);
    }
}
