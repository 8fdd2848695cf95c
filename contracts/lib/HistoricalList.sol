// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title A list of addresses whose past stays readable
/// @notice Members join and leave by swap-and-pop; what stood at an index in an earlier block can be looked up in
/// O(log changes). Freezing a set for a job is therefore remembering a block number, whatever the set's size.
library HistoricalList {
    using Checkpoints for Checkpoints.Trace160;

    struct List {
        Checkpoints.Trace160 length;
        mapping(uint256 index => Checkpoints.Trace160) slots;
        /// @dev Index + 1 of a present member, 0 for everybody else.
        mapping(address member => uint256) position;
    }

    function contains(List storage list, address member) internal view returns (bool) {
        return list.position[member] != 0;
    }

    function count(List storage list) internal view returns (uint256) {
        return list.length.latest();
    }

    /// @dev The caller has checked that `member` is not in the list.
    function add(List storage list, address member) internal {
        uint256 end = list.length.latest();
        _write(list.slots[end], member);
        list.position[member] = end + 1;
        list.length.push(uint96(block.number), uint160(end + 1));
    }

    /// @dev The caller has checked that `member` is in the list. The last member moves into the gap.
    function remove(List storage list, address member) internal {
        uint256 index = list.position[member] - 1;
        uint256 last = list.length.latest() - 1;
        if (index != last) {
            address moved = address(list.slots[last].latest());
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

    /// @notice Who stood at `index` at the end of `blockNumber`, or zero beyond the list's end.
    function at(List storage list, uint256 index, uint256 blockNumber) internal view returns (address) {
        if (index >= countAt(list, blockNumber)) return address(0);
        return address(list.slots[index].upperLookupRecent(uint96(blockNumber)));
    }

    function _write(Checkpoints.Trace160 storage slot, address member) private {
        slot.push(uint96(block.number), uint160(member));
    }
}
