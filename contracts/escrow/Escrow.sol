// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {Credits} from "../lib/Credits.sol";
import {BPS} from "../lib/Limits.sol";

/// @title Escrow
contract Escrow is IEscrow, Credits {
    /// @notice The part of a job's earnings that goes to CONE nodes, in basis points; the rest goes to sellers.
    uint256 public constant CONE_BPS = 3000;

    /// @notice The whole of the contribution shares.
    uint256 public constant SHARES_ONE = 1e18;

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;
    IYoda public immutable yoda;

    mapping(uint256 jobId => Pots) private _pots;
    /// @dev Bit i: the seller at index i has been paid.
    mapping(uint256 jobId => uint256) private _paidSellers;
    /// @dev Bit r - 1: the node has been paid for round r.
    mapping(uint256 jobId => mapping(address node => uint256)) private _paidRounds;

    constructor(address jobs_, IYoda yoda_) {
        jobs = jobs_;
        yoda = yoda_;
    }

    modifier onlyJobs() {
        if (msg.sender != jobs) revert OnlyJobs();
        _;
    }

    /* THE JOB CONTRACT'S SIDE */

    /// @inheritdoc IEscrow
    function fund(uint256 jobId) external payable onlyJobs {
        _pots[jobId].price = uint128(msg.value);
        emit JobFunded(jobId, msg.value);
    }

    /// @inheritdoc IEscrow
    function settle(uint256 jobId, Settlement calldata settlement) external onlyJobs {
        Pots storage pots = _pots[jobId];
        if (pots.settled) revert AlreadySettled();
        uint256 price = pots.price;
        uint256 earned = (price * settlement.earnedRounds) / settlement.totalRounds;
        uint256 conePot = (earned * CONE_BPS) / BPS;
        // Where no update was ever kept there is no seller to pay.
        uint256 sellerPot = settlement.contributionsRoot == 0 ? 0 : earned - conePot;
        uint256 refund = price - conePot - sellerPot;
        pots.settled = true;
        pots.conePot = uint128(conePot);
        pots.sellerPot = uint128(sellerPot);
        pots.acceptedRounds = settlement.acceptedRounds;
        pots.rightVotes = settlement.rightVotes;
        pots.contributionsRoot = settlement.contributionsRoot;
        emit JobPaid(jobId, conePot, sellerPot, refund);
        _credit(settlement.buyer, refund);
    }

    /* CLAIMS */

    /// @inheritdoc IEscrow
    function claimSeller(uint256 jobId, uint256 index, uint256 start, uint256 end, bytes32[] calldata proof) external {
        Pots storage pots = _pots[jobId];
        if (!pots.settled) revert NotSettled();
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index, start, end))));
        if (!MerkleProof.verifyCalldata(proof, pots.contributionsRoot, leaf)) revert BadProof();
        uint256 bit = uint256(1) << index;
        if (_paidSellers[jobId] & bit != 0) revert AlreadyPaid();
        _paidSellers[jobId] |= bit;

        uint256 amount = _between(pots.sellerPot, start, end, SHARES_ONE);
        if (amount > pots.sellerPot - pots.sellerPaid) revert PotExceeded();
        pots.sellerPaid += uint128(amount);
        address seller = IJobs(jobs).sellerAt(jobId, index);
        emit SellerPaid(jobId, index, seller, amount);
        _credit(seller, amount);
    }

    /// @inheritdoc IEscrow
    function claimCone(uint256 jobId, address node, Vote[] calldata votes) external {
        Pots storage pots = _pots[jobId];
        if (!pots.settled) revert NotSettled();
        uint256 paidRounds = _paidRounds[jobId][node];
        for (uint256 i = 0; i < votes.length; ++i) {
            Vote calldata vote = votes[i];
            // A result that was accepted but never opened has earned nothing.
            bool counted = vote.round <= pots.acceptedRounds;
            if (!counted || !yoda.wasRight(jobId, vote.round, vote.miniRound, node, vote.audit)) {
                revert NotRight(vote.round);
            }
            uint256 bit = uint256(1) << (vote.round - 1);
            if (paidRounds & bit != 0) revert AlreadyPaid();
            paidRounds |= bit;
        }
        _paidRounds[jobId][node] = paidRounds;

        (uint256 start, uint256 end) = (pots.paidVotes, pots.paidVotes + votes.length);
        if (end > pots.rightVotes) revert PotExceeded();
        pots.paidVotes = uint32(end);
        uint256 amount = votes.length == 0 ? 0 : _between(pots.conePot, start, end, pots.rightVotes);
        emit ConePaid(jobId, node, votes.length, amount);
        _credit(node, amount);
    }

    /* VIEWS */

    /// @inheritdoc IEscrow
    function potsOf(uint256 jobId) external view returns (Pots memory) {
        return _pots[jobId];
    }

    /// @dev Part of `pot` between two marks of `whole`. Neighbouring parts add up without loss.
    function _between(uint256 pot, uint256 start, uint256 end, uint256 whole) private pure returns (uint256) {
        return (pot * end) / whole - (pot * start) / whole;
    }
}
