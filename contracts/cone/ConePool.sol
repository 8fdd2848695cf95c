// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConePool} from "../interfaces/IConePool.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {HistoricalList} from "../lib/HistoricalList.sol";
import {BPS, UNBONDING_BLOCKS} from "../lib/Limits.sol";

/// @title CONE stake pool
contract ConePool is IConePool {
    using HistoricalList for HistoricalList.List;

    /// @notice Seats in the pool. Bounds the work of a redraw and of the likelihood score.
    uint256 public constant MAX_SEATS = 1024;

    /// @notice So that no penalty is rounded to nothing.
    uint256 public constant MIN_STAKE_UNIT = BPS;

    /// @notice Voting for a result that lost, in basis points of the stake unit: an attack, or a machine that is not fit
    /// to vote.
    uint256 public constant LOST_RESULT_BPS = 5000;
    /// @notice Voting for the accepted result without having computed it.
    uint256 public constant WRONG_AUDIT_BPS = 2500;
    /// @notice Being asked and not revealing. Honest nodes fail so too, and cost the others a window.
    uint256 public constant SILENCE_BPS = 200;

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

    /// @inheritdoc IConePool
    mapping(uint256 jobId => uint256) public slashedIn;

    mapping(address node => Node) private _nodes;
    HistoricalList.List private _seats;
    mapping(uint256 jobId => Freeze) private _freezes;
    uint96 private _oldest;
    uint96 private _newest;
    /// @dev Bit m of a word: punished for mini-round m. By hash of job, round, seat.
    mapping(bytes32 key => uint256) private _punished;

    constructor(address jobs_, uint256 stakeUnit_) {
        if (stakeUnit_ < MIN_STAKE_UNIT || stakeUnit_ > type(uint128).max) revert BadStakeUnit();
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
        if (publicKey == 0) revert MissingPublicKey();
        if (_seats.contains(uint160(msg.sender))) revert AlreadySeated();
        if (_seats.count() == MAX_SEATS) revert PoolFull();
        Node storage node = _nodes[msg.sender];
        uint256 required = stakeUnit - node.stake;
        if (msg.value != required) revert WrongStake(required);
        node.stake = uint128(stakeUnit);
        node.exitBlock = 0;
        node.publicKey = publicKey;
        _sit(node, _seats.add(uint160(msg.sender)));
        emit NodeJoined(msg.sender, publicKey, stakeUnit);
    }

    /// @inheritdoc IConePool
    function leave() external {
        if (!_seats.contains(uint160(msg.sender))) revert NotSeated();
        _unseat(msg.sender);
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

    /* SLASHING */

    /// @inheritdoc IConePool
    function slash(uint256 jobId, Offence[] calldata offences) external {
        uint256 freezeBlock = _freezes[jobId].freezeBlock;
        if (freezeBlock == 0) revert NotRunning();
        uint256 taken = 0;
        for (uint256 i = 0; i < offences.length; ++i) {
            taken += _slash(jobId, offences[i], freezeBlock);
        }
        IJobs(jobs).escrow().addSlashed{value: taken}(jobId);
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
    function nodeAt(uint256 seat, uint256 blockNumber) public view returns (address) {
        return address(_seats.at(seat, blockNumber));
    }

    /// @inheritdoc IConePool
    function holds(address node, uint256 seat, uint256 blockNumber) external view returns (bool) {
        Node storage found = _nodes[node];
        // One read, of one word, in place of the seat's history: nobody has moved the node since.
        (uint256 stake, uint256 at, uint256 since, uint256 exitBlock) =
            (found.stake, found.seat, found.since, found.exitBlock);
        if (stake != 0 && exitBlock == 0 && at == seat && since <= blockNumber) return true;
        return node != address(0) && nodeAt(seat, blockNumber) == node;
    }

    /// @inheritdoc IConePool
    function penaltyOf(IYoda.Conduct conduct) public view returns (uint256) {
        if (conduct == IYoda.Conduct.LostResult) return stakeUnit * LOST_RESULT_BPS / BPS;
        if (conduct == IYoda.Conduct.WrongAudit) return stakeUnit * WRONG_AUDIT_BPS / BPS;
        if (conduct == IYoda.Conduct.Silent) return stakeUnit * SILENCE_BPS / BPS;
        return 0;
    }

    /// @inheritdoc IConePool
    function isSlashed(uint256 jobId, Offence calldata offence) external view returns (bool) {
        return _punished[_offenceKey(jobId, offence)] >> offence.miniRound & 1 == 1;
    }

    /// @inheritdoc IConePool
    /// @dev Jobs freeze in ascending blocks, so the oldest running one decides.
    function isFrozen(uint256 exitBlock) public view returns (bool) {
        return _oldest != 0 && _freezes[_oldest].freezeBlock < exitBlock;
    }

    /// @inheritdoc IConePool
    function oldestJob() external view returns (uint256) {
        return _oldest;
    }

    /// @inheritdoc IConePool
    function jobAfter(uint256 jobId) external view returns (uint256) {
        return _freezes[jobId].next;
    }

    /* INTERNAL */

    /// @return amount Wei taken from the node, nothing when it was punished before or has nothing left.
    function _slash(uint256 jobId, Offence calldata offence, uint256 freezeBlock) private returns (uint256 amount) {
        IYoda.Conduct conduct = IJobs(jobs).yoda().conductOf(jobId, offence.round, offence.miniRound, offence.seat);
        uint256 penalty = penaltyOf(conduct);
        if (penalty == 0) revert NoOffence(offence.seat, conduct);
        bytes32 key = _offenceKey(jobId, offence);
        uint256 bit = uint256(1) << offence.miniRound;
        if (_punished[key] & bit != 0) return 0;
        _punished[key] |= bit;
        slashedIn[jobId] += 1;

        address account = nodeAt(offence.seat, freezeBlock);
        Node storage node = _nodes[account];
        amount = penalty < node.stake ? penalty : node.stake;
        node.stake -= uint128(amount);
        emit NodeSlashed(jobId, account, offence.round, offence.miniRound, conduct, amount);
        if (_seats.contains(uint160(account))) _unseat(account);
    }

    function _sit(Node storage node, uint256 seat) private {
        node.seat = uint16(seat);
        node.since = uint40(block.number);
    }

    function _unseat(address node) private {
        (uint160 moved, uint256 seat) = _seats.remove(uint160(node));
        if (moved != 0) _sit(_nodes[address(moved)], seat);
        _nodes[node].exitBlock = uint40(block.number);
        emit NodeLeft(node, block.number + UNBONDING_BLOCKS);
    }

    function _offenceKey(uint256 jobId, Offence calldata offence) private pure returns (bytes32) {
        return keccak256(abi.encode(jobId, offence.round, offence.seat));
    }
}
