// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISellerRegistry} from "../interfaces/ISellerRegistry.sol";
import {HistoricalList} from "../lib/HistoricalList.sol";
import {MAX_CID_BYTES} from "../lib/Limits.sol";

/// @title Seller registry
contract SellerRegistry is ISellerRegistry {
    using HistoricalList for HistoricalList.List;

    /// @notice Bounds the loops of `register` and `leave`.
    uint256 public constant MAX_TAGS = 8;

    mapping(address seller => Seller) private _sellers;
    mapping(bytes32 tag => HistoricalList.List) private _lists;

    /* REGISTRATION */

    /// @inheritdoc ISellerRegistry
    function register(bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey) external {
        if (tags.length == 0 || tags.length > MAX_TAGS) revert BadTagCount(tags.length);
        if (metadataCid.length == 0 || metadataCid.length > MAX_CID_BYTES) revert BadCid();
        if (publicKey == 0) revert MissingPublicKey();
        _unlist(msg.sender);
        for (uint256 i = 0; i < tags.length; ++i) {
            if (i > 0 && tags[i] <= tags[i - 1]) revert TagsNotAscending();
            _lists[tags[i]].add(msg.sender);
        }
        _sellers[msg.sender] = Seller({publicKey: publicKey, metadataCid: metadataCid, tags: tags});
        emit SellerRegistered(msg.sender, tags, metadataCid, publicKey);
    }

    /// @inheritdoc ISellerRegistry
    function leave() external {
        if (_sellers[msg.sender].publicKey == 0) revert NotRegistered();
        _unlist(msg.sender);
        delete _sellers[msg.sender];
        emit SellerLeft(msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc ISellerRegistry
    function sellerOf(address seller) external view returns (Seller memory) {
        return _sellers[seller];
    }

    /// @inheritdoc ISellerRegistry
    function countAt(bytes32 tag, uint256 blockNumber) external view returns (uint256) {
        return _lists[tag].countAt(blockNumber);
    }

    /// @inheritdoc ISellerRegistry
    function sellerAt(bytes32 tag, uint256 index, uint256 blockNumber) external view returns (address) {
        return _lists[tag].at(index, blockNumber);
    }

    /* INTERNAL */

    function _unlist(address seller) private {
        bytes32[] storage tags = _sellers[seller].tags;
        for (uint256 i = 0; i < tags.length; ++i) {
            _lists[tags[i]].remove(seller);
        }
    }
}
