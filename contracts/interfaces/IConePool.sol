// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IYoda} from "./IYoda.sol";

/// @title The staked pool of CONE nodes (Compute Network for Execution)
/// @notice One stake unit is one seat, and one seat is one address: who stakes twice as much runs two addresses and is
/// drawn twice as often. A job freezes the seats as they stood one block earlier; leaving later changes no draw, and the
/// stake stays until a day has passed and every job that froze it has ended, however long that job is.
/// A node that is slashed holds less than a unit and loses its seat, for jobs to come, until it tops its stake up.
interface IConePool {
    struct Node {
        /// @dev Wei held for the node.
        uint128 stake;
        /// @dev Where the node sits, and since the end of which block, while it is seated.
        uint16 seat;
        uint40 since;
        /// @dev Block of the exit, 0 while seated.
        uint40 exitBlock;
        bytes32 publicKey;
    }

    /// @notice Where a node failed: its seat at the freeze, and the mini-round.
    struct Offence {
        uint16 round;
        uint16 miniRound;
        uint16 seat;
    }

    /// @notice `node` took a seat. `stake` is what it holds, always one unit.
    event NodeJoined(address indexed node, bytes32 publicKey, uint256 stake);
    /// @notice `node` gave up or lost its seat and may withdraw from `unlockBlock` on, unless a job that froze it still runs.
    event NodeLeft(address indexed node, uint256 unlockBlock);
    /// @notice `node` withdrew its stake.
    event StakeWithdrawn(address indexed node, address indexed to, uint256 amount);
    /// @notice `node` lost `amount` wei of its stake to those who were right in the job.
    event NodeSlashed(
        uint256 indexed jobId,
        address indexed node,
        uint16 round,
        uint16 miniRound,
        IYoda.Conduct conduct,
        uint256 amount
    );
    /// @notice Job `jobId` froze the pool of `seats` seats as it stood at the end of `freezeBlock`.
    event PoolFrozen(uint256 indexed jobId, uint256 freezeBlock, uint256 seats);
    /// @notice Job `jobId` has ended and holds no stake any more.
    event PoolReleased(uint256 indexed jobId);

    /// @notice Only the job contract may freeze and release.
    error OnlyJobs();
    /// @notice The stake unit must be at least `MIN_STAKE_UNIT` and fit 128 bits.
    error BadStakeUnit();
    /// @notice A seat costs exactly one stake unit, of which the caller still has to bring `required` wei.
    error WrongStake(uint256 required);
    /// @notice All seats are taken.
    error PoolFull();
    /// @notice The caller has a seat already.
    error AlreadySeated();
    /// @notice The caller has no seat.
    error NotSeated();
    /// @notice The caller is not leaving.
    error NotLeaving();
    /// @notice The stake is bound until `unlockBlock` and until the jobs that froze it have ended.
    error StakeBound(uint256 unlockBlock);
    /// @notice Without a public key nothing can be wrapped for the node.
    error MissingPublicKey();
    /// @notice The job does not run, so nobody can be slashed for it.
    error NotRunning();
    /// @notice The node did nothing wrong there, or it cannot be told yet.
    error NoOffence(uint256 seat, IYoda.Conduct conduct);
    /// @notice The receiver refused the stake; name another.
    error PaymentRefused(address to);

    /// @notice Takes a seat. The value sent tops up what the pool holds of the caller's to exactly `stakeUnit` wei.
    /// @param publicKey X25519 key of the node.
    function join(bytes32 publicKey) external payable;

    /// @notice Gives up the caller's seat: no later job can draw it.
    function leave() external;

    /// @notice Sends the stake of a caller that has left to `to`, once nothing binds it.
    function withdrawStake(address payable to) external;

    /// @notice Slashes nodes for what they did in opened rounds of a running job. Anyone; the stake goes to the nodes that
    /// were right. Offences that were punished before are passed over.
    function slash(uint256 jobId, Offence[] calldata offences) external;

    /// @notice Freezes the pool for a job. Only the job contract.
    /// @return freezeBlock The block at whose end the frozen seats are read.
    /// @return seats How many there are.
    function freezePool(uint256 jobId) external returns (uint256 freezeBlock, uint256 seats);

    /// @notice Lets go of the stakes that a job froze. Only the job contract.
    function releasePool(uint256 jobId) external;

    /// @notice Wei that one seat costs.
    function stakeUnit() external view returns (uint256);

    /// @notice What is known of a node.
    function nodeOf(address node) external view returns (Node memory);

    /// @notice Seats taken at the end of `blockNumber`.
    function seatsAt(uint256 blockNumber) external view returns (uint256);

    /// @notice The node on `seat` at the end of `blockNumber`, or zero.
    function nodeAt(uint256 seat, uint256 blockNumber) external view returns (address);

    /// @notice Whether `node` sat on `seat` at the end of `blockNumber`: `nodeAt` at a fraction of its gas, most times.
    function holds(address node, uint256 seat, uint256 blockNumber) external view returns (bool);

    /// @notice Wei that conduct costs a node of a full stake; 0 for conduct that is no offence.
    function penaltyOf(IYoda.Conduct conduct) external view returns (uint256);

    /// @notice Offences punished so far in a job.
    function slashedIn(uint256 jobId) external view returns (uint256);

    /// @notice Whether the offence has been punished already.
    function isSlashed(uint256 jobId, Offence calldata offence) external view returns (bool);

    /// @notice True when a running job may have frozen the stake of a node that left at `exitBlock`.
    function isFrozen(uint256 exitBlock) external view returns (bool);

    /// @notice The running job that froze the pool first, 0 when none runs.
    function oldestJob() external view returns (uint256);

    /// @notice The running job that froze the pool next after a running job, 0 after the last.
    function jobAfter(uint256 jobId) external view returns (uint256);
}
