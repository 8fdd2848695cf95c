// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title A list of members whose past stays readable
/// @notice Members join and leave by swap-and-pop; who stood at an index in an earlier block can be looked up in
/// O(log changes). Freezing a set for a job is therefore remembering a block number, whatever the set's size.
/// A member is any number above 0 of 160 bits: an address, or the id of an offer.
library HistoricalList {
    using Checkpoints for Checkpoints.Trace160;

    struct List {
        Checkpoints.Trace160 length;
        mapping(uint256 index => Checkpoints.Trace160) slots;
        /// @dev Index + 1 of a present member, 0 for everybody else.
        mapping(uint160 member => uint256) position;
    }

    function contains(List storage list, uint160 member) internal view returns (bool) {
        return list.position[member] != 0;
    }

    function count(List storage list) internal view returns (uint256) {
        return list.length.latest();
    }

    /// @dev The caller has checked that `member` is not in the list.
    /// @return index Where it stands now.
    function add(List storage list, uint160 member) internal returns (uint256 index) {
        index = list.length.latest();
        _write(list.slots[index], member);
        list.position[member] = index + 1;
        list.length.push(uint96(block.number), uint160(index + 1));
    }

    /// @dev The caller has checked that `member` is in the list. The last member moves into the gap.
    /// @return moved The member that moved, or 0.
    /// @return index Where it stands now.
    function remove(List storage list, uint160 member) internal returns (uint160 moved, uint256 index) {
        index = list.position[member] - 1;
        uint256 last = list.length.latest() - 1;
        if (index != last) {
            moved = list.slots[last].latest();
            _write(list.slots[index], moved);
            list.position[moved] = index + 1;
        }
        delete list.position[member];
        list.length.push(uint96(block.number), uint160(last));
    }

    /// @notice How many members the list had at the end of `blockNumber`.
    function countAt(List storage list, uint256 blockNumber) internal view returns (uint256) {
        return list.length.upperLookupRecent(uint96(blockNumber));
    }

    /// @notice Who stood at `index` at the end of `blockNumber`, or 0 beyond the list's end.
    function at(List storage list, uint256 index, uint256 blockNumber) internal view returns (uint160) {
        if (index >= countAt(list, blockNumber)) return 0;
        return list.slots[index].upperLookupRecent(uint96(blockNumber));
    }

    function _write(Checkpoints.Trace160 storage slot, uint160 member) private {
        slot.push(uint96(block.number), member);
    }
}
