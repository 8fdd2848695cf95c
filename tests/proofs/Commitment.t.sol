// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Commitment} from "../../contracts/yoda/Commitment.sol";

/// @dev Cheat code of the prover.
interface Vm {
    function chainId(uint256 id) external;
}

struct Vote {
    address sender;
    uint256 jobId;
    uint32 round;
    uint16 miniRound;
    bytes32 result;
    bytes32 audit;
    bytes32 salt;
}

library Votes {
    function hash(Vote calldata vote) internal view returns (bytes32) {
        return Commitment.hash(vote.sender, vote.jobId, vote.round, vote.miniRound, vote.result, vote.audit, vote.salt);
    }
}

/// @dev Another deployment of the market.
contract Elsewhere {
    using Votes for Vote;

    function hash(Vote calldata vote) external view returns (bytes32) {
        return vote.hash();
    }
}

/// @title A commitment opens in one way only
/// @dev As far as nobody finds two inputs with the same hash: the prover takes keccak256 for injective.
contract CommitmentProof {
    using Votes for Vote;

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @notice Votes with the same commitment agree in node, job, round, mini-round, both words and the salt.
    function check_opens_to_one_vote(Vote calldata vote, Vote calldata other) external view {
        if (vote.hash() != other.hash()) return;
        assert(vote.sender == other.sender);
        assert(vote.jobId == other.jobId);
        assert(vote.round == other.round);
        assert(vote.miniRound == other.miniRound);
        assert(vote.result == other.result);
        assert(vote.audit == other.audit);
        assert(vote.salt == other.salt);
    }

    /// @notice It opens on one chain.
    function check_opens_on_one_chain(Vote calldata vote, Vote calldata other, uint64 here, uint64 there) external {
        if (here == there) return;
        VM.chainId(here);
        bytes32 hash = vote.hash();
        VM.chainId(there);
        assert(hash != other.hash());
    }

    /// @notice It opens in one contract.
    function check_opens_in_one_contract(Vote calldata vote, Vote calldata other) external {
        assert(vote.hash() != new Elsewhere().hash(other));
    }

    /// @notice An audit word is of one seed and of one hash of predictions.
    function check_an_audit_word_is_of_one_seed(bytes32 seed, bytes32 hash, bytes32 otherSeed, bytes32 otherHash)
        external
        pure
    {
        if (Commitment.auditWord(seed, hash) != Commitment.auditWord(otherSeed, otherHash)) return;
        assert(seed == otherSeed);
        assert(hash == otherHash);
    }
}
