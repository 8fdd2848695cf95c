// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A vote's commitment and its audit word
/// @notice A commitment is bound to the chain, the contract, the node, the job, the round and the mini-round: copied by
/// another node, or to any other place, it cannot be opened there.
library Commitment {
    /// @dev Keeps these hashes apart from all others that a node may sign or publish.
    bytes32 internal constant DOMAIN = keccak256("D2M vote v1");

    /// @notice The commitment of `sender` to the two words of its vote.
    /// @param miniRound Counts through both draws of the round.
    /// @param result Digest of the round's result. @param audit See `auditWord`.
    /// @param salt 32 bytes that only the node knows until it reveals: without them the words could be guessed.
    function hash(
        address sender,
        uint256 jobId,
        uint32 round,
        uint16 miniRound,
        bytes32 result,
        bytes32 audit,
        bytes32 salt
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN, block.chainid, address(this), sender, jobId, round, miniRound, result, audit, salt)
        );
    }

    /// @notice The audit word that is right in the mini-round with seed `miniRoundSeed`.
    /// @param predictionsHash keccak256 of the canonical bytes of every prediction that the computation makes.
    function auditWord(bytes32 miniRoundSeed, bytes32 predictionsHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(miniRoundSeed, predictionsHash));
    }
}
