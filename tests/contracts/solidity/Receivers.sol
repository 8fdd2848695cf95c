// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A party that calls back while it is being paid
contract Reentrant {
    address private _target;
    bytes private _data;

    /// @notice Payments received, and whether a call made during one of them succeeded.
    uint256 public payments;
    bool public reentered;

    /// @notice What to call whenever a payment arrives.
    function plan(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    function act(address target, bytes calldata data) external payable {
        (bool done, bytes memory answer) = target.call{value: msg.value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    receive() external payable {
        ++payments;
        (bool done,) = _target.call(_data);
        reentered = reentered || done;
    }
}
