// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ETHER} from "../interfaces/ICredits.sol";
import {IEscrow} from "../interfaces/IEscrow.sol";
import {IJobs} from "../interfaces/IJobs.sol";
import {IYoda} from "../interfaces/IYoda.sol";
import {Credits} from "../lib/Credits.sol";
import {Split} from "./Split.sol";

/// @title Escrow
contract Escrow is IEscrow, Credits {
    using SafeERC20 for IERC20;
    using Math for uint256;

    /// @notice The whole of the contribution shares.
    uint256 public constant SHARES_ONE = 1e18;

    /// @notice The job contract, fixed at deployment.
    address public immutable jobs;
    IYoda public immutable yoda;

    /// @inheritdoc IEscrow
    mapping(uint256 auctionId => uint256) public purseOf;

    mapping(uint256 jobId => Pots) private _pots;
    /// @dev Bit i: the seller at index i has been paid.
    mapping(uint256 jobId => uint256) private _paidSellers;
    /// @dev Bit m: the vote of mini-round m has been paid. By hash of job, seat, round.
    mapping(bytes32 key => uint256) private _paidVotes;

    constructor(address jobs_, IYoda yoda_) {
        jobs = jobs_;
        yoda = yoda_;
    }

    modifier onlyAuctionHouse() {
        if (msg.sender != IJobs(jobs).auctionHouse()) revert OnlyAuctionHouse();
        _;
    }

    /* THE AUCTION HOUSE'S SIDE */

    /// @inheritdoc IEscrow
    function deposit(uint256 auctionId, address token, address payer, uint256 amount)
        external
        payable
        onlyAuctionHouse
    {
        uint256 value = token == ETHER ? amount : 0;
        if (msg.value != value) revert WrongValue(value);
        if (amount > type(uint128).max) revert TooLarge(amount);
        purseOf[auctionId] += amount;
        emit Deposited(auctionId, token, payer, amount);
        if (token != ETHER) _pull(IERC20(token), payer, amount);
    }

    /// @inheritdoc IEscrow
    function refund(uint256 auctionId, address token, address account, uint256 amount) external onlyAuctionHouse {
        purseOf[auctionId] -= amount;
        _credit(token, account, amount);
    }

    /// @inheritdoc IEscrow
    function fund(uint256 jobId, uint256 auctionId, address token, uint256 price) external onlyAuctionHouse {
        if (price > type(uint128).max) revert TooLarge(price);
        purseOf[auctionId] -= price;
        Pots storage pots = _pots[jobId];
        pots.token = token;
        pots.price = uint128(price);
        emit JobFunded(jobId, token, price);
    }

    /* THE POOL'S AND THE JOB CONTRACT'S SIDE */

    /// @inheritdoc IEscrow
    function addSlashed(uint256 jobId) external payable {
        if (msg.sender != address(IJobs(jobs).pool())) revert OnlyPool();
        _pots[jobId].slashPot += uint128(msg.value);
        emit SlashedAdded(jobId, msg.value);
    }

    /// @inheritdoc IEscrow
    function settle(uint256 jobId, Settlement calldata settlement) external {
        if (msg.sender != jobs) revert OnlyJobs();
        Pots storage pots = _pots[jobId];
        if (pots.settled) revert AlreadySettled();
        uint256 price = pots.price;
        uint256 earned = Split.earned(price, settlement.earnedRounds, settlement.totalRounds);
        uint256 conePart = Split.conePart(earned);
        // What has nobody to go to is the buyer's: no vote was right, or no update was ever kept.
        uint256 conePot = settlement.rightVotes == 0 ? 0 : conePart;
        uint256 sellerPot = settlement.contributionsRoot == 0 ? 0 : earned - conePart;
        uint256 slashPot = pots.slashPot;
        pots.settled = true;
        pots.conePot = uint128(conePot);
        pots.sellerPot = uint128(sellerPot);
        pots.rightVotes = settlement.rightVotes;
        pots.contributionsRoot = settlement.contributionsRoot;
        emit JobPaid(jobId, conePot, sellerPot, price - conePot - sellerPot, slashPot);
        _credit(pots.token, settlement.buyer, price - conePot - sellerPot);
        if (settlement.rightVotes != 0) return;
        pots.slashPot = 0;
        _credit(ETHER, settlement.buyer, slashPot);
    }

    /* CLAIMS */

    /// @inheritdoc IEscrow
    function claimSeller(uint256 jobId, uint256 index, uint256 start, uint256 end, bytes32[] calldata proof) external {
        Pots storage pots = _pots[jobId];
        if (!pots.settled) revert NotSettled();
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index, start, end))));
        if (!MerkleProof.verifyCalldata(proof, pots.contributionsRoot, leaf)) revert BadProof();
        uint256 bit = uint256(1) << index;
        if (_paidSellers[jobId] & bit != 0) revert AlreadyPaid();
        _paidSellers[jobId] |= bit;

        uint256 amount = Split.between(pots.sellerPot, start, end, SHARES_ONE);
        if (amount > pots.sellerPot - pots.sellerPaid) revert PotExceeded();
        pots.sellerPaid += uint128(amount);
        address seller = IJobs(jobs).sellerAt(jobId, index);
        emit SellerPaid(jobId, index, seller, amount);
        _credit(pots.token, seller, amount);
    }

    /// @inheritdoc IEscrow
    function claimCone(uint256 jobId, uint256 seat, Vote[] calldata votes) external {
        Pots storage pots = _pots[jobId];
        if (!pots.settled) revert NotSettled();
        for (uint256 i = 0; i < votes.length; ++i) {
            _markPaid(jobId, seat, votes[i]);
        }
        (uint256 start, uint256 whole) = (pots.paidVotes, pots.rightVotes);
        uint256 end = start + votes.length;
        if (end > whole) revert PotExceeded();
        pots.paidVotes = uint32(end);
        if (votes.length == 0) return;

        uint256 amount = Split.between(pots.conePot, start, end, whole);
        uint256 slashed = Split.between(pots.slashPot, start, end, whole);
        address node = yoda.nodeAt(jobId, seat);
        emit ConePaid(jobId, node, votes.length, amount, slashed);
        _credit(pots.token, node, amount);
        _credit(ETHER, node, slashed);
    }

    /* VIEWS */

    /// @inheritdoc IEscrow
    function potsOf(uint256 jobId) external view returns (Pots memory) {
        return _pots[jobId];
    }

    /* INTERNAL */

    function _pull(IERC20 token, address payer, uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(payer, address(this), amount);
        // Below zero when the payer moves money out while this moves in: refused like any other difference.
        uint256 received = token.balanceOf(address(this)).saturatingSub(before);
        if (received != amount) revert UnfaithfulToken(address(token), amount, received);
    }

    function _markPaid(uint256 jobId, uint256 seat, Vote calldata vote) private {
        if (yoda.conductOf(jobId, vote.round, vote.miniRound, seat) != IYoda.Conduct.Right) {
            revert NotRight(vote.round, vote.miniRound);
        }
        bytes32 key = keccak256(abi.encode(jobId, seat, vote.round));
        uint256 bit = uint256(1) << vote.miniRound;
        if (_paidVotes[key] & bit != 0) revert AlreadyPaid();
        _paidVotes[key] |= bit;
    }
}
