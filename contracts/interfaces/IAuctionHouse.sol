// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Request} from "./Types.sol";

/// @title Auctions for jobs
/// @notice A buyer opens an auction with its request; everybody bids for that same request, in the token that the opener
/// named. *Open*: ascending bids inside a window of blocks. *Sealed*: commitments with a deposit, then reveals; the winner
/// pays its own bid (first price) or the highest bid below it (second price, never under the reserve). The money lies in
/// the escrow, under the auction's purse; who does not win withdraws it there.
interface IAuctionHouse {
    enum Kind {
        Open,
        SealedFirstPrice,
        SealedSecondPrice
    }

    enum State {
        None,
        /// @dev Takes bids, sealed bids or reveals.
        Open,
        /// @dev The winner's job was created.
        Won,
        /// @dev Nobody bid, or no seller or too few nodes stood ready: no job.
        Void,
        /// @dev The opener took it back before anybody had bid.
        Cancelled
    }

    struct Terms {
        Kind kind;
        /// @dev What is bid in: an ERC-20 token, or zero for ether.
        address token;
        /// @dev Blocks from opening to the last open bid or sealed commitment.
        uint32 windowBlocks;
        /// @dev Sealed: blocks in which bids are revealed. Open: 0.
        uint32 revealBlocks;
        /// @dev Open: a new bid exceeds the highest by at least this many basis points of it. Sealed: 0.
        uint16 incrementBps;
        /// @dev Smallest bid, in the token's smallest unit.
        uint128 reserve;
    }

    struct Auction {
        State state;
        Kind kind;
        uint16 incrementBps;
        /// @dev Last block in which a bid or a sealed commitment is taken.
        uint40 closeBlock;
        /// @dev Open: the last block to which `closeBlock` can be extended. Sealed: last block in which a reveal is taken.
        uint40 latestBlock;
        /// @dev Sealed bids made and revealed.
        uint32 sealedBids;
        uint32 revealedBids;
        /// @dev Place of the leader's commitment among all: ties go to the earlier.
        uint32 leaderPlace;
        address opener;
        address token;
        address leader;
        uint128 highestBid;
        /// @dev Sealed: the highest revealed bid but the leader's.
        uint128 secondBid;
        uint128 reserve;
        /// @dev Sealed: what the bids that are not revealed so far would forfeit.
        uint128 forfeits;
        bytes32 requestHash;
        /// @dev The job that came of it, 0 if none.
        uint256 jobId;
    }

    struct SealedBid {
        bytes32 commitment;
        uint128 deposit;
        /// @dev From 1, in the order of commitments.
        uint32 place;
        /// @dev Revealed, or what was left of its deposit given back: nothing more is owed to it.
        bool closed;
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
    event AuctionCancelled(uint256 indexed auctionId);
    /// @notice `bidder` leads an open auction with `amount`.
    event BidPlaced(uint256 indexed auctionId, address indexed bidder, uint256 amount, uint256 closeBlock);
    /// @notice `bidder` has made a sealed bid of at most `deposit`.
    event BidSealed(uint256 indexed auctionId, address indexed bidder, uint256 deposit);
    event BidRevealed(uint256 indexed auctionId, address indexed bidder, uint256 amount);
    /// @notice `bidder` did not reveal: `forfeited` of its deposit is lost, the rest is credited.
    event BidForfeited(uint256 indexed auctionId, address indexed bidder, uint256 forfeited);
    /// @notice The winner pays `price`; `forfeits` of sealed bids that were never revealed come on top of it.
    event AuctionWon(
        uint256 indexed auctionId, uint256 indexed jobId, address indexed winner, uint256 price, uint256 forfeits
    );
    /// @notice No job: the leader's money is credited, and `forfeits` go to the opener.
    event AuctionVoid(uint256 indexed auctionId, address indexed leader, uint256 forfeits);

    /// @notice A window, the increment, the reserve or the token is outside its bounds, or does not fit the kind.
    error TermsOutOfBounds();
    /// @notice The auction takes no bids of this kind now.
    error NotOpen();
    /// @notice The bid is below `minimum`.
    error BidTooLow(uint256 minimum);
    /// @notice The bid is above what was deposited for it.
    error BidAboveDeposit(uint256 deposit);
    /// @notice A deposit is the reserve doubled at most `MAX_TIER` times.
    error BadTier();
    /// @notice One sealed bid per address.
    error AlreadySealed();
    /// @notice A commitment of 0 cannot be told from none.
    error EmptyCommitment();
    /// @notice Sealed bids cannot be revealed now.
    error NotRevealing();
    /// @notice The amount and the salt do not open the caller's sealed bid.
    error CommitmentMismatch();
    /// @notice The caller has no sealed bid left here.
    error NoSealedBid();
    /// @notice Bids, or reveals, are taken until `closeBlock`.
    error StillOpen(uint256 closeBlock);
    /// @notice The request is not the one that the auction was opened with.
    error WrongRequest();
    /// @notice Only its opener cancels an auction, and only before the first bid.
    error CannotCancel();

    /// @notice Opens an auction for `request`.
    function open(Request calldata request, Terms calldata terms) external returns (uint256 auctionId);

    /// @notice Takes back an auction that nobody has bid in. Only its opener.
    function cancel(uint256 auctionId) external;

    /// @notice Bids `amount` in an open auction: sent as value, or approved to the escrow where the auction's token is an
    /// ERC-20. The bidder that led before may withdraw its bid at once.
    function bid(uint256 auctionId, uint256 amount) external payable;

    /// @notice Makes a sealed bid. The deposit, reserve · 2^tier, bounds the bid and is all that others learn of it.
    /// @param commitment See `sealedBidOf`.
    function sealBid(uint256 auctionId, bytes32 commitment, uint8 tier) external payable;

    /// @notice Reveals the caller's sealed bid. Who does not lead is credited its deposit at once.
    function revealBid(uint256 auctionId, uint256 amount, bytes32 salt) external;

    /// @notice Closes an auction after its windows, or once every sealed bid is revealed, and creates the winner's job.
    /// Anyone.
    /// @param request The request that the auction was opened with; its event holds it.
    function close(uint256 auctionId, Request calldata request) external;

    /// @notice After the end, credits a bidder that did not reveal what it did not forfeit. Anyone.
    function reclaim(uint256 auctionId, address bidder) external;

    function auctionOf(uint256 auctionId) external view returns (Auction memory);

    function sealedBidOf(uint256 auctionId, address bidder) external view returns (SealedBid memory);

    /// @notice keccak256(abi.encode(SEALED_DOMAIN, chainid, contract, bidder, auction, amount, salt)): bound to everything, so
    /// that a copied commitment cannot be revealed by another.
    function sealedCommitment(address bidder, uint256 auctionId, uint256 amount, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice The least that the next open bid must be.
    function minimumBid(uint256 auctionId) external view returns (uint256);

    /// @notice Auctions opened so far; ids count from 1.
    function auctionCount() external view returns (uint256);
}
