// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev A binary CIDv1 with a sha2-256 multihash has 36 bytes; the room above is for other hash functions.
uint256 constant MAX_CID_BYTES = 64;

/// @dev Basis points in a whole.
uint256 constant BPS = 10_000;

/// @dev Parts per million in a whole.
uint256 constant PPM = 1_000_000;

/// @dev Blocks between leaving and withdrawing a stake or a bond: a day of 12 s blocks, for others to notice.
uint256 constant UNBONDING_BLOCKS = 7200;
