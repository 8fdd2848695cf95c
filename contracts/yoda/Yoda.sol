// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConePool} from "../interfaces/IConePool.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {Rules} from "../interfaces/Types.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {BPS} from "../lib/Limits.sol";
import {Likelihood} from "./Likelihood.sol";
import {Sortition} from "./Sortition.sol";

/// @title Modified YODA
contract Yoda is IYoda {
    /// @notice Separates vote commitments from every other hash.
    bytes32 public constant DOMAIN = keccak256("D2M vote v1");

    /// @notice Draws of one round before it is given up: the first and one redraw.
    uint8 public constant MAX_DRAWS = 2;

    /// @dev The lowest bit of a stored vote: 0 in a commitment, 1 once revealed, so that neither passes for the other.
    bytes32 private constant REVEALED_BIT = bytes32(uint256(1));

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;
    IConePool public immutable pool;
    IRandomness public immutable randomness;

    mapping(uint256 jobId => Frozen) private _frozen;
    mapping(uint256 jobId => Poll) private _polls;
    mapping(uint256 jobId => mapping(uint32 round => Verdict)) private _verdicts;
    mapping(uint256 jobId => mapping(uint32 round => bytes32)) private _roundSeeds;
    /// @dev A node's commitment, then the hash of its revealed vote. By hash of job, round, mini-round, node.
    mapping(bytes32 key => bytes32) private _votes;
    /// @dev Votes for a result word. By hash of job, round, draw, result.
    mapping(bytes32 key => uint256) private _tallies;

    constructor(address jobs_, IConePool pool_, IRandomness randomness_) {
        jobs = jobs_;
        pool = pool_;
        randomness = randomness_;
    }

    modifier onlyJobs() {
        if (msg.sender != jobs) revert OnlyJobs();
        _;
    }

    /* LIFE CYCLE, DRIVEN BY THE JOB CONTRACT */

    /// @inheritdoc IYoda
    function freezeRules(uint256 jobId, Rules calldata rules, uint256 freezeBlock, uint256 seats) external onlyJobs {
        _frozen[jobId] = Frozen({
            freezeBlock: uint64(freezeBlock),
            seats: uint16(seats),
            byzantine: uint16((seats * rules.byzantineBps) / BPS),
            base: rules.base,
            commitBlocks: rules.commitBlocks,
            revealBlocks: rules.revealBlocks,
            threshold: int128(Likelihood.threshold(rules.errorPpm))
        });
    }

    /// @inheritdoc IYoda
    function begin(uint256 jobId, uint32 round) external onlyJobs {
        delete _polls[jobId];
        Poll storage poll = _polls[jobId];
        poll.round = round;
        poll.draw = 1;
        poll.firstMiniRound = 1;
        _schedule(jobId, poll, 1);
    }

    /// @inheritdoc IYoda
    function advance(uint256 jobId) external onlyJobs returns (Phase) {
        Poll storage poll = _polls[jobId];
        if (poll.phase == Phase.Seeding) _openMiniRound(jobId, poll);
        else if (poll.phase == Phase.Voting) _endMiniRound(jobId, poll);
        else revert NotDue();
        return poll.phase;
    }

    /* VOTES */

    /// @inheritdoc IYoda
    function commit(uint256 jobId, uint256 seat, bytes32 commitment) external {
        Poll storage poll = _polls[jobId];
        if (!_isCommitting(poll)) revert NotCommitting();
        commitment = _committedWord(commitment);
        if (commitment == 0) revert EmptyCommitment();
        Frozen storage frozen = _frozen[jobId];
        if (pool.nodeAt(seat, frozen.freezeBlock) != msg.sender) revert NotYourSeat(seat);
        if (!_isInSet(poll, frozen.seats, seat)) revert NotAsked(seat);
        bytes32 key = _voteKey(jobId, poll.round, poll.miniRound, msg.sender);
        if (_votes[key] != 0) revert AlreadyCommitted();
        _votes[key] = commitment;
        poll.committed += 1;
        // The windows do not overlap: the last commitment closes this one and starts the other.
        if (_allCommitted(poll)) poll.revealDeadline = uint64(block.number) + frozen.revealBlocks;
        emit Committed(jobId, poll.round, poll.miniRound, msg.sender);
    }

    /// @inheritdoc IYoda
    function reveal(uint256 jobId, bytes32 result, bytes32 audit, bytes32 salt) external {
        Poll storage poll = _polls[jobId];
        if (!_isRevealing(poll)) revert NotRevealing();
        (uint32 round, uint16 miniRound) = (poll.round, poll.miniRound);
        bytes32 key = _voteKey(jobId, round, miniRound, msg.sender);
        bytes32 commitment = commitmentOf(msg.sender, jobId, round, miniRound, result, audit, salt);
        if (_votes[key] != _committedWord(commitment)) revert CommitmentMismatch();
        _votes[key] = _revealedWord(result, audit);
        poll.revealed += 1;
        poll.votes += 1;
        _count(poll, jobId, result);
        emit Revealed(jobId, round, miniRound, msg.sender, result, audit);
    }

    /* VIEWS */

    /// @inheritdoc IYoda
    function commitmentOf(
        address sender,
        uint256 jobId,
        uint32 round,
        uint16 miniRound,
        bytes32 result,
        bytes32 audit,
        bytes32 salt
    ) public view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN, block.chainid, address(this), sender, jobId, round, miniRound, result, audit, salt)
        );
    }

    /// @inheritdoc IYoda
    function isAsked(uint256 jobId, uint256 seat) external view returns (bool) {
        Poll storage poll = _polls[jobId];
        uint256 seats = _frozen[jobId].seats;
        return poll.phase == Phase.Voting && seat < seats && _isInSet(poll, seats, seat);
    }

    /// @inheritdoc IYoda
    function isCommitting(uint256 jobId) external view returns (bool) {
        return _isCommitting(_polls[jobId]);
    }

    /// @inheritdoc IYoda
    function isRevealing(uint256 jobId) external view returns (bool) {
        return _isRevealing(_polls[jobId]);
    }

    /// @inheritdoc IYoda
    function isDue(uint256 jobId) external view returns (bool) {
        Poll storage poll = _polls[jobId];
        if (poll.phase == Phase.Seeding) return block.number > poll.seedBlock;
        return poll.phase == Phase.Voting && _isOver(poll);
    }

    /// @inheritdoc IYoda
    function wasRight(uint256 jobId, uint32 round, uint16 miniRound, address node, bytes32 audit)
        external
        view
        returns (bool)
    {
        Verdict storage verdict = _verdicts[jobId][round];
        if (miniRound < verdict.firstMiniRound || miniRound > verdict.lastMiniRound) return false;
        return _votes[_voteKey(jobId, round, miniRound, node)] == _revealedWord(verdict.digest, audit);
    }

    /// @inheritdoc IYoda
    function voteOf(uint256 jobId, uint32 round, uint16 miniRound, address node) external view returns (bytes32) {
        return _votes[_voteKey(jobId, round, miniRound, node)];
    }

    /// @inheritdoc IYoda
    function pollOf(uint256 jobId) external view returns (Poll memory) {
        return _polls[jobId];
    }

    /// @inheritdoc IYoda
    function frozenOf(uint256 jobId) external view returns (Frozen memory) {
        return _frozen[jobId];
    }

    /// @inheritdoc IYoda
    function verdictOf(uint256 jobId, uint32 round) external view returns (Verdict memory) {
        return _verdicts[jobId][round];
    }

    /// @inheritdoc IYoda
    function roundSeedOf(uint256 jobId, uint32 round) external view returns (bytes32) {
        return _roundSeeds[jobId][round];
    }

    /// @inheritdoc IYoda
    function votesFor(uint256 jobId, uint32 round, uint8 draw, bytes32 result) external view returns (uint256) {
        return _tallies[_tallyKey(jobId, round, draw, result)];
    }

    /* MINI-ROUNDS */

    function _schedule(uint256 jobId, Poll storage poll, uint16 miniRound) private {
        poll.miniRound = miniRound;
        poll.phase = Phase.Seeding;
        // The next block: nobody knows its hash while the set is being fixed in this one.
        poll.seedBlock = uint64(block.number) + 1;
        emit MiniRoundScheduled(jobId, poll.round, miniRound, poll.seedBlock);
    }

    function _openMiniRound(uint256 jobId, Poll storage poll) private {
        (uint32 round, uint16 miniRound) = (poll.round, poll.miniRound);
        (bytes32 seed, bool expired) = randomness.read(poll.seedBlock, keccak256(abi.encode(jobId, round, miniRound)));
        if (expired) return _schedule(jobId, poll, miniRound);
        if (seed == 0) revert NotDue();

        bool firstOfDraw = miniRound == poll.firstMiniRound;
        if (firstOfDraw) poll.drawSeed = seed;
        if (miniRound == 1) _roundSeeds[jobId][round] = seed;
        Frozen storage frozen = _frozen[jobId];
        poll.miniRoundSeed = seed;
        poll.phase = Phase.Voting;
        poll.committed = 0;
        poll.revealed = 0;
        poll.askedBefore = poll.asked;
        poll.asked = _askedAfter(poll.asked, frozen.base, miniRound - poll.firstMiniRound, frozen.seats);
        poll.commitDeadline = uint64(block.number) + frozen.commitBlocks;
        poll.revealDeadline = poll.commitDeadline + frozen.revealBlocks;
        emit MiniRoundOpened(
            jobId, round, miniRound, poll.askedBefore, poll.asked, poll.drawSeed, seed, poll.commitDeadline
        );
    }

    /// @dev base + 2^(i-1) further nodes in mini-round i of a draw (`earlier` = i - 1), at most the whole pool. The pool
    /// has at most 1024 seats, so `earlier` stays below 11.
    function _askedAfter(uint16 asked, uint16 base, uint16 earlier, uint16 seats) private pure returns (uint16) {
        uint256 total = uint256(asked) + base + (uint256(1) << earlier);
        return total < seats ? uint16(total) : seats;
    }

    function _endMiniRound(uint256 jobId, Poll storage poll) private {
        if (!_isOver(poll)) revert NotDue();
        if (_tally(jobId, poll)) return _accept(jobId, poll);
        uint16 next = poll.miniRound + 1;
        if (poll.asked < _frozen[jobId].seats) return _schedule(jobId, poll, next);
        if (poll.draw == MAX_DRAWS) {
            poll.phase = Phase.Undecided;
            return;
        }
        _redraw(poll, next);
        _schedule(jobId, poll, next);
    }

    function _tally(uint256 jobId, Poll storage poll) private returns (bool) {
        Frozen storage frozen = _frozen[jobId];
        uint256 byzantine = frozen.byzantine;
        Tally memory tally;
        tally.leader = poll.leader;
        tally.leaderVotes = poll.leaderVotes;
        tally.runnerUpVotes = poll.runnerUpVotes;
        tally.votes = poll.votes;
        tally.threshold = frozen.threshold;
        (uint256 votes, uint256 leader, uint256 runnerUp) = (tally.votes, tally.leaderVotes, tally.runnerUpVotes);
        tally.certain = Likelihood.isCertain(byzantine, votes, leader, runnerUp);
        tally.score = tally.certain
            ? type(int256).max
            : Likelihood.score(frozen.seats - byzantine, byzantine, votes, leader, runnerUp);
        tally.accepted = tally.score >= tally.threshold;
        emit Tallied(jobId, poll.round, poll.miniRound, tally);
        return tally.accepted;
    }

    function _accept(uint256 jobId, Poll storage poll) private {
        poll.phase = Phase.Accepted;
        _verdicts[jobId][poll.round] = Verdict({
            digest: poll.leader,
            firstMiniRound: poll.firstMiniRound,
            lastMiniRound: poll.miniRound,
            rightVotes: poll.leaderVotes
        });
    }

    function _redraw(Poll storage poll, uint16 firstMiniRound) private {
        poll.draw += 1;
        poll.firstMiniRound = firstMiniRound;
        poll.asked = 0;
        poll.votes = 0;
        poll.leaderVotes = 0;
        poll.runnerUpVotes = 0;
        poll.leader = 0;
    }

    /* INTERNAL */

    /// @dev Keeps the two largest tallies, all that the likelihood test needs. A digest that overtakes the leader was
    /// level with it before, so the runner-up's count is the overtaken leader's already.
    function _count(Poll storage poll, uint256 jobId, bytes32 result) private {
        bytes32 key = _tallyKey(jobId, poll.round, poll.draw, result);
        uint256 count = _tallies[key] + 1;
        _tallies[key] = count;
        if (result == poll.leader) {
            poll.leaderVotes = uint16(count);
        } else if (count > poll.leaderVotes) {
            poll.leaderVotes = uint16(count);
            poll.leader = result;
        } else if (count > poll.runnerUpVotes) {
            poll.runnerUpVotes = uint16(count);
        }
    }

    function _allCommitted(Poll storage poll) private view returns (bool) {
        return poll.committed == poll.asked - poll.askedBefore;
    }

    /// @dev Both windows of the mini-round have passed, or everybody has acted.
    function _isOver(Poll storage poll) private view returns (bool) {
        if (!_allCommitted(poll) && block.number <= poll.commitDeadline) return false;
        return poll.revealed == poll.committed || block.number > poll.revealDeadline;
    }

    function _isCommitting(Poll storage poll) private view returns (bool) {
        return poll.phase == Phase.Voting && block.number <= poll.commitDeadline && !_allCommitted(poll);
    }

    function _isRevealing(Poll storage poll) private view returns (bool) {
        if (poll.phase != Phase.Voting || block.number > poll.revealDeadline) return false;
        return _allCommitted(poll) || block.number > poll.commitDeadline;
    }

    function _isInSet(Poll storage poll, uint256 seats, uint256 seat) private view returns (bool) {
        uint256 rank = Sortition.permute(seat, seats, poll.drawSeed);
        return poll.askedBefore <= rank && rank < poll.asked;
    }

    function _committedWord(bytes32 commitment) private pure returns (bytes32) {
        return commitment & ~REVEALED_BIT;
    }

    function _revealedWord(bytes32 result, bytes32 audit) private pure returns (bytes32) {
        return keccak256(abi.encode(result, audit)) | REVEALED_BIT;
    }

    function _voteKey(uint256 jobId, uint32 round, uint16 miniRound, address node) private pure returns (bytes32) {
        return keccak256(abi.encode(jobId, round, miniRound, node));
    }

    function _tallyKey(uint256 jobId, uint32 round, uint8 draw, bytes32 result) private pure returns (bytes32) {
        return keccak256(abi.encode(jobId, round, draw, result));
    }
}
