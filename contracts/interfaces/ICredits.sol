// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Stands for the chain's own currency where a token's address is asked for.
address constant ETHER = address(0);

/// @title Pulled payments, in ether and in ERC-20 tokens
/// @notice Nothing is ever sent to a party that did not ask for it, so a hostile receiver can only hurt itself.
interface ICredits {
    /// @notice `account` may withdraw `amount` more of `token` (in its smallest unit; `ETHER`: wei).
    event Credited(address indexed token, address indexed account, uint256 amount);
    /// @notice `account` withdrew `amount` of `token` to `to`.
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);

    /// @notice The caller has no credit in this token.
    error NothingToWithdraw();
    /// @notice The receiver refused the payment; the credit stands, another receiver may be named.
    error PaymentRefused(address to);

    /// @notice What `account` may withdraw of `token`, in its smallest unit.
    function credit(address token, address account) external view returns (uint256);

    /// @notice Sends the caller's whole credit in `token` to `to`.
    /// @param token An ERC-20 token, or `ETHER`.
    /// @param to Any address that takes it: a contract that cannot receive names another one.
    function withdraw(address token, address payable to) external;
}
