// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAuctionHouse} from "../interfaces/IAuctionHouse.sol";
import {ETHER} from "../interfaces/ICredits.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {Request} from "../interfaces/Types.sol";
import {BPS} from "../lib/Limits.sol";

/// @title Auction house
contract AuctionHouse is IAuctionHouse {
    /// @notice Separates sealed bids from every other hash.
    bytes32 public constant SEALED_DOMAIN = keccak256("D2M sealed bid v1");

    /// @notice Shorter windows could be missed by a buyer that looks once a minute (12 s blocks).
    uint256 public constant MIN_WINDOW_BLOCKS = 5;
    /// @notice A week of 12 s blocks.
    uint256 public constant MAX_WINDOW_BLOCKS = 50_400;
    /// @notice A bid in the last blocks keeps an open auction open for at least this many more: no sniping.
    uint256 public constant EXTENSION_BLOCKS = 5;
    /// @notice All extensions together, so that nobody can keep an auction open for good.
    uint256 public constant MAX_EXTENSION_BLOCKS = 100;
    /// @notice A sealed deposit is the reserve doubled up to so many times: a million reserves.
    uint256 public constant MAX_TIER = 20;
    /// @notice So that the largest deposits of 2^24 sealed bids together fit 128 bits.
    uint256 public constant MAX_RESERVE = type(uint128).max >> (MAX_TIER + 24);
    /// @notice What a sealed bid that is never revealed loses of its deposit, in basis points. The deposit is at least the
    /// bid, so a bid that was meant to deter others costs a fifth of what it pretended to be.
    uint256 public constant FORFEIT_BPS = 2000;

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;
    /// @notice Where the money lies; tokens are approved to it.
    IEscrow public immutable escrow;

    /// @inheritdoc IAuctionHouse
    uint256 public auctionCount;

    mapping(uint256 auctionId => Auction) private _auctions;
    mapping(uint256 auctionId => mapping(address bidder => SealedBid)) private _sealedBids;

    constructor(address jobs_, IEscrow escrow_) {
        jobs = jobs_;
        escrow = escrow_;
    }

    /* OPENING */

    /// @inheritdoc IAuctionHouse
    function open(Request calldata request, Terms calldata terms) external returns (uint256 auctionId) {
        _checkTerms(terms);
        IJobs(jobs).check(request);
        auctionId = ++auctionCount;
        uint40 closeBlock = uint40(block.number) + terms.windowBlocks;
        Auction storage auction = _auctions[auctionId];
        auction.state = State.Open;
        auction.kind = terms.kind;
        auction.incrementBps = terms.incrementBps;
        auction.closeBlock = closeBlock;
        bool isOpenKind = terms.kind == Kind.Open;
        auction.latestBlock = closeBlock + (isOpenKind ? uint40(MAX_EXTENSION_BLOCKS) : terms.revealBlocks);
        auction.opener = msg.sender;
        auction.token = terms.token;
        auction.reserve = terms.reserve;
        auction.requestHash = keccak256(abi.encode(request));
        emit AuctionOpened(auctionId, msg.sender, request.tag, request, terms, closeBlock);
    }

    /// @inheritdoc IAuctionHouse
    function cancel(uint256 auctionId) external {
        Auction storage auction = _auctions[auctionId];
        bool untouched = auction.leader == address(0) && auction.sealedBids == 0;
        if (auction.state != State.Open || auction.opener != msg.sender || !untouched) revert CannotCancel();
        auction.state = State.Cancelled;
        emit AuctionCancelled(auctionId);
    }

    /* BIDDING */

    /// @inheritdoc IAuctionHouse
    function bid(uint256 auctionId, uint256 amount) external payable {
        Auction storage auction = _auctions[auctionId];
        if (!_takesBids(auction) || auction.kind != Kind.Open) revert NotOpen();
        uint256 minimum = minimumBid(auctionId);
        if (amount < minimum) revert BidTooLow(minimum);
        (address token, address outbid, uint256 outbidAmount) = (auction.token, auction.leader, auction.highestBid);
        auction.leader = msg.sender;
        auction.highestBid = uint128(amount);
        _extend(auction);
        emit BidPlaced(auctionId, msg.sender, amount, auction.closeBlock);
        escrow.deposit{value: msg.value}(auctionId, token, msg.sender, amount);
        if (outbid != address(0)) escrow.refund(auctionId, token, outbid, outbidAmount);
    }

    /// @inheritdoc IAuctionHouse
    function sealBid(uint256 auctionId, bytes32 commitment, uint8 tier) external payable {
        Auction storage auction = _auctions[auctionId];
        if (!_takesBids(auction) || auction.kind == Kind.Open) revert NotOpen();
        if (commitment == 0) revert EmptyCommitment();
        if (tier > MAX_TIER) revert BadTier();
        SealedBid storage sealed_ = _sealedBids[auctionId][msg.sender];
        if (sealed_.commitment != 0) revert AlreadySealed();
        uint256 amount = uint256(auction.reserve) << tier;
        auction.sealedBids += 1;
        auction.forfeits += uint128(_forfeit(amount));
        sealed_.commitment = commitment;
        sealed_.deposit = uint128(amount);
        sealed_.place = auction.sealedBids;
        emit BidSealed(auctionId, msg.sender, amount);
        escrow.deposit{value: msg.value}(auctionId, auction.token, msg.sender, amount);
    }

    /// @inheritdoc IAuctionHouse
    function revealBid(uint256 auctionId, uint256 amount, bytes32 salt) external {
        Auction storage auction = _auctions[auctionId];
        if (!_takesReveals(auction)) revert NotRevealing();
        SealedBid storage sealed_ = _sealedBids[auctionId][msg.sender];
        if (sealed_.commitment == 0 || sealed_.closed) revert NoSealedBid();
        if (sealed_.commitment != sealedCommitment(msg.sender, auctionId, amount, salt)) revert CommitmentMismatch();
        uint256 deposit = sealed_.deposit;
        if (amount > deposit) revert BidAboveDeposit(deposit);
        if (amount < auction.reserve) revert BidTooLow(auction.reserve);
        sealed_.closed = true;
        auction.revealedBids += 1;
        auction.forfeits -= uint128(_forfeit(deposit));
        emit BidRevealed(auctionId, msg.sender, amount);
        if (!_leads(auction, amount, sealed_.place)) {
            if (amount > auction.secondBid) auction.secondBid = uint128(amount);
            return escrow.refund(auctionId, auction.token, msg.sender, deposit);
        }
        address outbid = auction.leader;
        auction.secondBid = auction.highestBid;
        auction.highestBid = uint128(amount);
        auction.leader = msg.sender;
        auction.leaderPlace = sealed_.place;
        if (outbid == address(0)) return;
        escrow.refund(auctionId, auction.token, outbid, _sealedBids[auctionId][outbid].deposit);
    }

    /* CLOSING */

    /// @inheritdoc IAuctionHouse
    function close(uint256 auctionId, Request calldata request) external {
        Auction storage auction = _auctions[auctionId];
        if (auction.state != State.Open) revert NotOpen();
        _checkOver(auction);
        if (keccak256(abi.encode(request)) != auction.requestHash) revert WrongRequest();
        (address winner, address token, uint256 forfeits) = (auction.leader, auction.token, auction.forfeits);
        uint256 held = _heldOf(auctionId, auction);
        if (winner == address(0) || !IJobs(jobs).isFeasible(request.tag)) {
            auction.state = State.Void;
            emit AuctionVoid(auctionId, winner, forfeits);
            escrow.refund(auctionId, token, winner, held);
            return escrow.refund(auctionId, token, auction.opener, forfeits);
        }
        auction.state = State.Won;
        uint256 price = _priceOf(auction);
        uint256 jobId = IJobs(jobs).create(request, winner, price + forfeits);
        auction.jobId = jobId;
        emit AuctionWon(auctionId, jobId, winner, price, forfeits);
        escrow.refund(auctionId, token, winner, held - price);
        escrow.fund(jobId, auctionId, token, price + forfeits);
    }

    /// @inheritdoc IAuctionHouse
    function reclaim(uint256 auctionId, address bidder) external {
        Auction storage auction = _auctions[auctionId];
        if (auction.state == State.Open) revert StillOpen(auction.latestBlock);
        SealedBid storage sealed_ = _sealedBids[auctionId][bidder];
        if (sealed_.commitment == 0 || sealed_.closed) revert NoSealedBid();
        sealed_.closed = true;
        uint256 forfeited = _forfeit(sealed_.deposit);
        emit BidForfeited(auctionId, bidder, forfeited);
        escrow.refund(auctionId, auction.token, bidder, sealed_.deposit - forfeited);
    }

    /* VIEWS */

    /// @inheritdoc IAuctionHouse
    function auctionOf(uint256 auctionId) external view returns (Auction memory) {
        return _auctions[auctionId];
    }

    /// @inheritdoc IAuctionHouse
    function sealedBidOf(uint256 auctionId, address bidder) external view returns (SealedBid memory) {
        return _sealedBids[auctionId][bidder];
    }

    /// @inheritdoc IAuctionHouse
    function sealedCommitment(address bidder, uint256 auctionId, uint256 amount, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(SEALED_DOMAIN, block.chainid, address(this), bidder, auctionId, amount, salt));
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

    function _checkTerms(Terms calldata terms) private view {
        if (!_isWindow(terms.windowBlocks) || terms.reserve == 0) revert TermsOutOfBounds();
        if (terms.reserve > MAX_RESERVE) revert TermsOutOfBounds();
        if (terms.token != ETHER && terms.token.code.length == 0) revert TermsOutOfBounds();
        bool fits = terms.kind == Kind.Open
            ? terms.incrementBps <= BPS && terms.revealBlocks == 0
            : terms.incrementBps == 0 && _isWindow(terms.revealBlocks);
        if (!fits) revert TermsOutOfBounds();
    }

    function _isWindow(uint256 blocks) private pure returns (bool) {
        return MIN_WINDOW_BLOCKS <= blocks && blocks <= MAX_WINDOW_BLOCKS;
    }

    function _takesBids(Auction storage auction) private view returns (bool) {
        return auction.state == State.Open && block.number <= auction.closeBlock;
    }

    function _takesReveals(Auction storage auction) private view returns (bool) {
        if (auction.state != State.Open || auction.kind == Kind.Open) return false;
        return auction.closeBlock < block.number && block.number <= auction.latestBlock;
    }

    function _checkOver(Auction storage auction) private view {
        if (block.number <= auction.closeBlock) revert StillOpen(auction.closeBlock);
        bool complete = auction.kind == Kind.Open || auction.revealedBids == auction.sealedBids;
        if (!complete && block.number <= auction.latestBlock) revert StillOpen(auction.latestBlock);
    }

    function _leads(Auction storage auction, uint256 amount, uint32 place) private view returns (bool) {
        if (amount != auction.highestBid) return amount > auction.highestBid;
        return place < auction.leaderPlace;
    }

    /// @dev What the purse holds for the leader.
    function _heldOf(uint256 auctionId, Auction storage auction) private view returns (uint256) {
        if (auction.kind == Kind.Open) return auction.highestBid;
        return auction.leader == address(0) ? 0 : _sealedBids[auctionId][auction.leader].deposit;
    }

    function _priceOf(Auction storage auction) private view returns (uint256) {
        if (auction.kind != Kind.SealedSecondPrice) return auction.highestBid;
        return auction.secondBid > auction.reserve ? auction.secondBid : auction.reserve;
    }

    function _forfeit(uint256 deposit) private pure returns (uint256) {
        return deposit * FORFEIT_BPS / BPS;
    }

    function _extend(Auction storage auction) private {
        uint40 extended = uint40(block.number + EXTENSION_BLOCKS);
        if (extended <= auction.closeBlock) return;
        auction.closeBlock = extended < auction.latestBlock ? extended : auction.latestBlock;
    }
}
