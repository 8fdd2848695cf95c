// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// What the chain client's tests need of a contract: state, events, and every way to fail.
contract Probe {
    error WindowClosed(uint256 deadline, uint256 found);
    error AlreadyClosed();

    event Added(address indexed by, uint256 indexed kind, uint256 amount, uint256 total);
    event Paid(uint256 amount);

    uint256 public total;
    mapping(uint256 kind => bool) public closed;
    address public immutable owner;
    Refuser private immutable refuser;

    constructor(address owner_) {
        owner = owner_;
        refuser = new Refuser();
    }

    function add(uint256 kind, uint256 amount) external payable {
        total += amount;
        emit Added(msg.sender, kind, amount, total);
        if (msg.value > 0) emit Paid(msg.value);
    }

    function addBefore(uint256 deadline) external {
        if (block.number > deadline) revert WindowClosed(deadline, block.number);
        total += 1;
    }

    function close(uint256 kind) external {
        if (closed[kind]) revert AlreadyClosed();
        closed[kind] = true;
    }

    /// Reverts with an error that is not in this contract's ABI.
    function ask(bytes32 why) external view {
        refuser.refuse(why);
    }

    function demand(bool met) external pure {
        require(met, "the demand is not met");
    }

    function divide(uint256 by) external view returns (uint256) {
        return total / by;
    }

    function spin(uint256 turns) external {
        for (uint256 i = 0; i < turns; ++i) {
            total = uint256(keccak256(abi.encode(total, i)));
        }
    }
}

contract Refuser {
    error Refused(address who, bytes32 why);

    function refuse(bytes32 why) external view {
        revert Refused(msg.sender, why);
    }
}
