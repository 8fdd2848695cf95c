// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rules} from "./Types.sol";

/// @title Modified YODA: which of the computed results is the true one
/// @notice Mini-round i asks base + 2^(i-1) further nodes of the frozen pool, at most `MAX_SET`, drawn without
/// replacement. They commit, then reveal, a vote of two words; result words are tallied across mini-rounds until the
/// likelihood test accepts one. When the whole pool has been asked in vain, the round is drawn again once, then given up.
/// When the accepted result is opened, every vote of the round is judged: by its result word, and by its audit word,
/// which only those can know who made the predictions that the opened result names.
interface IYoda {
    /// @notice Where the vote on a job's current round stands.
    enum Phase {
        None,
        /// @dev Waits for the block that seeds the next mini-round.
        Seeding,
        /// @dev The execution set commits, then reveals.
        Voting,
        /// @dev A digest has been accepted.
        Accepted,
        /// @dev Two draws accepted nothing.
        Undecided
    }

    /// @notice What a seat of the frozen pool did in one mini-round of an opened round.
    enum Conduct {
        /// @dev The round is not opened, or there is no such mini-round.
        Unjudged,
        NotAsked,
        /// @dev Voted for the accepted result with the audit word that belongs to it.
        Right,
        /// @dev Voted for another result.
        LostResult,
        /// @dev Voted for the accepted result with another audit word: it was copied.
        WrongAudit,
        /// @dev Was asked and revealed nothing.
        Silent
    }

    /// @notice The vote on a job's current round, in one word.
    struct Poll {
        uint16 round;
        /// @dev Mini-round within the round, from 1; counts on across a redraw.
        uint8 miniRound;
        /// @dev First mini-round of the present draw: 1 unless the round was drawn again.
        uint8 firstMiniRound;
        Phase phase;
        /// @dev Nodes asked in this draw before the present mini-round, and including it.
        uint16 askedBefore;
        uint16 asked;
        /// @dev Votes of this draw: tallied at the end of each mini-round, strays (see `MiniRound`) at once.
        uint16 votes;
        uint16 leaderVotes;
        uint16 runnerUpVotes;
        /// @dev Block that seeds the mini-round.
        uint40 seedBlock;
        /// @dev Last block in which a commitment, a reveal is taken.
        uint40 commitDeadline;
        uint40 revealDeadline;
    }

    /// @notice The pool and the rules that a job froze.
    struct Frozen {
        uint40 freezeBlock;
        uint16 seats;
        /// @dev b = ⌊fN⌋.
        uint16 byzantine;
        uint16 base;
        uint16 commitBlocks;
        uint16 revealBlocks;
        /// @dev ln((1 - β) / β), 18 decimals.
        int128 threshold;
    }

    /// @notice What is kept of a mini-round. A node's position is its rank in the draw less the nodes asked before.
    struct MiniRound {
        /// @dev Enters the audit words; that of a draw's first mini-round ranks the pool.
        bytes32 seed;
        /// @dev Bit p: position p has committed; bit 120 + p: it has revealed. From bit 240 on: the number of strays.
        uint256 turnout;
        /// @dev keccak256(result, audit) of the first vote revealed, 1 before, and its result. A vote of other words is
        /// a stray and recorded word by word; all others are known by their bit, which makes an honest vote cheap.
        bytes32 lead;
        bytes32 leadResult;
    }

    /// @notice A revealed vote.
    struct Words {
        bytes32 result;
        bytes32 audit;
    }

    /// @notice The accepted result of a round.
    struct Verdict {
        bytes32 digest;
        /// @dev Named by the opened result; zero until it is opened.
        bytes32 predictionsHash;
        uint8 lastMiniRound;
        /// @dev First mini-round of the second draw, 0 if there was none.
        uint8 redrawnAt;
        /// @dev Once opened: votes that were right, and nodes asked that were not.
        uint16 rightVotes;
        uint16 offences;
    }

    /// @notice Where the likelihood test stands after a mini-round.
    struct Tally {
        bytes32 leader;
        uint16 leaderVotes;
        /// @dev Most votes of any other digest of this draw.
        uint16 runnerUpVotes;
        uint16 votes;
        /// @dev Lead in log-likelihood over the runner-up, everybody who was asked in vain on its side, and what it must
        /// reach, 18 decimals.
        int256 score;
        int256 threshold;
        /// @dev No other digest is possible: the score is infinite.
        bool certain;
        bool accepted;
    }

    /// @notice The seeding block of a mini-round is fixed (anew, when an earlier one had expired).
    event MiniRoundScheduled(uint256 indexed jobId, uint32 indexed round, uint16 miniRound, uint256 seedBlock);
    /// @notice Mini-round `miniRound` asks the nodes of rank `askedBefore` to `asked` - 1 under the seed of the draw, which is
    /// that of mini-round `firstMiniRound`.
    event MiniRoundOpened(
        uint256 indexed jobId,
        uint32 indexed round,
        uint16 miniRound,
        uint16 askedBefore,
        uint16 asked,
        uint16 firstMiniRound,
        bytes32 seed,
        uint256 commitDeadline
    );
    event Committed(uint256 indexed jobId, address node);
    event Revealed(
        uint256 indexed jobId, uint32 round, uint16 miniRound, address indexed node, bytes32 result, bytes32 audit
    );
    /// @notice A mini-round has ended.
    event Tallied(uint256 indexed jobId, uint32 indexed round, uint16 miniRound, Tally tally);
    /// @notice A round was opened and its votes judged: so many were right, so many nodes asked were not.
    event Judged(uint256 indexed jobId, uint32 indexed round, uint256 rightVotes, uint256 offences);

    /// @notice Only the job contract may begin, advance and judge a vote.
    error OnlyJobs();
    /// @notice No commitment is taken now.
    error NotCommitting();
    /// @notice No reveal is taken now.
    error NotRevealing();
    /// @notice The caller does not hold `seat` in the frozen pool.
    error NotYourSeat(uint256 seat);
    /// @notice The seat's rank is outside the present execution set.
    error NotAsked(uint256 seat);
    /// @notice The caller has committed in this mini-round already.
    error AlreadyCommitted();
    /// @notice The revealed words do not open the caller's commitment at that position.
    error CommitmentMismatch();
    /// @notice The vote has been revealed already.
    error AlreadyRevealed();
    /// @notice A result word of 0 stands for none.
    error EmptyResult();
    /// @notice Nothing is due yet.
    error NotDue();

    /// @notice Freezes what a job's votes depend on. Only the job contract, once per job.
    function freezeRules(uint256 jobId, Rules calldata rules, uint256 freezeBlock, uint256 seats) external;

    /// @notice Begins the vote on a round. Only the job contract.
    function begin(uint256 jobId, uint16 round) external;

    /// @notice Does what is due: fixes a seed, ends a mini-round, starts the next. Only the job contract.
    /// @return phase The phase afterwards.
    function advance(uint256 jobId) external returns (Phase phase);

    /// @notice Judges the votes of an accepted round by the opened result. Only the job contract, once per round.
    function judge(uint256 jobId, uint16 round, bytes32 predictionsHash)
        external
        returns (uint256 rightVotes, uint256 offences);

    /// @notice Commits the caller's vote of the present mini-round.
    /// @param seat The caller's seat at the freeze.
    /// @param commitment See `commitmentOf`.
    function commit(uint256 jobId, uint256 seat, bytes32 commitment) external;

    /// @notice Opens the caller's own commitment of the present mini-round.
    /// @param position See `positionOf`.
    /// @param result Digest of the round's result.
    /// @param audit keccak256(mini-round seed, keccak256 of every prediction of the computation).
    /// @param salt What made the commitment unguessable.
    function reveal(uint256 jobId, uint256 position, bytes32 result, bytes32 audit, bytes32 salt) external;

    /// @notice keccak256(abi.encode(DOMAIN, chainid, contract, sender, job, round, miniRound, result, audit, salt)): bound
    /// to everything, so that a copied commitment cannot be revealed by another.
    function commitmentOf(
        address sender,
        uint256 jobId,
        uint32 round,
        uint16 miniRound,
        bytes32 result,
        bytes32 audit,
        bytes32 salt
    ) external view returns (bytes32);

    /// @notice Whether `seat` is in the execution set that is asked now, and its position there.
    function positionOf(uint256 jobId, uint256 seat) external view returns (bool asked, uint256 position);

    /// @notice Whether commitments are taken in this block; ask for the pending one.
    function isCommitting(uint256 jobId) external view returns (bool);

    /// @notice Whether reveals are taken in this block; ask for the pending one.
    function isRevealing(uint256 jobId) external view returns (bool);

    /// @notice Whether `advance` would do something in this block; ask for the pending one.
    function isDue(uint256 jobId) external view returns (bool);

    /// @notice What the node on `seat` did in a mini-round, judged by the opened result.
    function conductOf(uint256 jobId, uint16 round, uint16 miniRound, uint256 seat) external view returns (Conduct);

    /// @notice The node on `seat` of the pool that the job froze.
    function nodeAt(uint256 jobId, uint256 seat) external view returns (address);

    function pollOf(uint256 jobId) external view returns (Poll memory);

    /// @notice The digest with the most votes of the present draw, the first to reach them.
    function leaderOf(uint256 jobId) external view returns (bytes32);

    function frozenOf(uint256 jobId) external view returns (Frozen memory);

    function miniRoundOf(uint256 jobId, uint16 round, uint16 miniRound) external view returns (MiniRound memory);

    function verdictOf(uint256 jobId, uint16 round) external view returns (Verdict memory);

    /// @notice The seed of the round's first mini-round: the randomness of the round computation. Zero until it is known.
    function roundSeedOf(uint256 jobId, uint16 round) external view returns (bytes32);
}
