// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EfficientHashLib} from "solady/src/utils/EfficientHashLib.sol";
import {IConePool} from "../interfaces/IConePool.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {Rules} from "../interfaces/Types.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {BPS} from "../lib/Limits.sol";
import {Commitment} from "./Commitment.sol";
import {ExecutionSets} from "./ExecutionSets.sol";
import {Likelihood} from "./Likelihood.sol";
import {Sortition} from "./Sortition.sol";
import {Turnout} from "./Turnout.sol";

/// @title Modified YODA
contract Yoda is IYoda {
    using Turnout for uint256;

    /// @dev No vote has been revealed in the mini-round. Not 0, so that the first to reveal pays little more than others.
    bytes32 private constant NO_LEAD = bytes32(uint256(1));

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;
    IConePool public immutable pool;
    IRandomness public immutable randomness;

    mapping(uint256 jobId => Frozen) private _frozen;
    mapping(uint256 jobId => Poll) private _polls;
    /// @inheritdoc IYoda
    mapping(uint256 jobId => bytes32) public leaderOf;
    mapping(uint256 jobId => mapping(uint256 round => Verdict)) private _verdicts;
    /// @dev By hash of job, round, mini-round.
    mapping(bytes32 key => MiniRound) private _miniRounds;
    /// @dev A commitment, hashed with the node that made it and the key of the mini-round in which it did. A copy opens for
    /// neither node: not for the one that copied, whose words it does not hold, nor for the other, which did not make it. A
    /// later mini-round writes over it; what nobody has written over opens nothing there, not even a commitment made for
    /// that mini-round early.
    mapping(uint256 jobId => mapping(uint256 position => bytes32)) private _commitments;
    /// @dev The words of a stray, and how many strays have the same. By mini-round key.
    mapping(bytes32 key => mapping(uint256 position => Words)) private _strays;
    mapping(bytes32 key => mapping(bytes32 pair => uint256)) private _strayVotes;
    /// @dev Votes for a result word. By hash of job, round, first mini-round of the draw, result.
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
            freezeBlock: uint40(freezeBlock),
            seats: uint16(seats),
            byzantine: uint16((seats * rules.byzantineBps) / BPS),
            base: rules.base,
            commitBlocks: uint16(rules.commitBlocks),
            revealBlocks: uint16(rules.revealBlocks),
            threshold: int128(Likelihood.threshold(rules.errorPpm))
        });
    }

    /// @inheritdoc IYoda
    function begin(uint256 jobId, uint16 round) external onlyJobs {
        Poll storage poll = _polls[jobId];
        poll.round = round;
        _startDraw(jobId, poll, 1);
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

    /// @inheritdoc IYoda
    function judge(uint256 jobId, uint16 round, bytes32 predictionsHash)
        external
        onlyJobs
        returns (uint256 rightVotes, uint256 offences)
    {
        Verdict storage verdict = _verdicts[jobId][round];
        verdict.predictionsHash = predictionsHash;
        Verdict memory found = verdict;
        Frozen memory frozen = _frozen[jobId];
        for (uint256 i = 1; i <= found.lastMiniRound; ++i) {
            (, uint256 before, uint256 asked) = _range(frozen, found, i);
            uint256 right = _rightVotes(_key(jobId, round, i), found);
            rightVotes += right;
            offences += asked - before - right;
        }
        verdict.rightVotes = uint16(rightVotes);
        verdict.offences = uint16(offences);
        emit Judged(jobId, round, rightVotes, offences);
    }

    /* VOTES */

    /// @inheritdoc IYoda
    function commit(uint256 jobId, uint256 seat, bytes32 commitment) external {
        Poll storage poll = _polls[jobId];
        Poll memory now_ = poll;
        if (!_isCommitting(now_)) revert NotCommitting();
        Frozen memory frozen = _frozen[jobId];
        if (!pool.holds(msg.sender, seat, frozen.freezeBlock)) revert NotYourSeat(seat);
        (bool asked, uint256 position) = _positionOf(now_, frozen.seats, seat, _drawSeed(jobId, now_));
        if (!asked) revert NotAsked(seat);
        bytes32 key = _key(jobId, now_.round, now_.miniRound);
        uint256 turnout = _miniRounds[key].turnout;
        if (turnout.hasCommitted(position)) revert AlreadyCommitted();
        turnout = turnout.withCommitted(position);
        _miniRounds[key].turnout = turnout;
        _commitments[jobId][position] = _madeBy(msg.sender, key, commitment);
        _closeWindowIfFull(poll, now_, turnout, frozen.revealBlocks);
        emit Committed(jobId, msg.sender);
    }

    /// @inheritdoc IYoda
    function reveal(uint256 jobId, uint256 position, bytes32 result, bytes32 audit, bytes32 salt) external {
        Poll memory now_ = _polls[jobId];
        if (!_isRevealing(now_)) revert NotRevealing();
        if (result == 0) revert EmptyResult();
        bytes32 commitment = Commitment.hash(msg.sender, jobId, now_.round, now_.miniRound, result, audit, salt);
        bytes32 key = _key(jobId, now_.round, now_.miniRound);
        if (_commitments[jobId][position] != _madeBy(msg.sender, key, commitment)) revert CommitmentMismatch();
        MiniRound storage mini = _miniRounds[key];
        uint256 turnout = mini.turnout;
        if (turnout.hasRevealed(position)) revert AlreadyRevealed();
        mini.turnout = _record(jobId, key, mini, turnout, position, Words(result, audit));
        emit Revealed(jobId, now_.round, now_.miniRound, msg.sender, result, audit);
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
    ) external view returns (bytes32) {
        return Commitment.hash(sender, jobId, round, miniRound, result, audit, salt);
    }

    /// @inheritdoc IYoda
    function positionOf(uint256 jobId, uint256 seat) external view returns (bool asked, uint256 position) {
        Poll memory now_ = _polls[jobId];
        uint256 seats = _frozen[jobId].seats;
        if (now_.phase != Phase.Voting || seat >= seats) return (false, 0);
        return _positionOf(now_, seats, seat, _drawSeed(jobId, now_));
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
        Poll memory now_ = _polls[jobId];
        if (now_.phase == Phase.Seeding) return block.number > now_.seedBlock;
        return now_.phase == Phase.Voting && _isOver(jobId, now_);
    }

    /// @inheritdoc IYoda
    function conductOf(uint256 jobId, uint16 round, uint16 miniRound, uint256 seat) external view returns (Conduct) {
        Verdict memory verdict = _verdicts[jobId][round];
        Frozen memory frozen = _frozen[jobId];
        if (verdict.predictionsHash == 0 || seat >= frozen.seats) return Conduct.Unjudged;
        if (miniRound == 0 || miniRound > verdict.lastMiniRound) return Conduct.Unjudged;
        (uint256 first, uint256 before, uint256 asked) = _range(frozen, verdict, miniRound);
        uint256 rank = Sortition.permute(seat, frozen.seats, _seedOf(jobId, round, first));
        if (rank < before || rank >= asked) return Conduct.NotAsked;
        return _conduct(_key(jobId, round, miniRound), verdict, rank - before);
    }

    /// @inheritdoc IYoda
    function nodeAt(uint256 jobId, uint256 seat) external view returns (address) {
        return pool.nodeAt(seat, _frozen[jobId].freezeBlock);
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
    function miniRoundOf(uint256 jobId, uint16 round, uint16 miniRound) external view returns (MiniRound memory) {
        return _miniRounds[_key(jobId, round, miniRound)];
    }

    /// @inheritdoc IYoda
    function verdictOf(uint256 jobId, uint16 round) external view returns (Verdict memory) {
        return _verdicts[jobId][round];
    }

    /// @inheritdoc IYoda
    function roundSeedOf(uint256 jobId, uint16 round) external view returns (bytes32) {
        return _seedOf(jobId, round, 1);
    }

    /* MINI-ROUNDS */

    function _startDraw(uint256 jobId, Poll storage poll, uint8 firstMiniRound) private {
        poll.firstMiniRound = firstMiniRound;
        poll.asked = 0;
        poll.votes = 0;
        poll.leaderVotes = 0;
        poll.runnerUpVotes = 0;
        leaderOf[jobId] = 0;
    }

    function _schedule(uint256 jobId, Poll storage poll, uint8 miniRound) private {
        poll.miniRound = miniRound;
        poll.phase = Phase.Seeding;
        // The next block: nobody knows its hash while the set is being fixed in this one.
        poll.seedBlock = uint40(block.number) + 1;
        emit MiniRoundScheduled(jobId, poll.round, miniRound, poll.seedBlock);
    }

    function _openMiniRound(uint256 jobId, Poll storage poll) private {
        (uint16 round, uint8 miniRound) = (poll.round, poll.miniRound);
        (bytes32 seed, bool expired) = randomness.read(poll.seedBlock, keccak256(abi.encode(jobId, round, miniRound)));
        if (expired) return _schedule(jobId, poll, miniRound);
        if (seed == 0) revert NotDue();

        MiniRound storage mini = _miniRounds[_key(jobId, round, miniRound)];
        mini.seed = seed;
        mini.turnout = Turnout.NONE;
        mini.lead = NO_LEAD;
        mini.leadResult = NO_LEAD;
        _openWindows(poll, _frozen[jobId]);
        emit MiniRoundOpened(
            jobId, round, miniRound, poll.askedBefore, poll.asked, poll.firstMiniRound, seed, poll.commitDeadline
        );
    }

    function _openWindows(Poll storage poll, Frozen memory frozen) private {
        uint256 ordinal = uint256(poll.miniRound) - poll.firstMiniRound + 1;
        poll.phase = Phase.Voting;
        poll.askedBefore = poll.asked;
        poll.asked = uint16(ExecutionSets.askedAfter(frozen.base, ordinal, frozen.seats));
        poll.commitDeadline = uint40(block.number) + frozen.commitBlocks;
        poll.revealDeadline = poll.commitDeadline + frozen.revealBlocks;
    }

    function _endMiniRound(uint256 jobId, Poll storage poll) private {
        if (!_isOver(jobId, poll)) revert NotDue();
        MiniRound storage mini = _miniRounds[_key(jobId, poll.round, poll.miniRound)];
        _count(jobId, poll, mini.leadResult, mini.turnout.followers());
        if (_test(jobId, poll)) return _accept(jobId, poll);
        uint8 next = poll.miniRound + 1;
        if (poll.asked < _frozen[jobId].seats) return _schedule(jobId, poll, next);
        if (poll.firstMiniRound > 1) {
            poll.phase = Phase.Undecided;
            return;
        }
        _startDraw(jobId, poll, next);
        _schedule(jobId, poll, next);
    }

    /// @dev The likelihood test on the tallies of the draw. Who was asked and revealed nothing may be honest and shut out
    /// of the inputs. It counts against the leader, as a vote for the runner-up: the worst that it could have said.
    function _test(uint256 jobId, Poll storage poll) private returns (bool) {
        Frozen memory frozen = _frozen[jobId];
        uint256 byzantine = frozen.byzantine;
        Tally memory tally;
        tally.leader = leaderOf[jobId];
        tally.leaderVotes = poll.leaderVotes;
        tally.runnerUpVotes = poll.runnerUpVotes;
        tally.votes = poll.votes;
        tally.threshold = frozen.threshold;
        (uint256 asked, uint256 leader) = (poll.asked, tally.leaderVotes);
        uint256 runnerUp = tally.runnerUpVotes + asked - tally.votes;
        tally.certain = Likelihood.isCertain(byzantine, asked, leader, runnerUp);
        tally.score = tally.certain
            ? type(int256).max
            : Likelihood.score(frozen.seats - byzantine, byzantine, asked, leader, runnerUp);
        tally.accepted = tally.score >= tally.threshold;
        emit Tallied(jobId, poll.round, poll.miniRound, tally);
        return tally.accepted;
    }

    function _accept(uint256 jobId, Poll storage poll) private {
        poll.phase = Phase.Accepted;
        Verdict storage verdict = _verdicts[jobId][poll.round];
        verdict.digest = leaderOf[jobId];
        verdict.lastMiniRound = poll.miniRound;
        verdict.redrawnAt = poll.firstMiniRound > 1 ? poll.firstMiniRound : 0;
    }

    /* VOTES, INSIDE */

    /// @dev Takes in a revealed vote. What agrees with the first vote of the mini-round is tallied at its end.
    function _record(
        uint256 jobId,
        bytes32 key,
        MiniRound storage mini,
        uint256 turnout,
        uint256 position,
        Words memory words
    ) private returns (uint256) {
        bytes32 pair = _pair(words.result, words.audit);
        bytes32 lead = mini.lead;
        if (lead == NO_LEAD) {
            mini.lead = pair;
            mini.leadResult = words.result;
        } else if (pair != lead) {
            _strays[key][position] = words;
            _strayVotes[key][pair] += 1;
            _count(jobId, _polls[jobId], words.result, 1);
            turnout = turnout.withStray();
        }
        return turnout.withRevealed(position);
    }

    /// @dev Keeps the two largest tallies, all that the likelihood test needs. When a digest overtakes the leader, no
    /// other had more votes than the leader it overtook.
    function _count(uint256 jobId, Poll storage poll, bytes32 result, uint256 votes) private {
        if (votes == 0) return;
        bytes32 key = keccak256(abi.encode(jobId, poll.round, poll.firstMiniRound, result));
        uint256 count = _tallies[key] + votes;
        _tallies[key] = count;
        poll.votes += uint16(votes);
        if (result == leaderOf[jobId]) {
            poll.leaderVotes = uint16(count);
        } else if (count > poll.leaderVotes) {
            poll.runnerUpVotes = poll.leaderVotes;
            poll.leaderVotes = uint16(count);
            leaderOf[jobId] = result;
        } else if (count > poll.runnerUpVotes) {
            poll.runnerUpVotes = uint16(count);
        }
    }

    /// @dev The last commitment closes the window; the windows do not overlap, so reveals begin in the next block.
    function _closeWindowIfFull(Poll storage poll, Poll memory now_, uint256 turnout, uint16 revealBlocks) private {
        if (turnout.committedCount() < now_.asked - now_.askedBefore) return;
        poll.commitDeadline = uint40(block.number);
        poll.revealDeadline = uint40(block.number) + revealBlocks;
    }

    /* JUDGEMENT, INSIDE */

    /// @return first First mini-round of the draw that mini-round `miniRound` belongs to.
    /// @return before Nodes asked in that draw before it.
    /// @return asked Nodes asked including it.
    function _range(Frozen memory frozen, Verdict memory verdict, uint256 miniRound)
        private
        pure
        returns (uint256 first, uint256 before, uint256 asked)
    {
        bool redrawn = verdict.redrawnAt != 0 && miniRound >= verdict.redrawnAt;
        first = redrawn ? verdict.redrawnAt : 1;
        before = ExecutionSets.askedAfter(frozen.base, miniRound - first, frozen.seats);
        asked = ExecutionSets.askedAfter(frozen.base, miniRound - first + 1, frozen.seats);
    }

    /// @dev The words of a vote that was right, in the mini-round under `key`.
    function _rightPair(bytes32 key, Verdict memory verdict) private view returns (bytes32) {
        return _pair(verdict.digest, Commitment.auditWord(_miniRounds[key].seed, verdict.predictionsHash));
    }

    function _rightVotes(bytes32 key, Verdict memory verdict) private view returns (uint256) {
        bytes32 right = _rightPair(key, verdict);
        if (_miniRounds[key].lead == right) return _miniRounds[key].turnout.followers();
        return _strayVotes[key][right];
    }

    function _conduct(bytes32 key, Verdict memory verdict, uint256 position) private view returns (Conduct) {
        MiniRound memory mini = _miniRounds[key];
        if (!mini.turnout.hasRevealed(position)) return Conduct.Silent;
        Words memory stray = _strays[key][position];
        bool isStray = stray.result != 0;
        bytes32 result = isStray ? stray.result : mini.leadResult;
        if (result != verdict.digest) return Conduct.LostResult;
        bytes32 pair = isStray ? _pair(stray.result, stray.audit) : mini.lead;
        return pair == _rightPair(key, verdict) ? Conduct.Right : Conduct.WrongAudit;
    }

    /* INTERNAL */

    /// @dev Both windows of the mini-round have passed, or everybody has acted.
    function _isOver(uint256 jobId, Poll memory now_) private view returns (bool) {
        if (block.number <= now_.commitDeadline) return false;
        if (block.number > now_.revealDeadline) return true;
        uint256 turnout = _miniRounds[_key(jobId, now_.round, now_.miniRound)].turnout;
        return turnout.revealedCount() == turnout.committedCount();
    }

    function _isCommitting(Poll memory now_) private view returns (bool) {
        return now_.phase == Phase.Voting && block.number <= now_.commitDeadline;
    }

    function _isRevealing(Poll memory now_) private view returns (bool) {
        if (now_.phase != Phase.Voting) return false;
        return now_.commitDeadline < block.number && block.number <= now_.revealDeadline;
    }

    function _positionOf(Poll memory now_, uint256 seats, uint256 seat, bytes32 drawSeed)
        private
        pure
        returns (bool asked, uint256 position)
    {
        uint256 rank = Sortition.permute(seat, seats, drawSeed);
        if (rank < now_.askedBefore || rank >= now_.asked) return (false, 0);
        return (true, rank - now_.askedBefore);
    }

    function _drawSeed(uint256 jobId, Poll memory now_) private view returns (bytes32) {
        return _seedOf(jobId, now_.round, now_.firstMiniRound);
    }

    function _seedOf(uint256 jobId, uint256 round, uint256 miniRound) private view returns (bytes32) {
        return _miniRounds[_key(jobId, round, miniRound)].seed;
    }

    function _key(uint256 jobId, uint256 round, uint256 miniRound) private pure returns (bytes32) {
        return EfficientHashLib.hash(jobId, round, miniRound);
    }

    function _madeBy(address node, bytes32 key, bytes32 commitment) private pure returns (bytes32) {
        return EfficientHashLib.hash(bytes32(uint256(uint160(node))), key, commitment);
    }

    function _pair(bytes32 result, bytes32 audit) private pure returns (bytes32) {
        return EfficientHashLib.hash(result, audit);
    }
}
