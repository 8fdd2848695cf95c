// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who offers which data
/// @notice A seller makes any number of offers, one per data set: tags, the CID of a description, the public key to which
/// secrets are wrapped, and a bond. The data itself never leaves the seller. A job freezes the offers under its tag as
/// they stood one block earlier.
/// @dev The bond is a cost of many identities, not a stake: it is never slashed. A buyer can make any seller silent by
/// withholding what a job needs, so a penalty for silence would be a weapon of buyers.
interface ISellerRegistry {
    struct Offer {
        address seller;
        /// @dev Standing under its tags: false while paused and after leaving.
        bool listed;
        /// @dev Block in which it left, 0 before.
        uint40 exitBlock;
        /// @dev Wei held for the seller.
        uint128 bond;
        bytes32 publicKey;
        bytes metadataCid;
        bytes32[] tags;
    }

    /// @notice `seller` offers data under `tags` (a new offer or a changed one).
    event Offered(
        uint256 indexed offerId, address indexed seller, bytes32[] tags, bytes metadataCid, bytes32 publicKey
    );
    /// @notice The offer stands under no tag until it is resumed; jobs that froze it before keep it.
    event OfferPaused(uint256 indexed offerId);
    event OfferResumed(uint256 indexed offerId);
    /// @notice The offer is over; its bond can be withdrawn from `unlockBlock` on. Jobs that froze it before keep it.
    event OfferLeft(uint256 indexed offerId, uint256 unlockBlock);
    event BondWithdrawn(uint256 indexed offerId, address indexed to, uint256 amount);

    /// @notice At least one and at most `MAX_TAGS` tags.
    error BadTagCount(uint256 count);
    /// @notice Tags come in strictly ascending order, so that none comes twice.
    error TagsNotAscending();
    /// @notice A CID has 1 to `MAX_CID_BYTES` bytes.
    error BadCid();
    /// @notice Without a public key nothing can be wrapped for the seller.
    error MissingPublicKey();
    /// @notice The bond must be above 0 and fit 128 bits.
    error BadBondUnit();
    /// @notice An offer costs exactly one bond.
    error WrongBond(uint256 required);
    /// @notice The offer is not the caller's, or has left.
    error NotYourOffer(uint256 offerId);
    /// @notice The offer is paused already, or listed already.
    error AlreadySo();
    /// @notice The bond is bound until `unlockBlock`, or the offer has not left, or it is withdrawn already.
    error BondBound(uint256 unlockBlock);
    /// @notice The receiver refused the bond; name another.
    error PaymentRefused(address to);

    /// @notice Offers one data set for a bond of exactly `bondUnit` wei.
    /// @param tags What the data is about, strictly ascending.
    /// @param metadataCid Binary CIDv1 of the public description.
    /// @param publicKey X25519 key of the seller.
    function offer(bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey)
        external
        payable
        returns (uint256 offerId);

    /// @notice Replaces what an offer says. A paused offer stays paused.
    function update(uint256 offerId, bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey) external;

    /// @notice Takes an offer off its tags for a while.
    function pause(uint256 offerId) external;

    /// @notice Puts a paused offer back under its tags.
    function resume(uint256 offerId) external;

    /// @notice Ends an offer.
    function leave(uint256 offerId) external;

    /// @notice Sends the bond of an offer that left `UNBONDING_BLOCKS` ago to `to`.
    function withdrawBond(uint256 offerId, address payable to) external;

    /// @notice Wei that one offer binds.
    function bondUnit() external view returns (uint256);

    /// @notice Offers made so far; ids count from 1.
    function offerCount() external view returns (uint256);

    function offerOf(uint256 offerId) external view returns (Offer memory);

    /// @notice How many offers stood under `tag` at the end of `blockNumber`.
    function countAt(bytes32 tag, uint256 blockNumber) external view returns (uint256);

    /// @notice The offer at `index` of `tag` at the end of `blockNumber`, or 0.
    function offerAt(bytes32 tag, uint256 index, uint256 blockNumber) external view returns (uint256 offerId);

    /// @notice The seller behind `offerAt`, or zero.
    function sellerAt(bytes32 tag, uint256 index, uint256 blockNumber) external view returns (address);
}
