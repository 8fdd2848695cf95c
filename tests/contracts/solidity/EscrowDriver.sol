// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ETHER} from "../../../contracts/interfaces/ICredits.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IYoda} from "../../../contracts/interfaces/IYoda.sol";

/// @title Stands for every other contract of the market, so that one `eth_call` plays a whole settlement
contract EscrowDriver {
    uint256 private constant JOB = 1;
    uint256 private constant AUCTION = 1;

    IEscrow public escrow;

    /// @dev A seller's share when there is a proof, votes of a node when there is none.
    struct Claim {
        /// @dev Of the seller, or the node's seat.
        uint256 index;
        /// @dev The share, or the first and the last of the node's votes, counted from 0.
        uint256 start;
        uint256 end;
        bool ofSeller;
        bytes32[] proof;
    }

    /// @dev What the parties may withdraw: of the job's token, and of wei.
    struct Paid {
        uint256 token;
        uint256 ether_;
    }

    constructor(IEscrow escrow_) {
        escrow = escrow_;
    }

    receive() external payable {}

    /* AS THE JOB CONTRACT */

    function auctionHouse() external view returns (address) {
        return address(this);
    }

    function pool() external view returns (address) {
        return address(this);
    }

    function sellerAt(uint256, uint256 index) external pure returns (address) {
        return seller(index);
    }

    /* AS YODA */

    function conductOf(uint256, uint16, uint16, uint256) external pure returns (IYoda.Conduct) {
        return IYoda.Conduct.Right;
    }

    function nodeAt(uint256, uint256 seat) external pure returns (address) {
        return node(seat);
    }

    /* PARTIES */

    function seller(uint256 index) public pure returns (address) {
        return address(uint160(0x5E11E20000 + index));
    }

    function node(uint256 seat) public pure returns (address) {
        return address(uint160(0xC0DE0000 + seat));
    }

    /* ONE JOB */

    /// @param token What the price is paid in; this contract holds enough of it.
    /// @param purse What was bid; `price` of it goes to the job, the rest to the buyer.
    /// @param slashes Wei that the job's nodes lose, one after the other.
    function run(
        address token,
        uint256 purse,
        uint256 price,
        uint256[] calldata slashes,
        IEscrow.Settlement calldata settlement,
        Claim[] calldata claims
    ) external payable returns (IEscrow.Pots memory pots, Paid memory refund, Paid[] memory paid) {
        _fund(token, purse, price, settlement.buyer);
        for (uint256 i = 0; i < slashes.length; ++i) {
            escrow.addSlashed{value: slashes[i]}(JOB);
        }
        escrow.settle(JOB, settlement);
        refund = _creditOf(token, settlement.buyer);
        paid = new Paid[](claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            paid[i] = _claim(token, claims[i]);
        }
        pots = escrow.potsOf(JOB);
    }

    function _fund(address token, uint256 purse, uint256 price, address buyer) private {
        if (token != ETHER) IERC20(token).approve(address(escrow), purse);
        escrow.deposit{value: token == ETHER ? purse : 0}(AUCTION, token, address(this), purse);
        escrow.refund(AUCTION, token, buyer, purse - price);
        escrow.fund(JOB, AUCTION, token, price);
    }

    /// @return What this claim added to the party's credit.
    function _claim(address token, Claim calldata claim) private returns (Paid memory) {
        address party = claim.ofSeller ? seller(claim.index) : node(claim.index);
        Paid memory before = _creditOf(token, party);
        if (claim.ofSeller) escrow.claimSeller(JOB, claim.index, claim.start, claim.end, claim.proof);
        else escrow.claimCone(JOB, claim.index, _votes(claim.start, claim.end));
        Paid memory later = _creditOf(token, party);
        return Paid(later.token - before.token, later.ether_ - before.ether_);
    }

    function _creditOf(address token, address party) private view returns (Paid memory) {
        return Paid(escrow.credit(token, party), token == ETHER ? 0 : escrow.credit(ETHER, party));
    }

    /// @dev Eight mini-rounds in each round.
    function _votes(uint256 start, uint256 end) private pure returns (IEscrow.Vote[] memory votes) {
        votes = new IEscrow.Vote[](end - start);
        for (uint256 i = 0; i < votes.length; ++i) {
            votes[i] = IEscrow.Vote(uint16(1 + (start + i) / 8), uint16(1 + (start + i) % 8));
        }
    }
}
