// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredits} from "./ICredits.sol";
import {Request} from "./Types.sol";

/// @title Open auctions for jobs
/// @notice A buyer opens an auction with its request; everybody bids for that same request, ascending, inside a window of
/// blocks. The highest bidder gets the job; everybody else withdraws what it put in.
interface IAuctionHouse is ICredits {
    enum State {
        None,
        Open,
        /// @dev The winner's job was created.
        Won,
        /// @dev Nobody bid, or no seller or too few nodes stood ready: no job.
        Void
    }

    struct Terms {
        /// @dev Blocks from opening to closing.
        uint32 windowBlocks;
        /// @dev A new bid exceeds the highest by at least this many basis points of it.
        uint16 incrementBps;
        /// @dev Smallest first bid, in wei.
        uint128 reserve;
    }

    struct Auction {
        State state;
        uint16 incrementBps;
        /// @dev Last block in which a bid is taken, and the last to which it can be extended.
        uint64 closeBlock;
        uint64 latestCloseBlock;
        address leader;
        uint128 highestBid;
        uint128 reserve;
        bytes32 requestHash;
        /// @dev The job that came of it, 0 if none.
        uint256 jobId;
    }

    /// @notice Everybody may bid for `request` until `closeBlock`.
    event AuctionOpened(
        uint256 indexed auctionId,
        address indexed opener,
        bytes32 indexed tag,
        Request request,
        Terms terms,
        uint256 closeBlock
    );
    /// @notice `bidder` leads with `amount` wei.
    event BidPlaced(uint256 indexed auctionId, address indexed bidder, uint256 amount, uint256 closeBlock);
    event AuctionWon(uint256 indexed auctionId, uint256 indexed jobId, address indexed winner, uint256 price);
    event AuctionVoid(uint256 indexed auctionId, address indexed leader, uint256 refund);

    /// @notice The window or the increment is outside its bounds.
    error TermsOutOfBounds();
    /// @notice The auction is not open for bids.
    error NotOpen();
    /// @notice The bid is below `minimum` wei.
    error BidTooLow(uint256 minimum);
    /// @notice Bids are taken until `closeBlock`.
    error StillOpen(uint256 closeBlock);
    /// @notice The request is not the one that the auction was opened with.
    error WrongRequest();

    /// @notice Opens an auction for `request`.
    function open(Request calldata request, Terms calldata terms) external returns (uint256 auctionId);

    /// @notice Bids the value sent. The bidder that led before may withdraw its bid at once.
    function bid(uint256 auctionId) external payable;

    /// @notice Closes an auction after its window and creates the winner's job. Anyone.
    /// @param request The request that the auction was opened with; its event holds it.
    function close(uint256 auctionId, Request calldata request) external;

    function auctionOf(uint256 auctionId) external view returns (Auction memory);

    /// @notice The least that the next bid must be, in wei.
    function minimumBid(uint256 auctionId) external view returns (uint256);

    /// @notice Auctions opened so far; ids count from 1.
    function auctionCount() external view returns (uint256);
}
