// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEscrow} from "./IEscrow.sol";
import {IJobs} from "./IJobs.sol";
import {IYoda} from "./IYoda.sol";

/// @title What a user wants to know, in one call each
/// @notice Reads only, holds nothing; no other contract depends on it. Ask for the pending block: then the answers hold
/// for a transaction that is sent now.
interface ILens {
    /// @notice Everything the contracts know of a job.
    struct JobView {
        IJobs.Job job;
        /// @dev The vote on the present round, its mini-round and what the job froze.
        IYoda.Poll poll;
        IYoda.MiniRound miniRound;
        IYoda.Frozen frozen;
        /// @dev Of the present round, once a digest is accepted.
        IYoda.Verdict verdict;
        IEscrow.Pots pots;
        /// @dev Offences punished so far.
        uint256 slashed;
        /// @dev Whether `Jobs.advance` would do something.
        bool due;
    }

    enum Task {
        /// @dev `Yoda.commit`.
        Commit,
        /// @dev `Yoda.reveal`.
        Reveal,
        /// @dev `Jobs.open`, by whoever has the result.
        Open,
        /// @dev `Jobs.advance`, by anyone.
        Advance
    }

    struct Duty {
        uint256 jobId;
        Task task;
        /// @dev The node's seat in the job's frozen pool and, for votes, its position in the execution set.
        uint256 seat;
        uint256 position;
        /// @dev Last block for it, 0 where there is none.
        uint256 deadline;
    }

    struct Holdings {
        /// @dev Credits in the escrow, by the tokens asked for.
        uint256[] credits;
        /// @dev Wei staked in the pool, and whether it can be withdrawn now.
        uint256 stake;
        bool stakeIsFree;
    }

    function jobOf(uint256 jobId) external view returns (JobView memory);

    /// @notice What `node` may do now in the running jobs that froze its seat.
    /// @param fromJob 0 for the oldest running job, else `nextJob` of the page before, asked at the same block.
    /// @param limit Most jobs to look at.
    /// @return duties In the order of the jobs, at most one for each.
    /// @return nextJob Where the next page begins, 0 after the last.
    function dutiesOf(address node, uint256 fromJob, uint256 limit)
        external
        view
        returns (Duty[] memory duties, uint256 nextJob);

    /// @notice What `account` owns in the market. `tokens`: zero stands for ether.
    function holdingsOf(address account, address[] calldata tokens) external view returns (Holdings memory);
}
