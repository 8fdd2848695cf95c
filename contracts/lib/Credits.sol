// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ETHER, ICredits} from "../interfaces/ICredits.sol";

/// @title Ledger of pulled payments
abstract contract Credits is ICredits {
    using SafeERC20 for IERC20;

    /// @inheritdoc ICredits
    mapping(address token => mapping(address account => uint256)) public credit;

    /// @inheritdoc ICredits
    function withdraw(address token, address payable to) external {
        uint256 amount = credit[token][msg.sender];
        if (amount == 0) revert NothingToWithdraw();
        delete credit[token][msg.sender];
        emit Withdrawn(token, msg.sender, to, amount);
        if (token != ETHER) return IERC20(token).safeTransfer(to, amount);
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert PaymentRefused(to);
    }

    function _credit(address token, address account, uint256 amount) internal {
        if (amount == 0) return;
        credit[token][account] += amount;
        emit Credited(token, account, amount);
    }
}
