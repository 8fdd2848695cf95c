// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Escrow} from "../../contracts/escrow/Escrow.sol";
import {ETHER} from "../../contracts/interfaces/ICredits.sol";
import {IYoda} from "../../contracts/interfaces/IYoda.sol";
import {Credits} from "../../contracts/lib/Credits.sol";

/// @dev The ledger with its inside turned out.
contract Ledger is Credits {
    receive() external payable {}

    function give(address token, address account, uint256 amount) external {
        _credit(token, account, amount);
    }
}

/// @dev Takes note of what was moved.
contract Token {
    mapping(address to => uint256) public moved;

    function transfer(address to, uint256 amount) external returns (bool) {
        moved[to] += amount;
        return true;
    }
}

/// @title A credit comes only from a debit, and a withdrawal takes what was credited, once
/// @dev For all amounts below 2^96; the accounts are any two, equal ones included.
contract CreditsProof {
    address payable private constant RECEIVER = payable(address(0xBEEF));
    address private constant COIN = address(0xC014);

    /// @notice A credit adds its amount to one account in one token, and leaves every other as it was.
    function check_a_credit_is_one_accounts(
        address account,
        bool ether_,
        uint96 amount,
        address other,
        bool otherEther,
        uint96 had
    ) external {
        Ledger ledger = new Ledger();
        (address token, address otherToken) = (ether_ ? ETHER : COIN, otherEther ? ETHER : COIN);
        ledger.give(otherToken, other, had);
        ledger.give(token, account, amount);
        uint256 added = account == other && token == otherToken ? amount : 0;
        assert(ledger.credit(otherToken, other) == had + added);
    }

    /// @notice A withdrawal in ether pays the whole credit, leaves none, and touches nobody else's.
    function check_a_withdrawal_pays_the_credit(uint64 amount, uint64 rest, address other, uint96 had) external {
        if (amount == 0 || other == address(this)) return;
        Ledger ledger = new Ledger();
        _fund(ledger, uint256(amount) + rest);
        ledger.give(ETHER, address(this), amount);
        ledger.give(ETHER, other, had);
        uint256 before = RECEIVER.balance;
        ledger.withdraw(ETHER, RECEIVER);
        assert(RECEIVER.balance == before + amount);
        assert(address(ledger).balance == rest);
        assert(ledger.credit(ETHER, address(this)) == 0);
        assert(ledger.credit(ETHER, other) == had);
    }

    /// @notice A withdrawal in a token moves the whole credit in that token, and leaves the credit in ether.
    function check_a_withdrawal_moves_the_token(uint96 amount, uint96 inEther) external {
        if (amount == 0) return;
        Ledger ledger = new Ledger();
        Token token = new Token();
        ledger.give(address(token), address(this), amount);
        ledger.give(ETHER, address(this), inEther);
        ledger.withdraw(address(token), RECEIVER);
        assert(token.moved(RECEIVER) == amount);
        assert(ledger.credit(address(token), address(this)) == 0);
        assert(ledger.credit(ETHER, address(this)) == inEther);
    }

    /// @notice Without a credit of its own nobody withdraws anything, a second time included.
    function check_nothing_is_withdrawn_twice(uint64 amount, uint64 rest) external {
        if (amount == 0) return;
        Ledger ledger = new Ledger();
        _fund(ledger, uint256(amount) + rest);
        ledger.give(ETHER, address(this), amount);
        ledger.withdraw(ETHER, RECEIVER);
        (bool again,) = address(ledger).call(abi.encodeCall(ledger.withdraw, (ETHER, RECEIVER)));
        assert(!again);
        assert(address(ledger).balance == rest);
    }

    function _fund(Ledger ledger, uint256 amount) private {
        (bool paid,) = address(ledger).call{value: amount}("");
        assert(paid);
    }
}

/// @title The escrow credits out of purses, to the unit
/// @dev This contract stands for the job contract and for the auction house.
contract EscrowProof {
    address private constant BIDDER = address(0xB1D);

    function auctionHouse() external view returns (address) {
        return address(this);
    }

    /// @notice A refund takes from its auction's purse what it credits, and is refused beyond what is there.
    function check_a_refund_is_a_debit_of_the_purse(uint64 amount, uint64 part, uint64 elsewhere) external {
        Escrow escrow = _escrowWith(amount, elsewhere);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.refund, (1, ETHER, BIDDER, part)));
        assert(done == (part <= amount));
        uint256 credited = done ? part : 0;
        assert(escrow.credit(ETHER, BIDDER) == credited);
        assert(escrow.purseOf(1) == amount - credited);
        assert(escrow.purseOf(2) == elsewhere);
    }

    /// @notice A job's price is taken from its auction's purse, and is refused beyond what is there.
    function check_a_price_is_a_debit_of_the_purse(uint64 amount, uint64 price, uint64 elsewhere) external {
        Escrow escrow = _escrowWith(amount, elsewhere);
        (bool done,) = address(escrow).call(abi.encodeCall(escrow.fund, (7, 1, ETHER, price)));
        assert(done == (price <= amount));
        uint256 taken = done ? price : 0;
        assert(escrow.potsOf(7).price == taken);
        assert(escrow.purseOf(1) == amount - taken);
        assert(escrow.purseOf(2) == elsewhere);
    }

    function _escrowWith(uint256 amount, uint256 elsewhere) private returns (Escrow escrow) {
        escrow = new Escrow(address(this), IYoda(address(0)));
        escrow.deposit{value: amount}(1, ETHER, BIDDER, amount);
        escrow.deposit{value: elsewhere}(2, ETHER, BIDDER, elsewhere);
    }
}
