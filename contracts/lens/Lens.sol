// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConePool} from "../interfaces/IConePool.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {ILens} from "../interfaces/ILens.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {UNBONDING_BLOCKS} from "../lib/Limits.sol";
import {Turnout} from "../yoda/Turnout.sol";

/// @title Lens
contract Lens is ILens {
    using Turnout for uint256;

    IJobs public immutable jobs;
    IConePool public immutable pool;
    IYoda public immutable yoda;
    IEscrow public immutable escrow;

    constructor(IJobs jobs_) {
        jobs = jobs_;
        pool = jobs_.pool();
        yoda = jobs_.yoda();
        escrow = jobs_.escrow();
    }

    /// @inheritdoc ILens
    function jobOf(uint256 jobId) external view returns (JobView memory found) {
        found.job = jobs.jobOf(jobId);
        found.poll = yoda.pollOf(jobId);
        found.miniRound = yoda.miniRoundOf(jobId, found.poll.round, found.poll.miniRound);
        found.frozen = yoda.frozenOf(jobId);
        found.verdict = yoda.verdictOf(jobId, found.job.round);
        found.pots = escrow.potsOf(jobId);
        found.slashed = pool.slashedIn(jobId);
        found.due = jobs.isDue(jobId);
    }

    /// @inheritdoc ILens
    function dutiesOf(address node, uint256 fromJob, uint256 limit)
        external
        view
        returns (Duty[] memory duties, uint256 nextJob)
    {
        duties = new Duty[](limit);
        uint256 found = 0;
        nextJob = fromJob == 0 ? pool.oldestJob() : fromJob;
        for (uint256 i = 0; i < limit && nextJob != 0; ++i) {
            (bool any, Duty memory duty) = _dutyIn(nextJob, node);
            if (any) duties[found++] = duty;
            nextJob = pool.jobAfter(nextJob);
        }
        assembly ("memory-safe") {
            mstore(duties, found) // shortens the array
        }
    }

    /// @inheritdoc ILens
    function holdingsOf(address account, address[] calldata tokens) external view returns (Holdings memory found) {
        found.credits = new uint256[](tokens.length);
        for (uint256 i = 0; i < tokens.length; ++i) {
            found.credits[i] = escrow.credit(tokens[i], account);
        }
        IConePool.Node memory node = pool.nodeOf(account);
        found.stake = node.stake;
        bool unbonded = node.exitBlock != 0 && block.number >= node.exitBlock + UNBONDING_BLOCKS;
        found.stakeIsFree = unbonded && !pool.isFrozen(node.exitBlock);
    }

    /* INTERNAL */

    function _dutyIn(uint256 jobId, address node) private view returns (bool any, Duty memory duty) {
        (bool seated, uint256 seat) = _seatOf(jobId, node);
        if (!seated) return (false, duty);
        duty.jobId = jobId;
        duty.seat = seat;
        IJobs.Job memory job = jobs.jobOf(jobId);
        if (jobs.isDue(jobId)) {
            duty.task = Task.Advance;
            return (true, duty);
        }
        if (job.state == IJobs.State.Opening) {
            (duty.task, duty.deadline) = (Task.Open, job.deadline);
            return (true, duty);
        }
        return (job.state == IJobs.State.Deciding && _voteIsDue(jobId, duty), duty);
    }

    function _voteIsDue(uint256 jobId, Duty memory duty) private view returns (bool asked) {
        (asked, duty.position) = yoda.positionOf(jobId, duty.seat);
        if (!asked) return false;
        IYoda.Poll memory poll = yoda.pollOf(jobId);
        uint256 turnout = yoda.miniRoundOf(jobId, poll.round, poll.miniRound).turnout;
        if (!turnout.hasCommitted(duty.position)) {
            (duty.task, duty.deadline) = (Task.Commit, poll.commitDeadline);
            return yoda.isCommitting(jobId);
        }
        (duty.task, duty.deadline) = (Task.Reveal, poll.revealDeadline);
        return yoda.isRevealing(jobId) && !turnout.hasRevealed(duty.position);
    }

    function _seatOf(uint256 jobId, address node) private view returns (bool, uint256 seat) {
        IYoda.Frozen memory frozen = yoda.frozenOf(jobId);
        seat = pool.nodeOf(node).seat;
        if (pool.holds(node, seat, frozen.freezeBlock)) return (true, seat);
        for (seat = 0; seat < frozen.seats; ++seat) {
            if (pool.nodeAt(seat, frozen.freezeBlock) == node) return (true, seat);
        }
        return (false, 0);
    }
}
