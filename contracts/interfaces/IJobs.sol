// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConePool} from "./IConePool.sol";
import {IEscrow} from "./IEscrow.sol";
import {IYoda} from "./IYoda.sol";
import {Request, RoundResult, Rules} from "./Types.sol";

/// @title The life of a job, from the matched auction to settlement
/// @notice Seeding → Collecting → Deciding → Opening → (Collecting …) → Judging → Settled, or Judging → Failed from
/// Collecting, Deciding and Opening. Judging is passed over where nobody is left to be slashed. Every state has a deadline
/// after which anyone moves it on with `advance`.
interface IJobs {
    enum State {
        None,
        /// @dev Waits for the block that seeds the first sample.
        Seeding,
        /// @dev Sampled sellers train and post their updates.
        Collecting,
        /// @dev CONE nodes vote on the round's result.
        Deciding,
        /// @dev A digest is accepted; somebody opens it.
        Opening,
        /// @dev Nothing more is trained; nodes that failed are slashed.
        Judging,
        /// @dev Ended with the target reached or all rounds played.
        Settled,
        /// @dev Ended early; what no accepted round earned went back to the buyer.
        Failed
    }

    enum FailureReason {
        /// @dev The job did not fail.
        None,
        /// @dev No sampled seller posted an update in time.
        NoUpdates,
        /// @dev Two draws of the whole pool accepted no digest.
        Undecided,
        /// @dev Nobody opened the accepted digest in time.
        NotOpened
    }

    struct Job {
        address buyer;
        State state;
        /// @dev Current round, from 1.
        uint16 round;
        uint16 acceptedRounds;
        /// @dev Matched sellers, at most `MAX_SELLERS`.
        uint16 sellers;
        /// @dev Known from Judging on.
        FailureReason failure;
        bool targetReached;
        /// @dev Votes of opened rounds that were right, and nodes asked that were not.
        uint32 rightVotes;
        uint32 offences;
        /// @dev Block at whose end sellers and seats are frozen.
        uint64 freezeBlock;
        /// @dev In Seeding the seeding block, else the last block of the state's window.
        uint64 deadline;
        /// @dev Sellers that stood under the tag at the freeze.
        uint64 listed;
        Rules rules;
        bytes32 tag;
        bytes32 sampleSeed;
        /// @dev Bitmaps of the round: who was sampled, whose update is in.
        uint256 sample;
        uint256 posted;
        /// @dev Of the last accepted result.
        bytes32 contributionsRoot;
        bytes32 modelHash;
    }

    /// @notice A job is fixed: winner, price, parameters, sellers and pool.
    event JobCreated(
        uint256 indexed jobId,
        address indexed buyer,
        uint256 price,
        uint256 freezeBlock,
        uint256 sellers,
        Request request
    );
    /// @notice The block that seeds the first sample is fixed (anew, when an earlier one had expired).
    event SampleScheduled(uint256 indexed jobId, uint256 seedBlock);
    /// @notice The inbox of a round is open to the sampled sellers. `sampleSeed` drew them in round 1, else zero.
    event RoundStarted(
        uint256 indexed jobId, uint32 indexed round, uint256 sample, uint256 deadline, bytes32 sampleSeed
    );
    /// @notice A sampled seller posted its update.
    event UpdatePosted(
        uint256 indexed jobId,
        uint32 indexed round,
        uint256 index,
        address indexed seller,
        bytes32 contentHash,
        bytes cid
    );
    /// @notice The round's inputs are complete: CONE nodes are asked.
    event InboxClosed(uint256 indexed jobId, uint32 indexed round, uint256 posted);
    /// @notice The accepted digest of a round was opened.
    event RoundAccepted(uint256 indexed jobId, uint32 indexed round, bytes32 digest, RoundResult result);
    /// @notice The job's work is over; until `deadline`, or until all `offences` are punished, nodes may be slashed.
    event JudgingStarted(uint256 indexed jobId, uint256 offences, uint256 deadline);
    event JobSettled(uint256 indexed jobId, uint16 acceptedRounds, bool targetReached);
    event JobFailed(uint256 indexed jobId, uint16 acceptedRounds, FailureReason reason);

    /// @notice A contract given to the constructor does not point back to this one.
    error WrongWiring(address part);
    /// @notice Only the auction house may create jobs.
    error OnlyAuctionHouse();
    /// @notice A rule of the request is outside its bounds.
    error RuleOutOfBounds(bytes32 rule);
    /// @notice No seller is registered under the tag, or too few nodes are staked.
    error NotFeasible(uint256 sellers, uint256 seats);
    /// @notice The call does not fit the job's state.
    error WrongState(State state);
    /// @notice Nothing is due yet.
    error NotDue();
    /// @notice The update is for another round.
    error WrongRound(uint32 current);
    /// @notice The window of the state has passed.
    error TooLate(uint256 deadline);
    /// @notice The caller is not the sampled seller at `index`.
    error NotSampled(uint256 index);
    /// @notice The seller has posted its update already.
    error AlreadyPosted();
    /// @notice The job has no seller at `index`.
    error NoSuchSeller(uint256 index);
    /// @notice A CID has 1 to `MAX_CID_BYTES` bytes.
    error BadCid();
    /// @notice The result does not hash to the accepted digest.
    error WrongDigest(bytes32 accepted);
    /// @notice The accepted result names another version, job or round, or an impossible metric or sample.
    error BadResult();

    /// @notice Creates the job of a closed auction. Only the auction house, which moves `price` to the job afterwards.
    function create(Request calldata request, address buyer, uint256 price) external returns (uint256 jobId);

    /// @notice Moves a job on when its state's work is done or its deadline has passed. Anyone.
    function advance(uint256 jobId) external;

    /// @notice Posts the caller's update of the present round.
    /// @param index Index of the caller's offer among the job's.
    /// @param contentHash keccak256 of the update's bytes.
    /// @param cid Binary CIDv1 of the update.
    function postUpdate(uint256 jobId, uint32 round, uint256 index, bytes32 contentHash, bytes calldata cid) external;

    /// @notice Opens the accepted digest of the present round. Anyone.
    function open(uint256 jobId, RoundResult calldata result) external;

    /// @notice Reverts with `RuleOutOfBounds` or `BadCid` unless a job could run under the request.
    function check(Request calldata request) external pure;

    /// @notice Whether sellers and nodes for a request stood ready at the end of the block before.
    function isFeasible(bytes32 tag) external view returns (bool);

    /// @notice Whether `advance` would do something in this block; ask for the pending one.
    function isDue(uint256 jobId) external view returns (bool);

    function jobOf(uint256 jobId) external view returns (Job memory);

    /// @notice The offer at `index` of a job, known once the first sample is drawn. Beyond `MAX_SELLERS` candidates the
    /// seed of the first sample picks which.
    function offerAt(uint256 jobId, uint256 index) external view returns (uint256 offerId);

    /// @notice The seller of the offer at `index`.
    function sellerAt(uint256 jobId, uint256 index) external view returns (address);

    /// @notice All offers of a job and their sellers, in index order (at most `MAX_SELLERS`).
    function offersOf(uint256 jobId) external view returns (uint256[] memory offerIds, address[] memory sellers);

    function pool() external view returns (IConePool);

    function yoda() external view returns (IYoda);

    function escrow() external view returns (IEscrow);

    function auctionHouse() external view returns (address);

    /// @notice Jobs created so far; ids count from 1.
    function jobCount() external view returns (uint256);
}
