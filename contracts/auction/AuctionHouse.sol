// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuctionHouse} from "../interfaces/IAuctionHouse.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {Request} from "../interfaces/Types.sol";
import {Credits} from "../lib/Credits.sol";
import {BPS} from "../lib/Limits.sol";

/// @title Auction house, open kind
contract AuctionHouse is IAuctionHouse, Credits {
    /// @notice Shorter windows could be missed by a buyer that looks once a minute (12 s blocks).
    uint256 public constant MIN_WINDOW_BLOCKS = 5;
    /// @notice A week of 12 s blocks.
    uint256 public constant MAX_WINDOW_BLOCKS = 50_400;
    /// @notice A bid in the last blocks keeps the auction open for at least this many more: no sniping.
    uint256 public constant EXTENSION_BLOCKS = 5;
    /// @notice All extensions together, so that nobody can keep an auction open for good.
    uint256 public constant MAX_EXTENSION_BLOCKS = 100;

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;

    /// @inheritdoc IAuctionHouse
    uint256 public auctionCount;

    mapping(uint256 auctionId => Auction) private _auctions;

    constructor(address jobs_) {
        jobs = jobs_;
    }

    /* BIDDING */

    /// @inheritdoc IAuctionHouse
    function open(Request calldata request, Terms calldata terms) external returns (uint256 auctionId) {
        if (terms.windowBlocks < MIN_WINDOW_BLOCKS || terms.windowBlocks > MAX_WINDOW_BLOCKS) {
            revert TermsOutOfBounds();
        }
        if (terms.incrementBps > BPS || terms.reserve == 0) revert TermsOutOfBounds();
        IJobs(jobs).check(request);
        auctionId = ++auctionCount;
        uint64 closeBlock = uint64(block.number) + terms.windowBlocks;
        Auction storage auction = _auctions[auctionId];
        auction.state = State.Open;
        auction.incrementBps = terms.incrementBps;
        auction.closeBlock = closeBlock;
        auction.latestCloseBlock = closeBlock + uint64(MAX_EXTENSION_BLOCKS);
        auction.reserve = terms.reserve;
        auction.requestHash = keccak256(abi.encode(request));
        emit AuctionOpened(auctionId, msg.sender, request.tag, request, terms, closeBlock);
    }

    /// @inheritdoc IAuctionHouse
    function bid(uint256 auctionId) external payable {
        Auction storage auction = _auctions[auctionId];
        if (auction.state != State.Open || block.number > auction.closeBlock) revert NotOpen();
        uint256 minimum = minimumBid(auctionId);
        if (msg.value < minimum || msg.value > type(uint128).max) revert BidTooLow(minimum);
        _credit(auction.leader, auction.highestBid);
        auction.leader = msg.sender;
        auction.highestBid = uint128(msg.value);
        _extend(auction);
        emit BidPlaced(auctionId, msg.sender, msg.value, auction.closeBlock);
    }

    /* CLOSING */

    /// @inheritdoc IAuctionHouse
    function close(uint256 auctionId, Request calldata request) external {
        Auction storage auction = _auctions[auctionId];
        if (auction.state != State.Open) revert NotOpen();
        if (block.number <= auction.closeBlock) revert StillOpen(auction.closeBlock);
        if (keccak256(abi.encode(request)) != auction.requestHash) revert WrongRequest();
        (address winner, uint256 price) = (auction.leader, auction.highestBid);
        if (winner == address(0) || !IJobs(jobs).isFeasible(request.tag)) {
            auction.state = State.Void;
            emit AuctionVoid(auctionId, winner, price);
            return _credit(winner, price);
        }
        auction.state = State.Won;
        uint256 jobId = IJobs(jobs).create{value: price}(request, winner);
        auction.jobId = jobId;
        emit AuctionWon(auctionId, jobId, winner, price);
    }

    /* VIEWS */

    /// @inheritdoc IAuctionHouse
    function auctionOf(uint256 auctionId) external view returns (Auction memory) {
        return _auctions[auctionId];
    }

    /// @inheritdoc IAuctionHouse
    function minimumBid(uint256 auctionId) public view returns (uint256) {
        Auction storage auction = _auctions[auctionId];
        uint256 highest = auction.highestBid;
        if (highest == 0) return auction.reserve;
        uint256 increment = (highest * auction.incrementBps) / BPS;
        return highest + (increment > 0 ? increment : 1);
    }

    /* INTERNAL */

    function _extend(Auction storage auction) private {
        uint64 extended = uint64(block.number + EXTENSION_BLOCKS);
        if (extended <= auction.closeBlock) return;
        auction.closeBlock = extended < auction.latestCloseBlock ? extended : auction.latestCloseBlock;
    }
}
