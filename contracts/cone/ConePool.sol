// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConePool} from "../interfaces/IConePool.sol";
import {HistoricalList} from "../lib/HistoricalList.sol";

/// @title CONE stake pool
contract ConePool is IConePool {
    using HistoricalList for HistoricalList.List;

    /// @notice Seats in the pool. Bounds the work of a redraw and of the likelihood score.
    uint256 public constant MAX_SEATS = 1024;

    /// @notice Blocks between leaving and withdrawing: a day of 12 s blocks, for others to notice.
    uint256 public constant UNBONDING_BLOCKS = 7200;

    /// @dev A running job, in a list ordered by the block of its freeze.
    struct Freeze {
        uint64 freezeBlock;
        uint96 previous;
        uint96 next;
    }

    /// @inheritdoc IConePool
    uint256 public immutable stakeUnit;

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;

    mapping(address node => Node) private _nodes;
    HistoricalList.List private _seats;
    mapping(uint256 jobId => Freeze) private _freezes;
    uint96 private _oldest;
    uint96 private _newest;

    constructor(address jobs_, uint256 stakeUnit_) {
        if (stakeUnit_ == 0 || stakeUnit_ > type(uint128).max) revert BadStakeUnit();
        jobs = jobs_;
        stakeUnit = stakeUnit_;
    }

    modifier onlyJobs() {
        if (msg.sender != jobs) revert OnlyJobs();
        _;
    }

    /* NODES */

    /// @inheritdoc IConePool
    function join(bytes32 publicKey) external payable {
        if (msg.value != stakeUnit) revert WrongStake(stakeUnit);
        if (publicKey == 0) revert MissingPublicKey();
        if (_nodes[msg.sender].stake != 0) revert AlreadyStaked();
        if (_seats.count() == MAX_SEATS) revert PoolFull();
        _nodes[msg.sender] = Node({stake: uint128(msg.value), exitBlock: 0, publicKey: publicKey});
        _seats.add(msg.sender);
        emit NodeJoined(msg.sender, publicKey, msg.value);
    }

    /// @inheritdoc IConePool
    function leave() external {
        if (!_seats.contains(msg.sender)) revert NotSeated();
        _seats.remove(msg.sender);
        _nodes[msg.sender].exitBlock = uint64(block.number);
        emit NodeLeft(msg.sender, block.number + UNBONDING_BLOCKS);
    }

    /// @inheritdoc IConePool
    function withdrawStake(address payable to) external {
        Node memory node = _nodes[msg.sender];
        if (node.exitBlock == 0) revert NotLeaving();
        uint256 unlockBlock = node.exitBlock + UNBONDING_BLOCKS;
        if (block.number < unlockBlock || isFrozen(node.exitBlock)) revert StakeBound(unlockBlock);
        delete _nodes[msg.sender];
        emit StakeWithdrawn(msg.sender, to, node.stake);
        (bool paid,) = to.call{value: node.stake}("");
        if (!paid) revert PaymentRefused(to);
    }

    /* JOBS */

    /// @inheritdoc IConePool
    function freezePool(uint256 jobId) external onlyJobs returns (uint256 freezeBlock, uint256 seats) {
        // The end of the block before: joining or leaving beside the freeze in one block changes nothing.
        freezeBlock = block.number - 1;
        seats = _seats.countAt(freezeBlock);
        _freezes[jobId] = Freeze({freezeBlock: uint64(freezeBlock), previous: _newest, next: 0});
        if (_newest == 0) _oldest = uint96(jobId);
        else _freezes[_newest].next = uint96(jobId);
        _newest = uint96(jobId);
        emit PoolFrozen(jobId, freezeBlock, seats);
    }

    /// @inheritdoc IConePool
    function releasePool(uint256 jobId) external onlyJobs {
        Freeze memory freeze = _freezes[jobId];
        if (freeze.previous == 0) _oldest = freeze.next;
        else _freezes[freeze.previous].next = freeze.next;
        if (freeze.next == 0) _newest = freeze.previous;
        else _freezes[freeze.next].previous = freeze.previous;
        delete _freezes[jobId];
        emit PoolReleased(jobId);
    }

    /* VIEWS */

    /// @inheritdoc IConePool
    function nodeOf(address node) external view returns (Node memory) {
        return _nodes[node];
    }

    /// @inheritdoc IConePool
    function seatsAt(uint256 blockNumber) external view returns (uint256) {
        return _seats.countAt(blockNumber);
    }

    /// @inheritdoc IConePool
    function nodeAt(uint256 seat, uint256 blockNumber) external view returns (address) {
        return _seats.at(seat, blockNumber);
    }

    /// @inheritdoc IConePool
    /// @dev Jobs freeze in ascending blocks, so the oldest running one decides.
    function isFrozen(uint256 exitBlock) public view returns (bool) {
        return _oldest != 0 && _freezes[_oldest].freezeBlock < exitBlock;
    }
}
