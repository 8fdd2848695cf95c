// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HistoricalList} from "../../../contracts/lib/HistoricalList.sol";
import {Likelihood} from "../../../contracts/yoda/Likelihood.sol";
import {Sortition} from "../../../contracts/yoda/Sortition.sol";

contract SortitionHarness {
    function permute(uint256 index, uint256 size, bytes32 seed) external pure returns (uint256) {
        return Sortition.permute(index, size, seed);
    }

    function permutation(uint256 size, bytes32 seed) external pure returns (uint256[] memory ranks) {
        ranks = new uint256[](size);
        for (uint256 i = 0; i < size; ++i) {
            ranks[i] = Sortition.permute(i, size, seed);
        }
    }

    /// @return ranks One byte for each index, for each of the seeds `firstSeed`, `firstSeed` + 1, …
    function rankings(uint256 size, uint256 firstSeed, uint256 seeds) external pure returns (bytes memory ranks) {
        ranks = new bytes(size * seeds);
        for (uint256 i = 0; i < ranks.length; ++i) {
            ranks[i] = bytes1(uint8(Sortition.permute(i % size, size, bytes32(firstSeed + i / size))));
        }
    }

    /// @return gas_ What it costs to permute every index once, without the loop around it.
    function gasOfPermuting(uint256 size, bytes32 seed) external view returns (uint256 gas_) {
        for (uint256 i = 0; i < size; ++i) {
            uint256 before = gasleft();
            Sortition.permute(i, size, seed);
            gas_ += before - gasleft();
        }
    }
}

contract LikelihoodHarness {
    struct Case {
        uint256 honest;
        uint256 byzantine;
        uint256 votes;
        uint256 leader;
        uint256 runnerUp;
        uint256 errorPpm;
    }

    struct Decision {
        bool certain;
        int256 score;
        int256 threshold;
    }

    /// @dev Scores, like the YODA contract, only what is not certain.
    function decide(Case[] calldata cases) external pure returns (Decision[] memory decisions) {
        decisions = new Decision[](cases.length);
        for (uint256 i = 0; i < cases.length; ++i) {
            Case calldata c = cases[i];
            decisions[i].certain = Likelihood.isCertain(c.byzantine, c.votes, c.leader, c.runnerUp);
            decisions[i].threshold = Likelihood.threshold(c.errorPpm);
            if (decisions[i].certain) continue;
            decisions[i].score = Likelihood.score(c.honest, c.byzantine, c.votes, c.leader, c.runnerUp);
        }
    }
}

contract ListHarness {
    using HistoricalList for HistoricalList.List;

    HistoricalList.List private _list;

    /// @notice Where the list said that a member stands, when it last moved.
    mapping(uint160 member => uint256) public placeOf;

    /// @notice Toggles each member: joins when absent, leaves when present.
    function toggle(uint160[] calldata members) external {
        for (uint256 i = 0; i < members.length; ++i) {
            if (_list.contains(members[i])) _remove(members[i]);
            else placeOf[members[i]] = _list.add(members[i]);
        }
    }

    function count() external view returns (uint256) {
        return _list.count();
    }

    /// @return members The list at the end of `blockNumber`, and one more slot that must be empty.
    function at(uint256 blockNumber) external view returns (uint160[] memory members) {
        members = new uint160[](_list.countAt(blockNumber) + 1);
        for (uint256 i = 0; i < members.length; ++i) {
            members[i] = _list.at(i, blockNumber);
        }
    }

    function _remove(uint160 member) private {
        (uint160 moved, uint256 index) = _list.remove(member);
        if (moved != 0) placeOf[moved] = index;
    }
}
