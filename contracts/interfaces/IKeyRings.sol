// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Where buyers register their public keys, and where the keys of jobs are handed out
/// @notice What is pinned for a job is sealed to its members. Sellers and nodes register the keys to which secrets are wrapped
/// with their offers and seats, buyers here. Once a job exists, the opener of its auction posts a *key ring*: the job's key,
/// wrapped to every member.
/// @dev Holds no money, knows no other contract, reserves nothing to anybody. Anyone may post anything for any job; readers
/// heed the posts of the opener of the job's auction and of the job's nodes, in this order, and check each against the key that
/// the request names. So nothing is gained by posting for another's job, before the job exists, or twice.
interface IKeyRings {
    /// @notice `account` has registered `publicKey`, in place of any other.
    event KeyRegistered(address indexed account, bytes32 publicKey);
    /// @notice `poster` has posted a key ring for a job: keccak256 of its bytes, and where they lie.
    event KeyRingPosted(uint256 indexed jobId, address indexed poster, bytes32 contentHash, bytes cid);

    /// @notice Without a public key nothing can be wrapped for the buyer.
    error MissingPublicKey();
    /// @notice A CID has 1 to `MAX_CID_BYTES` bytes.
    error BadCid();

    /// @notice Registers the caller's X25519 key. A key ring that was made for an earlier one stays readable with that.
    function register(bytes32 publicKey) external;

    /// @notice Posts a key ring for a job.
    /// @param contentHash keccak256 of the ring's bytes.
    /// @param cid Binary CIDv1 of the ring.
    function post(uint256 jobId, bytes32 contentHash, bytes calldata cid) external;

    /// @notice The X25519 key that `account` has registered, 0 if none.
    function keyOf(address account) external view returns (bytes32);
}
