// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token as the standard has it, that anybody mints
contract PlainToken is ERC20("Plain", "PLN") {
    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }
}

/// @title A token that keeps one percent of every transfer
contract FeeToken is PlainToken {
    function _update(address from, address to, uint256 amount) internal override {
        bool moves = from != address(0) && to != address(0);
        uint256 fee = moves ? amount / 100 : 0;
        if (fee > 0) super._update(from, address(0), fee);
        super._update(from, to, amount - fee);
    }
}

/// @title A token that says false, and moves nothing, while it is stopped
contract FalseToken is PlainToken {
    bool public stopped;

    function stop(bool stopped_) external {
        stopped = stopped_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return !stopped && super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return !stopped && super.transferFrom(from, to, amount);
    }
}

/// @title A token whose transfers take two million gas once it is told so
contract GreedyToken is PlainToken {
    bool private _greedy;
    mapping(uint256 => uint256) private _waste;

    function stop(bool greedy) external {
        _greedy = greedy;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (!_greedy) return;
        for (uint256 i = 0; i < 100; ++i) {
            _waste[i] = block.number;
        }
    }
}

/// @title A token that says true and moves nothing
contract EmptyToken is PlainToken {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @title A token whose transfers return nothing, like the oldest ones
contract NoReturnToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address account, uint256 amount) external {
        balanceOf[account] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @title A token that calls the payer before a transfer and the receiver after it
contract HookToken is PlainToken {
    function _update(address from, address to, uint256 amount) internal override {
        _call(from);
        super._update(from, to, amount);
        _call(to);
    }

    /// @dev Who does not listen is passed over.
    function _call(address party) private {
        (bool heard,) = party.call("");
        heard;
    }
}
