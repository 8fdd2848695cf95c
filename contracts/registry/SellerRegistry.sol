// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISellerRegistry} from "../interfaces/ISellerRegistry.sol";
import {HistoricalList} from "../lib/HistoricalList.sol";
import {MAX_CID_BYTES, UNBONDING_BLOCKS} from "../lib/Limits.sol";

/// @title Seller registry
contract SellerRegistry is ISellerRegistry {
    using HistoricalList for HistoricalList.List;

    /// @notice Bounds the loops over an offer's tags.
    uint256 public constant MAX_TAGS = 8;

    /// @inheritdoc ISellerRegistry
    uint256 public immutable bondUnit;

    /// @inheritdoc ISellerRegistry
    uint256 public offerCount;

    mapping(uint256 offerId => Offer) private _offers;
    mapping(bytes32 tag => HistoricalList.List) private _lists;

    constructor(uint256 bondUnit_) {
        if (bondUnit_ == 0 || bondUnit_ > type(uint128).max) revert BadBondUnit();
        bondUnit = bondUnit_;
    }

    /* OFFERS */

    /// @inheritdoc ISellerRegistry
    function offer(bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey)
        external
        payable
        returns (uint256 offerId)
    {
        if (msg.value != bondUnit) revert WrongBond(bondUnit);
        offerId = ++offerCount;
        Offer storage made = _offers[offerId];
        made.seller = msg.sender;
        made.bond = uint128(msg.value);
        _write(offerId, made, tags, metadataCid, publicKey);
        _list(offerId, made);
    }

    /// @inheritdoc ISellerRegistry
    function update(uint256 offerId, bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey) external {
        Offer storage made = _own(offerId);
        bool listed = made.listed;
        if (listed) _unlist(offerId, made);
        _write(offerId, made, tags, metadataCid, publicKey);
        if (listed) _list(offerId, made);
    }

    /// @inheritdoc ISellerRegistry
    function pause(uint256 offerId) external {
        Offer storage made = _own(offerId);
        if (!made.listed) revert AlreadySo();
        _unlist(offerId, made);
        emit OfferPaused(offerId);
    }

    /// @inheritdoc ISellerRegistry
    function resume(uint256 offerId) external {
        Offer storage made = _own(offerId);
        if (made.listed) revert AlreadySo();
        _list(offerId, made);
        emit OfferResumed(offerId);
    }

    /// @inheritdoc ISellerRegistry
    function leave(uint256 offerId) external {
        Offer storage made = _own(offerId);
        if (made.listed) _unlist(offerId, made);
        made.exitBlock = uint40(block.number);
        emit OfferLeft(offerId, block.number + UNBONDING_BLOCKS);
    }

    /// @inheritdoc ISellerRegistry
    function withdrawBond(uint256 offerId, address payable to) external {
        Offer storage made = _offers[offerId];
        if (made.seller != msg.sender) revert NotYourOffer(offerId);
        uint256 unlockBlock = made.exitBlock + UNBONDING_BLOCKS;
        uint256 bond = made.bond;
        if (made.exitBlock == 0 || block.number < unlockBlock || bond == 0) revert BondBound(unlockBlock);
        made.bond = 0;
        emit BondWithdrawn(offerId, to, bond);
        (bool paid,) = to.call{value: bond}("");
        if (!paid) revert PaymentRefused(to);
    }

    /* VIEWS */

    /// @inheritdoc ISellerRegistry
    function offerOf(uint256 offerId) external view returns (Offer memory) {
        return _offers[offerId];
    }

    /// @inheritdoc ISellerRegistry
    function countAt(bytes32 tag, uint256 blockNumber) external view returns (uint256) {
        return _lists[tag].countAt(blockNumber);
    }

    /// @inheritdoc ISellerRegistry
    function offerAt(bytes32 tag, uint256 index, uint256 blockNumber) public view returns (uint256) {
        return _lists[tag].at(index, blockNumber);
    }

    /// @inheritdoc ISellerRegistry
    function sellerAt(bytes32 tag, uint256 index, uint256 blockNumber) external view returns (address) {
        return _offers[offerAt(tag, index, blockNumber)].seller;
    }

    /* INTERNAL */

    /// @dev The caller's offer that has not left.
    function _own(uint256 offerId) private view returns (Offer storage made) {
        made = _offers[offerId];
        if (made.seller != msg.sender || made.exitBlock != 0) revert NotYourOffer(offerId);
    }

    function _write(
        uint256 offerId,
        Offer storage made,
        bytes32[] calldata tags,
        bytes calldata metadataCid,
        bytes32 publicKey
    ) private {
        if (tags.length == 0 || tags.length > MAX_TAGS) revert BadTagCount(tags.length);
        if (metadataCid.length == 0 || metadataCid.length > MAX_CID_BYTES) revert BadCid();
        if (publicKey == 0) revert MissingPublicKey();
        for (uint256 i = 1; i < tags.length; ++i) {
            if (tags[i] <= tags[i - 1]) revert TagsNotAscending();
        }
        made.publicKey = publicKey;
        made.metadataCid = metadataCid;
        made.tags = tags;
        emit Offered(offerId, msg.sender, tags, metadataCid, publicKey);
    }

    function _list(uint256 offerId, Offer storage made) private {
        made.listed = true;
        bytes32[] storage tags = made.tags;
        for (uint256 i = 0; i < tags.length; ++i) {
            _lists[tags[i]].add(uint160(offerId));
        }
    }

    function _unlist(uint256 offerId, Offer storage made) private {
        made.listed = false;
        bytes32[] storage tags = made.tags;
        for (uint256 i = 0; i < tags.length; ++i) {
            _lists[tags[i]].remove(uint160(offerId));
        }
    }
}
