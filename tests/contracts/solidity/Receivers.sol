// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Actor} from "./Crowd.sol";

/// @title A party that calls back, once, while it is being paid or while a token tells it of a payment
contract Reentrant is Actor {
    address private _target;
    bytes private _data;

    /// @notice Calls received since the plan was made, and whether calling back succeeded.
    uint256 public payments;
    bool public reentered;

    /// @notice What to call when the next payment comes.
    function plan(address target, bytes calldata data) external {
        (_target, _data, payments, reentered) = (target, data, 0, false);
    }

    receive() external payable {
        ++payments;
        if (payments > 1 || _target == address(0)) return;
        (reentered,) = _target.call(_data);
    }
}

/// @title A party that burns all the gas it gets when it is paid
contract GasBurner is Actor {
    receive() external payable {
        while (true) {}
    }
}
