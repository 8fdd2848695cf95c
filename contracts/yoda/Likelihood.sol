// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/src/utils/FixedPointMathLib.sol";
import {PPM} from "../lib/Limits.sol";

/// @title Sequential likelihood test for a finite pool (MiRACLE of YODA, arXiv:1811.03265)
/// @notice In a pool of N seats, b = ⌊fN⌋ of them Byzantine and h = N - b honest, "digest k is the true result" has
/// likelihood ∝ C(h, c_k) · C(b, n - c_k) when n nodes have voted, c_k of them for k.
library Likelihood {
    int256 private constant WAD = 1e18;

    /// @notice ln((1 - β) / β) as a fixed-point number with 18 decimals.
    /// @param errorPpm β in parts per million, 0 < β < 1/2.
    function threshold(uint256 errorPpm) internal pure returns (int256) {
        return FixedPointMathLib.lnWad(int256(((PPM - errorPpm) * uint256(WAD)) / errorPpm));
    }

    /// @notice Whether the leader can be the true result and no other digest, seen or unseen, can, while at most
    /// `byzantine` seats lie. A leader with more than `byzantine` votes is certain, unless as many voted against it:
    /// then more seats lie than the job tolerates, and nothing is accepted.
    /// @param votes n. @param leader c of the leader. @param runnerUp Largest c among all other digests, 0 if unseen.
    function isCertain(uint256 byzantine, uint256 votes, uint256 leader, uint256 runnerUp)
        internal
        pure
        returns (bool)
    {
        return votes - leader <= byzantine && votes - runnerUp > byzantine;
    }

    /// @notice ln L_leader - ln L_runnerUp with 18 decimals.
    /// @dev The quotient of the two products telescopes to Π_{j = r+1..a} (h-j+1)(n-j+1) / (j (b-n+j)). The runner-up is
    /// the likeliest of all other digests, an unseen one included: below n/2 votes L grows with the votes.
    /// Zero when the leader itself is impossible (more than b others voted against it).
    function score(uint256 honest, uint256 byzantine, uint256 votes, uint256 leader, uint256 runnerUp)
        internal
        pure
        returns (int256 total)
    {
        if (votes - leader > byzantine) return 0;
        for (uint256 j = runnerUp + 1; j <= leader; ++j) {
            uint256 numerator = (honest - j + 1) * (votes - j + 1) * uint256(WAD);
            total += FixedPointMathLib.lnWad(int256(numerator / (j * (byzantine + j - votes))));
        }
    }
}
