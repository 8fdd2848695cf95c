// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LibBit} from "solady/src/utils/LibBit.sol";
import {IConePool} from "../interfaces/IConePool.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {ISellerRegistry} from "../interfaces/ISellerRegistry.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {Request, RoundResult} from "../interfaces/Types.sol";
import {BPS, MAX_CID_BYTES} from "../lib/Limits.sol";
import {Sortition} from "../yoda/Sortition.sol";
import {Bounds} from "./Bounds.sol";

/// @dev What a contract that serves the job contract must answer.
interface IServesJobs {
    function jobs() external view returns (address);
}

/// @title Jobs
contract Jobs is IJobs {
    /// @notice Version of `RoundResult` that this contract opens.
    uint16 public constant RESULT_VERSION = 2;

    ISellerRegistry public immutable registry;
    IRandomness public immutable randomness;
    IConePool public immutable pool;
    IYoda public immutable yoda;
    IEscrow public immutable escrow;
    address public immutable auctionHouse;

    /// @inheritdoc IJobs
    uint256 public jobCount;

    mapping(uint256 jobId => Job) private _jobs;

    /// @dev The parts were deployed with this contract's address foretold; a wrong forecast stops the deployment here.
    constructor(
        ISellerRegistry registry_,
        IRandomness randomness_,
        IConePool pool_,
        IYoda yoda_,
        IEscrow escrow_,
        address auctionHouse_
    ) {
        registry = registry_;
        randomness = randomness_;
        pool = pool_;
        yoda = yoda_;
        escrow = escrow_;
        auctionHouse = auctionHouse_;
        address[4] memory parts = [address(pool_), address(yoda_), address(escrow_), auctionHouse_];
        for (uint256 i = 0; i < parts.length; ++i) {
            if (IServesJobs(parts[i]).jobs() != address(this)) revert WrongWiring(parts[i]);
        }
    }

    /* CREATION */

    /// @inheritdoc IJobs
    function create(Request calldata request, address buyer, uint256 price) external returns (uint256 jobId) {
        if (msg.sender != auctionHouse) revert OnlyAuctionHouse();
        jobId = ++jobCount;
        (uint256 freezeBlock, uint256 seats) = pool.freezePool(jobId);
        uint256 listed = registry.countAt(request.tag, freezeBlock);
        if (listed == 0 || seats < Bounds.MIN_SEATS) revert NotFeasible(listed, seats);

        Job storage job = _jobs[jobId];
        job.buyer = buyer;
        job.rules = request.rules;
        job.tag = request.tag;
        job.freezeBlock = uint64(freezeBlock);
        job.listed = uint64(listed);
        job.sellers = uint16(listed < Bounds.MAX_SELLERS ? listed : Bounds.MAX_SELLERS);
        emit JobCreated(jobId, buyer, price, freezeBlock, job.sellers, request);
        yoda.freezeRules(jobId, request.rules, freezeBlock, seats);
        _scheduleSample(jobId, job);
    }

    /* MOVING ON */

    /// @inheritdoc IJobs
    function advance(uint256 jobId) external {
        Job storage job = _jobs[jobId];
        State state = job.state;
        if (state == State.Seeding) _drawFirstSample(jobId, job);
        else if (state == State.Collecting) _closeInbox(jobId, job);
        else if (state == State.Deciding) _advanceVote(jobId, job);
        else if (state == State.Opening) _giveUpOpening(jobId, job);
        else if (state == State.Judging) _closeJudging(jobId, job);
        else revert WrongState(state);
    }

    /// @inheritdoc IJobs
    function postUpdate(uint256 jobId, uint32 round, uint256 index, bytes32 contentHash, bytes calldata cid) external {
        Job storage job = _jobs[jobId];
        if (job.state != State.Collecting) revert WrongState(job.state);
        if (round != job.round) revert WrongRound(job.round);
        if (block.number > job.deadline) revert TooLate(job.deadline);
        if (cid.length == 0 || cid.length > MAX_CID_BYTES) revert BadCid();
        if (sellerAt(jobId, index) != msg.sender) revert NotSampled(index);
        uint256 bit = uint256(1) << index;
        if (job.sample & bit == 0) revert NotSampled(index);
        if (job.posted & bit != 0) revert AlreadyPosted();
        job.posted |= bit;
        emit UpdatePosted(jobId, round, index, msg.sender, contentHash, cid);
    }

    /// @inheritdoc IJobs
    function open(uint256 jobId, RoundResult calldata result) external {
        Job storage job = _jobs[jobId];
        if (job.state != State.Opening) revert WrongState(job.state);
        if (block.number > job.deadline) revert TooLate(job.deadline);
        IYoda.Verdict memory verdict = yoda.verdictOf(jobId, job.round);
        bytes32 digest = keccak256(abi.encode(result));
        if (digest != verdict.digest) revert WrongDigest(verdict.digest);
        _checkResult(jobId, job, result);

        (uint256 right, uint256 offences) = yoda.judge(jobId, job.round, result.predictionsHash);
        job.acceptedRounds = job.round;
        job.rightVotes += uint32(right);
        job.offences += uint32(offences);
        job.contributionsRoot = result.contributionsRoot;
        job.modelHash = result.modelHash;
        emit RoundAccepted(jobId, job.round, digest, result);

        bool reached = uint256(result.metricNumerator) * BPS >= uint256(job.rules.targetBps) * result.metricDenominator;
        job.targetReached = reached;
        if (reached || job.round == job.rules.rounds) return _startJudging(jobId, job, FailureReason.None);
        _startRound(jobId, job, job.round + 1, result.nextSample);
    }

    /* VIEWS */

    /// @inheritdoc IJobs
    function check(Request calldata request) external pure {
        Bounds.check(request);
    }

    /// @inheritdoc IJobs
    function isFeasible(bytes32 tag) external view returns (bool) {
        uint256 freezeBlock = block.number - 1;
        return registry.countAt(tag, freezeBlock) > 0 && pool.seatsAt(freezeBlock) >= Bounds.MIN_SEATS;
    }

    /// @inheritdoc IJobs
    function isDue(uint256 jobId) external view returns (bool) {
        Job storage job = _jobs[jobId];
        if (job.state == State.Seeding) return block.number > job.deadline;
        if (job.state == State.Collecting) return _inboxIsComplete(job);
        if (job.state == State.Opening) return block.number > job.deadline;
        if (job.state == State.Judging) return _allJudged(jobId, job) || block.number > job.deadline;
        return job.state == State.Deciding && yoda.isDue(jobId);
    }

    /// @inheritdoc IJobs
    function jobOf(uint256 jobId) external view returns (Job memory) {
        return _jobs[jobId];
    }

    /// @inheritdoc IJobs
    function offerAt(uint256 jobId, uint256 index) external view returns (uint256) {
        Job storage job = _jobs[jobId];
        return registry.offerAt(job.tag, _listIndex(job, index), job.freezeBlock);
    }

    /// @inheritdoc IJobs
    function sellerAt(uint256 jobId, uint256 index) public view returns (address) {
        Job storage job = _jobs[jobId];
        return registry.sellerAt(job.tag, _listIndex(job, index), job.freezeBlock);
    }

    /// @inheritdoc IJobs
    function offersOf(uint256 jobId) external view returns (uint256[] memory offerIds, address[] memory sellers) {
        Job storage job = _jobs[jobId];
        offerIds = new uint256[](job.sellers);
        sellers = new address[](job.sellers);
        for (uint256 i = 0; i < offerIds.length; ++i) {
            uint256 listIndex = _listIndex(job, i);
            offerIds[i] = registry.offerAt(job.tag, listIndex, job.freezeBlock);
            sellers[i] = registry.sellerAt(job.tag, listIndex, job.freezeBlock);
        }
    }

    /* INTERNAL */

    function _scheduleSample(uint256 jobId, Job storage job) private {
        job.state = State.Seeding;
        // The next block: its hash depends on nothing that could still change the frozen sets.
        job.deadline = uint64(block.number) + 1;
        emit SampleScheduled(jobId, job.deadline);
    }

    /// @dev Draws K times among the n matched sellers, each as likely; repeats make the bitmap smaller than K.
    function _drawFirstSample(uint256 jobId, Job storage job) private {
        (bytes32 seed, bool expired) = randomness.read(job.deadline, keccak256(abi.encode(jobId)));
        if (expired) return _scheduleSample(jobId, job);
        if (seed == 0) revert NotDue();
        job.sampleSeed = seed;
        (uint256 sellers, uint256 draws) = (job.sellers, job.rules.sampleSize);
        uint256 sample = 0;
        for (uint256 k = 0; k < draws; ++k) {
            sample |= uint256(1) << (uint256(keccak256(abi.encode(seed, k))) % sellers);
        }
        _startRound(jobId, job, 1, sample);
    }

    function _startRound(uint256 jobId, Job storage job, uint16 round, uint256 sample) private {
        job.state = State.Collecting;
        job.round = round;
        job.sample = sample;
        job.posted = 0;
        job.deadline = uint64(block.number) + job.rules.updateBlocks;
        emit RoundStarted(jobId, round, sample, job.deadline, round == 1 ? job.sampleSeed : bytes32(0));
    }

    function _inboxIsComplete(Job storage job) private view returns (bool) {
        return job.posted == job.sample || block.number > job.deadline;
    }

    function _closeInbox(uint256 jobId, Job storage job) private {
        if (!_inboxIsComplete(job)) revert NotDue();
        if (job.posted == 0) return _startJudging(jobId, job, FailureReason.NoUpdates);
        job.state = State.Deciding;
        emit InboxClosed(jobId, job.round, job.posted);
        yoda.begin(jobId, job.round);
    }

    function _advanceVote(uint256 jobId, Job storage job) private {
        IYoda.Phase phase = yoda.advance(jobId);
        if (phase == IYoda.Phase.Undecided) return _startJudging(jobId, job, FailureReason.Undecided);
        if (phase != IYoda.Phase.Accepted) return;
        job.state = State.Opening;
        job.deadline = uint64(block.number) + job.rules.openBlocks;
    }

    function _giveUpOpening(uint256 jobId, Job storage job) private {
        if (block.number <= job.deadline) revert NotDue();
        _startJudging(jobId, job, FailureReason.NotOpened);
    }

    function _checkResult(uint256 jobId, Job storage job, RoundResult calldata result) private view {
        bool sane = result.version == RESULT_VERSION && result.jobId == jobId && result.round == job.round;
        sane = sane && result.metricDenominator > 0 && result.metricNumerator <= result.metricDenominator;
        sane = sane && result.predictionsHash != 0;
        sane = sane && result.nextSample != 0 && LibBit.popCount(result.nextSample) <= job.rules.sampleSize;
        if (!sane || LibBit.fls(result.nextSample) >= job.sellers) revert BadResult();
    }

    /// @dev Where the index of a job's seller stands in the list of the job's tag.
    function _listIndex(Job storage job, uint256 index) private view returns (uint256) {
        if (job.state == State.None || job.state == State.Seeding) revert WrongState(job.state);
        if (index >= job.sellers) revert NoSuchSeller(index);
        // More candidates than a sample can name: the seed picks, so that crowding a tag early gains nothing.
        return job.listed > Bounds.MAX_SELLERS ? Sortition.permute(index, job.listed, job.sampleSeed) : index;
    }

    function _startJudging(uint256 jobId, Job storage job, FailureReason failure) private {
        job.failure = failure;
        if (_allJudged(jobId, job)) return _end(jobId, job);
        job.state = State.Judging;
        job.deadline = uint64(block.number) + job.rules.judgeBlocks;
        emit JudgingStarted(jobId, job.offences, job.deadline);
    }

    function _allJudged(uint256 jobId, Job storage job) private view returns (bool) {
        return pool.slashedIn(jobId) == job.offences;
    }

    function _closeJudging(uint256 jobId, Job storage job) private {
        if (!_allJudged(jobId, job) && block.number <= job.deadline) revert NotDue();
        _end(jobId, job);
    }

    function _end(uint256 jobId, Job storage job) private {
        bool failed = job.failure != FailureReason.None;
        job.state = failed ? State.Failed : State.Settled;
        if (failed) emit JobFailed(jobId, job.acceptedRounds, job.failure);
        else emit JobSettled(jobId, job.acceptedRounds, job.targetReached);
        pool.releasePool(jobId);
        escrow.settle(
            jobId,
            IEscrow.Settlement({
                buyer: job.buyer,
                // A finished job has earned its whole price, also when the target came early.
                earnedRounds: failed ? job.acceptedRounds : job.rules.rounds,
                totalRounds: job.rules.rounds,
                rightVotes: job.rightVotes,
                contributionsRoot: job.contributionsRoot
            })
        );
    }
}
