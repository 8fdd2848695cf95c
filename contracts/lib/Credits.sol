// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredits} from "../interfaces/ICredits.sol";

/// @title Ledger of pulled payments
abstract contract Credits is ICredits {
    /// @inheritdoc ICredits
    mapping(address account => uint256) public credit;

    /// @inheritdoc ICredits
    function withdraw(address payable to) external {
        uint256 amount = credit[msg.sender];
        if (amount == 0) revert NothingToWithdraw();
        delete credit[msg.sender];
        emit Withdrawn(msg.sender, to, amount);
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to);
    }

    function _credit(address account, uint256 amount) internal {
        if (amount == 0) return;
        credit[account] += amount;
        emit Credited(account, amount);
    }
}
