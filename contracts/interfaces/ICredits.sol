// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Pulled payments
/// @notice Nothing is ever sent to a party that did not ask for it, so a hostile receiver can only hurt itself.
interface ICredits {
    /// @notice `account` may withdraw `amount` wei more.
    event Credited(address indexed account, uint256 amount);
    /// @notice `account` withdrew `amount` wei to `to`.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice The caller has no credit here.
    error NothingToWithdraw();
    /// @notice The receiver refused the payment; the credit stands, another receiver may be named.
    error PaymentRefused(address to);

    /// @notice What `account` may withdraw, in wei.
    function credit(address account) external view returns (uint256);

    /// @notice Sends the caller's whole credit to `to`.
    /// @param to Any address that takes ether: a contract that cannot receive names another one.
    function withdraw(address payable to) external;
}
