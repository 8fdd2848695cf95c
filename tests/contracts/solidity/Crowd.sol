// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title A party that is a contract and takes no ether back
contract Actor {
    function act(address target, bytes calldata data) external payable returns (bytes memory answer) {
        bool done;
        (done, answer) = target.call{value: msg.value}(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }
}

/// @title Many parties that act in one transaction, so in one block, or in one `eth_call`
contract Crowd {
    struct Move {
        uint256 actor;
        address target;
        uint256 value;
        bytes data;
    }

    Actor private immutable ACTOR = new Actor();
    Actor[] public actors;

    receive() external payable {}

    function hire(uint256 count) external {
        for (uint256 i = 0; i < count; ++i) {
            actors.push(Actor(Clones.clone(address(ACTOR))));
        }
    }

    function everyone() external view returns (Actor[] memory) {
        return actors;
    }

    /// @notice The same move by `count` actors, one after the other.
    function chorus(uint256 first, uint256 count, address target, uint256 value, bytes calldata data) external {
        for (uint256 i = first; i < first + count; ++i) {
            actors[i].act{value: value}(target, data);
        }
    }

    /// @return answers What each move returned. A move that fails undoes them all with its own error.
    function play(Move[] calldata moves) external payable returns (bytes[] memory answers) {
        answers = new bytes[](moves.length);
        for (uint256 i = 0; i < moves.length; ++i) {
            Move calldata move = moves[i];
            answers[i] = actors[move.actor].act{value: move.value}(move.target, move.data);
        }
    }
}
