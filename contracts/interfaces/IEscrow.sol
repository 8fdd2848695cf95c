// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredits} from "./ICredits.sol";

/// @title All money of buyers: bids, sealed deposits, prices, and how they are paid out
/// @notice A bid stays here from the moment it is made; winning a job moves it from the auction's purse to the job's
/// pots by bookkeeping alone, so no token can hold up a closing. 30 % of what a job earned goes to CONE nodes by
/// participation counts, 70 % to sellers by contribution shares, the rest of the price back to the buyer. What nodes of
/// the job lost by slashing is shared by the votes that were right, in ether. Rounding: see `Split`.
/// @dev An ERC-20 token that takes a fee, that mints, or whose balances change by themselves would break the sums of its
/// own market only: every token is counted by itself.
interface IEscrow is ICredits {
    struct Pots {
        /// @dev What the job is paid in.
        address token;
        bool settled;
        /// @dev Votes that share the CONE pot, and paid of them.
        uint32 rightVotes;
        uint32 paidVotes;
        /// @dev Held before settlement.
        uint128 price;
        /// @dev For the sellers, and paid of it.
        uint128 sellerPot;
        uint128 sellerPaid;
        /// @dev For the CONE nodes.
        uint128 conePot;
        /// @dev Wei that nodes of the job lost by slashing.
        uint128 slashPot;
        bytes32 contributionsRoot;
    }

    /// @notice How a job ended.
    struct Settlement {
        address buyer;
        /// @dev Of `totalRounds` equal parts of the price, how many were earned.
        uint16 earnedRounds;
        uint16 totalRounds;
        /// @dev Votes of the opened rounds that were right.
        uint32 rightVotes;
        /// @dev Merkle root of the sellers' shares; zero when nobody has any: then the buyer gets their part.
        bytes32 contributionsRoot;
    }

    /// @notice Where a vote was cast.
    struct Vote {
        uint16 round;
        uint16 miniRound;
    }

    /// @notice `payer` put `amount` of `token` into the purse of an auction.
    event Deposited(uint256 indexed auctionId, address indexed token, address indexed payer, uint256 amount);
    event JobFunded(uint256 indexed jobId, address indexed token, uint256 price);
    /// @notice Wei of slashed stake for the nodes of a job that were right.
    event SlashedAdded(uint256 indexed jobId, uint256 amount);
    /// @notice The split of a job's price, in its token; `slashPot` in wei.
    event JobPaid(uint256 indexed jobId, uint256 conePot, uint256 sellerPot, uint256 refund, uint256 slashPot);
    event SellerPaid(uint256 indexed jobId, uint256 indexed index, address indexed seller, uint256 amount);
    /// @notice `amount` in the job's token, `slashed` in wei.
    event ConePaid(uint256 indexed jobId, address indexed node, uint256 votes, uint256 amount, uint256 slashed);

    /// @notice Only the job contract may settle.
    error OnlyJobs();
    /// @notice Only the auction house moves the purses of auctions.
    error OnlyAuctionHouse();
    /// @notice Only the pool adds slashed stake.
    error OnlyPool();
    /// @notice The value sent is not `required` wei: the amount where ether is paid, nothing where a token is.
    error WrongValue(uint256 required);
    /// @notice The token delivered `received` instead of `expected`: tokens that take a fee are refused.
    error UnfaithfulToken(address token, uint256 expected, uint256 received);
    /// @notice Amounts fit 128 bits.
    error TooLarge(uint256 amount);
    /// @notice The job has not been settled.
    error NotSettled();
    /// @notice The job has been settled before.
    error AlreadySettled();
    /// @notice The share is not in the accepted contributions.
    error BadProof();
    /// @notice The share, or the vote, has been paid already.
    error AlreadyPaid();
    /// @notice The vote was not right, or its round was not opened.
    error NotRight(uint16 round, uint16 miniRound);
    /// @notice The claims exceed the pot: the accepted contributions overlap, or more votes than were counted.
    error PotExceeded();

    /// @notice Takes `amount` of `token` from `payer` into the purse of an auction. Only the auction house.
    /// Reverts with `SafeERC20FailedOperation` where the token refuses or returns false.
    function deposit(uint256 auctionId, address token, address payer, uint256 amount) external payable;

    /// @notice Credits `amount` of an auction's purse to `account`. Only the auction house.
    function refund(uint256 auctionId, address token, address account, uint256 amount) external;

    /// @notice Moves `price` of an auction's purse to its job. Only the auction house, once per job.
    function fund(uint256 jobId, uint256 auctionId, address token, uint256 price) external;

    /// @notice Takes in slashed stake. Only the pool.
    function addSlashed(uint256 jobId) external payable;

    /// @notice Splits a job's price, once. Only the job contract.
    function settle(uint256 jobId, Settlement calldata settlement) external;

    /// @notice Credits the seller at `index` its share. Anyone may call it.
    /// @param start Where the seller's interval of `SHARES_ONE` begins.
    /// @param end Where it ends.
    /// @param proof Merkle proof of (index, start, end).
    function claimSeller(uint256 jobId, uint256 index, uint256 start, uint256 end, bytes32[] calldata proof) external;

    /// @notice Credits the node on `seat` for its votes that were right. Anyone may call it.
    function claimCone(uint256 jobId, uint256 seat, Vote[] calldata votes) external;

    function potsOf(uint256 jobId) external view returns (Pots memory);

    /// @notice What the purse of an auction holds, in the auction's token.
    function purseOf(uint256 auctionId) external view returns (uint256);
}
