// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rules} from "./Types.sol";

/// @title Modified YODA: which of the computed results is the true one
/// @notice Mini-round i asks base + 2^(i-1) further nodes of the frozen pool, drawn without replacement. They commit,
/// then reveal, a vote of two words; result words are tallied across mini-rounds until the likelihood test accepts one.
/// When the whole pool has been asked in vain, the round is drawn again once, then given up.
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

    /// @notice The vote on a job's current round.
    struct Poll {
        uint32 round;
        /// @dev Mini-round within the round, from 1; counts on across a redraw.
        uint16 miniRound;
        /// @dev First mini-round of the present draw.
        uint16 firstMiniRound;
        /// @dev 1, or 2 after the redraw.
        uint8 draw;
        Phase phase;
        /// @dev Nodes asked in this draw before the present mini-round, and including it.
        uint16 askedBefore;
        uint16 asked;
        /// @dev Of the present mini-round.
        uint16 committed;
        uint16 revealed;
        /// @dev Votes revealed in this draw.
        uint16 votes;
        uint16 leaderVotes;
        uint16 runnerUpVotes;
        /// @dev Block that seeds the mini-round.
        uint64 seedBlock;
        /// @dev Last block in which a commitment, a reveal is taken.
        uint64 commitDeadline;
        uint64 revealDeadline;
        /// @dev Ranks the pool in this draw.
        bytes32 drawSeed;
        /// @dev Enters the audit words of this mini-round.
        bytes32 miniRoundSeed;
        /// @dev Digest with the most votes, the first to reach them.
        bytes32 leader;
    }

    /// @notice The pool and the rules that a job froze.
    struct Frozen {
        uint64 freezeBlock;
        uint16 seats;
        /// @dev b = ⌊fN⌋.
        uint16 byzantine;
        uint16 base;
        uint32 commitBlocks;
        uint32 revealBlocks;
        /// @dev ln((1 - β) / β), 18 decimals.
        int128 threshold;
    }

    /// @notice The accepted result of a round.
    struct Verdict {
        bytes32 digest;
        /// @dev Draw and mini-rounds that count: `firstMiniRound` to `lastMiniRound`.
        uint16 firstMiniRound;
        uint16 lastMiniRound;
        /// @dev Votes for the digest.
        uint16 rightVotes;
    }

    /// @notice Where the likelihood test stands after a mini-round.
    struct Tally {
        bytes32 leader;
        uint16 leaderVotes;
        /// @dev Most votes of any other digest of this draw.
        uint16 runnerUpVotes;
        uint16 votes;
        /// @dev Lead in log-likelihood over the runner-up and what it must reach, 18 decimals.
        int256 score;
        int256 threshold;
        /// @dev No other digest is possible: the score is infinite.
        bool certain;
        bool accepted;
    }

    /// @notice The seeding block of a mini-round is fixed (anew, when an earlier one had expired).
    event MiniRoundScheduled(uint256 indexed jobId, uint32 indexed round, uint16 miniRound, uint256 seedBlock);
    /// @notice Mini-round `miniRound` asks the nodes of rank `askedBefore` to `asked` - 1.
    event MiniRoundOpened(
        uint256 indexed jobId,
        uint32 indexed round,
        uint16 miniRound,
        uint16 askedBefore,
        uint16 asked,
        bytes32 drawSeed,
        bytes32 miniRoundSeed,
        uint256 commitDeadline
    );
    event Committed(uint256 indexed jobId, uint32 indexed round, uint16 miniRound, address indexed node);
    event Revealed(
        uint256 indexed jobId,
        uint32 indexed round,
        uint16 miniRound,
        address indexed node,
        bytes32 result,
        bytes32 audit
    );
    /// @notice A mini-round has ended.
    event Tallied(uint256 indexed jobId, uint32 indexed round, uint16 miniRound, Tally tally);

    /// @notice Only the job contract may begin and advance a vote.
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
    /// @notice A commitment of 0 (or 1: the lowest bit is not stored) cannot be told from none.
    error EmptyCommitment();
    /// @notice The revealed words do not open the caller's commitment.
    error CommitmentMismatch();
    /// @notice Nothing is due yet.
    error NotDue();

    /// @notice Freezes what a job's votes depend on. Only the job contract, once per job.
    function freezeRules(uint256 jobId, Rules calldata rules, uint256 freezeBlock, uint256 seats) external;

    /// @notice Begins the vote on a round. Only the job contract.
    function begin(uint256 jobId, uint32 round) external;

    /// @notice Does what is due: fixes a seed, ends a mini-round, starts the next. Only the job contract.
    /// @return phase The phase afterwards.
    function advance(uint256 jobId) external returns (Phase phase);

    /// @notice Commits the caller's vote of the present mini-round.
    /// @param seat The caller's seat at the freeze.
    /// @param commitment See `commitmentOf`.
    function commit(uint256 jobId, uint256 seat, bytes32 commitment) external;

    /// @notice Opens the caller's commitment of the present mini-round.
    /// @param result Digest of the round's result.
    /// @param audit keccak256(mini-round seed, keccak256 of every prediction of the computation).
    /// @param salt What made the commitment unguessable.
    function reveal(uint256 jobId, bytes32 result, bytes32 audit, bytes32 salt) external;

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

    /// @notice Whether `seat` is in the execution set that is asked now.
    function isAsked(uint256 jobId, uint256 seat) external view returns (bool);

    /// @notice Whether commitments are taken in this block; ask for the pending one.
    function isCommitting(uint256 jobId) external view returns (bool);

    /// @notice Whether reveals are taken in this block; ask for the pending one.
    function isRevealing(uint256 jobId) external view returns (bool);

    /// @notice Whether `advance` would do something in this block; ask for the pending one.
    function isDue(uint256 jobId) external view returns (bool);

    /// @notice Whether `node` revealed `audit` with the accepted result in a mini-round that counts.
    function wasRight(uint256 jobId, uint32 round, uint16 miniRound, address node, bytes32 audit)
        external
        view
        returns (bool);

    /// @notice What is stored of a node's vote: zero; then its commitment, the lowest bit cleared; then, once revealed,
    /// keccak256(abi.encode(result, audit)), the lowest bit set.
    function voteOf(uint256 jobId, uint32 round, uint16 miniRound, address node) external view returns (bytes32);

    function pollOf(uint256 jobId) external view returns (Poll memory);

    function frozenOf(uint256 jobId) external view returns (Frozen memory);

    function verdictOf(uint256 jobId, uint32 round) external view returns (Verdict memory);

    /// @notice The seed of the round's first draw: the randomness of the round computation. Zero until it is known.
    function roundSeedOf(uint256 jobId, uint32 round) external view returns (bytes32);

    /// @notice Votes for `result` in one draw of a round.
    function votesFor(uint256 jobId, uint32 round, uint8 draw, bytes32 result) external view returns (uint256);
}
