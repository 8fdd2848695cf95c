// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who offers which data
/// @notice A seller registers tags, the CID of a description of its data and the public key to which secrets for it are
/// wrapped. The data itself never leaves the seller. A job freezes the list of a tag as it stood one block earlier.
interface ISellerRegistry {
    struct Seller {
        bytes32 publicKey;
        bytes metadataCid;
        bytes32[] tags;
    }

    /// @notice `seller` offers data under `tags` (a new registration or a changed one).
    event SellerRegistered(address indexed seller, bytes32[] tags, bytes metadataCid, bytes32 publicKey);
    /// @notice `seller` offers nothing any more; jobs that froze it before keep it.
    event SellerLeft(address indexed seller);

    /// @notice At least one and at most `MAX_TAGS` tags.
    error BadTagCount(uint256 count);
    /// @notice Tags come in strictly ascending order, so that none comes twice.
    error TagsNotAscending();
    /// @notice A CID has 1 to `MAX_CID_BYTES` bytes.
    error BadCid();
    /// @notice Without a public key nothing can be wrapped for the seller.
    error MissingPublicKey();
    /// @notice The caller is not registered.
    error NotRegistered();

    /// @notice Registers the caller, or replaces its registration.
    /// @param tags What the data is about, strictly ascending.
    /// @param metadataCid Binary CIDv1 of the public description.
    /// @param publicKey X25519 key of the seller.
    function register(bytes32[] calldata tags, bytes calldata metadataCid, bytes32 publicKey) external;

    /// @notice Takes the caller off every list.
    function leave() external;

    /// @notice A seller's present registration, empty when there is none.
    function sellerOf(address seller) external view returns (Seller memory);

    /// @notice How many sellers offered `tag` at the end of `blockNumber`.
    function countAt(bytes32 tag, uint256 blockNumber) external view returns (uint256);

    /// @notice The seller at `index` of `tag` at the end of `blockNumber`, or zero.
    function sellerAt(bytes32 tag, uint256 index, uint256 blockNumber) external view returns (address);
}
