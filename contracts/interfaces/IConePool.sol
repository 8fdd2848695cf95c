// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The staked pool of CONE nodes (Compute Network for Execution)
/// @notice One stake unit is one seat, and one seat is one address: who stakes twice as much runs two addresses and is
/// drawn twice as often. A job freezes the seats as they stood one block earlier; leaving later changes no draw, and the
/// stake stays until every job that froze it has ended.
interface IConePool {
    struct Node {
        /// @dev Wei held for the node.
        uint128 stake;
        /// @dev Block of the exit, 0 while seated.
        uint64 exitBlock;
        bytes32 publicKey;
    }

    /// @notice `node` took a seat.
    event NodeJoined(address indexed node, bytes32 publicKey, uint256 stake);
    /// @notice `node` gave up its seat and may withdraw from `unlockBlock` on, unless a job that froze it still runs.
    event NodeLeft(address indexed node, uint256 unlockBlock);
    /// @notice `node` withdrew its stake.
    event StakeWithdrawn(address indexed node, address indexed to, uint256 amount);
    /// @notice Job `jobId` froze the pool of `seats` seats as it stood at the end of `freezeBlock`.
    event PoolFrozen(uint256 indexed jobId, uint256 freezeBlock, uint256 seats);
    /// @notice Job `jobId` has ended and holds no stake any more.
    event PoolReleased(uint256 indexed jobId);

    /// @notice Only the job contract may freeze and release.
    error OnlyJobs();
    /// @notice The stake unit must be above 0 and fit 128 bits.
    error BadStakeUnit();
    /// @notice A seat costs exactly one stake unit.
    error WrongStake(uint256 required);
    /// @notice All seats are taken.
    error PoolFull();
    /// @notice The caller has a seat or an unbonding stake already.
    error AlreadyStaked();
    /// @notice The caller has no seat.
    error NotSeated();
    /// @notice The caller is not leaving.
    error NotLeaving();
    /// @notice The stake is bound until `unlockBlock` and until the jobs that froze it have ended.
    error StakeBound(uint256 unlockBlock);
    /// @notice Without a public key nothing can be wrapped for the node.
    error MissingPublicKey();
    /// @notice The receiver refused the stake; name another.
    error PaymentRefused(address to);

    /// @notice Takes a seat for exactly `stakeUnit` wei.
    /// @param publicKey X25519 key of the node.
    function join(bytes32 publicKey) external payable;

    /// @notice Gives up the caller's seat: no later job can draw it.
    function leave() external;

    /// @notice Sends the stake of a caller that has left to `to`, once nothing binds it.
    function withdrawStake(address payable to) external;

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

    /// @notice True when a running job may have frozen the stake of a node that left at `exitBlock`.
    function isFrozen(uint256 exitBlock) external view returns (bool);
}
