// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredits} from "./ICredits.sol";

/// @title The price of every job, and its split
/// @notice 30 % of what a job earned goes to CONE nodes by participation counts, 70 % to sellers by contribution shares,
/// the rest of the price back to the buyer. Rounding: the CONE part is rounded down and the sellers get the remainder;
/// single payments are differences of rounded-down running totals, so that they add up to the pot to the wei.
interface IEscrow is ICredits {
    struct Pots {
        /// @dev Wei held before settlement.
        uint128 price;
        /// @dev Wei for the sellers, and paid of it.
        uint128 sellerPot;
        uint128 sellerPaid;
        /// @dev Wei for the CONE nodes.
        uint128 conePot;
        /// @dev Votes that share the CONE pot, and paid of them.
        uint32 rightVotes;
        uint32 paidVotes;
        /// @dev Votes of rounds 1 to this one are paid.
        uint16 acceptedRounds;
        bool settled;
        bytes32 contributionsRoot;
    }

    /// @notice How a job ended.
    struct Settlement {
        address buyer;
        /// @dev Of `totalRounds` equal parts of the price, how many were earned.
        uint16 earnedRounds;
        uint16 totalRounds;
        uint16 acceptedRounds;
        /// @dev Votes for the results of the accepted rounds.
        uint32 rightVotes;
        /// @dev Merkle root of the sellers' shares; zero when nobody has any: then the buyer gets their part.
        bytes32 contributionsRoot;
    }

    /// @notice A vote for the accepted result of a round.
    struct Vote {
        uint32 round;
        uint16 miniRound;
        bytes32 audit;
    }

    event JobFunded(uint256 indexed jobId, uint256 price);
    /// @notice The split of a job's price, in wei.
    event JobPaid(uint256 indexed jobId, uint256 conePot, uint256 sellerPot, uint256 refund);
    event SellerPaid(uint256 indexed jobId, uint256 indexed index, address indexed seller, uint256 amount);
    event ConePaid(uint256 indexed jobId, address indexed node, uint256 votes, uint256 amount);

    /// @notice Only the job contract may fund and settle.
    error OnlyJobs();
    /// @notice The job has not been settled.
    error NotSettled();
    /// @notice The job has been settled before.
    error AlreadySettled();
    /// @notice The share is not in the accepted contributions.
    error BadProof();
    /// @notice The share, or the round, has been paid to this party already.
    error AlreadyPaid();
    /// @notice The vote was not for the opened result of its round.
    error NotRight(uint32 round);
    /// @notice The claims exceed the pot: the accepted contributions overlap, or more votes than were counted.
    error PotExceeded();

    /// @notice Takes in a job's price. Only the job contract.
    function fund(uint256 jobId) external payable;

    /// @notice Splits a job's price, once. Only the job contract.
    function settle(uint256 jobId, Settlement calldata settlement) external;

    /// @notice Credits the seller at `index` its share. Anyone may call it.
    /// @param start Where the seller's interval of `SHARES_ONE` begins.
    /// @param end Where it ends.
    /// @param proof Merkle proof of (index, start, end).
    function claimSeller(uint256 jobId, uint256 index, uint256 start, uint256 end, bytes32[] calldata proof) external;

    /// @notice Credits `node` for its votes that were right. Anyone may call it.
    function claimCone(uint256 jobId, address node, Vote[] calldata votes) external;

    function potsOf(uint256 jobId) external view returns (Pots memory);
}
