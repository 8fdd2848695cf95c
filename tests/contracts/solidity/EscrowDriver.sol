// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";

/// @title Stands for the job contract and for YODA, so that one `eth_call` plays a whole settlement
contract EscrowDriver {
    IEscrow public escrow;

    struct Claim {
        uint256 index;
        uint256 start;
        uint256 end;
        bytes32[] proof;
    }

    constructor(IEscrow escrow_) {
        escrow = escrow_;
    }

    receive() external payable {}

    function sellerAt(uint256, uint256 index) external pure returns (address) {
        return seller(index);
    }

    function wasRight(uint256, uint32, uint16, address, bytes32) external pure returns (bool) {
        return true;
    }

    function seller(uint256 index) public pure returns (address) {
        return address(uint160(0x5E11E20000 + index));
    }

    function node(uint256 index) public pure returns (address) {
        return address(uint160(0xC0DE0000 + index));
    }

    /// @param votes Right votes of each node, in the order of the claims.
    function run(
        uint256 jobId,
        uint256 price,
        IEscrow.Settlement calldata settlement,
        Claim[] calldata claims,
        uint32[] calldata votes
    )
        external
        payable
        returns (IEscrow.Pots memory pots, uint256 refund, uint256[] memory paidSellers, uint256[] memory paidNodes)
    {
        escrow.fund{value: price}(jobId);
        escrow.settle(jobId, settlement);
        refund = escrow.credit(settlement.buyer);
        paidSellers = new uint256[](claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            escrow.claimSeller(jobId, c.index, c.start, c.end, c.proof);
            paidSellers[i] = escrow.credit(seller(c.index));
        }
        paidNodes = new uint256[](votes.length);
        for (uint256 i = 0; i < votes.length; ++i) {
            escrow.claimCone(jobId, node(i), _votes(votes[i]));
            paidNodes[i] = escrow.credit(node(i));
        }
        pots = escrow.potsOf(jobId);
    }

    /// @dev One vote in each of the rounds 1 to `count`.
    function _votes(uint32 count) private pure returns (IEscrow.Vote[] memory votes) {
        votes = new IEscrow.Vote[](count);
        for (uint32 i = 0; i < count; ++i) {
            votes[i].round = i + 1;
        }
    }
}
