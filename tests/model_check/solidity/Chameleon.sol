// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A party that is a contract: it takes payments, refuses them, or calls back once while it is paid
contract Chameleon {
    enum Mood {
        Takes,
        Refuses,
        CallsBack
    }

    Mood private _mood;
    address private _target;
    bytes private _data;

    /// @notice What to do with the next payments.
    function plan(Mood mood, address target, bytes calldata data) external {
        (_mood, _target, _data) = (mood, target, data);
    }

    function act(address target, bytes calldata data) external payable {
        (bool done, bytes memory answer) = target.call{value: msg.value}(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    receive() external payable {
        require(_mood != Mood.Refuses);
        if (_mood == Mood.Takes) return;
        _mood = Mood.Takes;
        // The attack may fail; what it changes is seen in the market's state.
        (bool done,) = _target.call(_data);
        done;
    }
}
