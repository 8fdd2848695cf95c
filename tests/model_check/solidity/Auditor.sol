// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IAuctionHouse} from "../../../contracts/interfaces/IAuctionHouse.sol";
import {IConePool} from "../../../contracts/interfaces/IConePool.sol";
import {ETHER} from "../../../contracts/interfaces/ICredits.sol";
import {IEscrow} from "../../../contracts/interfaces/IEscrow.sol";
import {IJobs} from "../../../contracts/interfaces/IJobs.sol";
import {ISellerRegistry} from "../../../contracts/interfaces/ISellerRegistry.sol";
import {IYoda} from "../../../contracts/interfaces/IYoda.sol";

/// @title All that the market's contracts hold, in one answer
/// @notice The model of the state machine builds the same answer, word by word.
contract Auditor {
    /// @dev Arrays of structs without dynamic parts: each is its length and then its words, one after the other.
    struct Audit {
        uint256[] totals;
        IAuctionHouse.Auction[] auctions;
        uint256[] purses;
        IAuctionHouse.SealedBid[] sealedBids;
        uint256[] offers;
        uint256[] lists;
        IConePool.Node[] nodes;
        uint256[] seats;
        uint256[] purchasingPower;
        IJobs.Job[] jobs;
        IYoda.Poll[] polls;
        IYoda.Frozen[] frozen;
        uint256[] votes;
        IYoda.MiniRound[] miniRounds;
        IYoda.Verdict[] verdicts;
        IEscrow.Pots[] pots;
        uint256[] frozenParties;
        uint256[] due;
    }

    /// @notice Rounds of a job that are compared.
    uint256 public constant ROUNDS = 2;

    ISellerRegistry private immutable REGISTRY;
    IConePool private immutable POOL;
    IYoda private immutable YODA;
    IEscrow private immutable ESCROW;
    IAuctionHouse private immutable HOUSE;
    IJobs private immutable JOBS;

    address[] private _accounts;
    address[] private _tokens;
    bytes32[] private _tags;

    constructor(
        ISellerRegistry registry,
        IJobs jobs,
        address[] memory accounts,
        address[] memory tokens,
        bytes32[] memory tags
    ) {
        REGISTRY = registry;
        JOBS = jobs;
        POOL = jobs.pool();
        YODA = jobs.yoda();
        ESCROW = jobs.escrow();
        HOUSE = IAuctionHouse(jobs.auctionHouse());
        _accounts = accounts;
        _tokens = tokens;
        _tags = tags;
    }

    /// @notice Not a view: at last it tries to move every job on. To be called, never sent.
    function look() external returns (Audit memory audit) {
        audit.totals = _totals();
        _readAuctions(audit);
        audit.offers = _offers();
        audit.lists = _lists();
        audit.nodes = _nodes();
        audit.seats = _seats();
        audit.purchasingPower = _purchasingPower();
        _readJobs(audit);
        _readVotes(audit);
        audit.frozenParties = _frozenParties();
        audit.due = _due();
    }

    /// @notice `conductOf` for every round, mini-round and seat of a job.
    function conducts(uint256 jobId, uint256 rounds, uint256 miniRounds, uint256 seats)
        external
        view
        returns (uint256[] memory found)
    {
        found = new uint256[](rounds * miniRounds * seats);
        uint256 k = 0;
        for (uint16 round = 1; round <= rounds; ++round) {
            for (uint16 miniRound = 1; miniRound <= miniRounds; ++miniRound) {
                for (uint256 seat = 0; seat < seats; ++seat) {
                    found[k++] = uint256(YODA.conductOf(jobId, round, miniRound, seat));
                }
            }
        }
    }

    function _totals() private view returns (uint256[] memory found) {
        found = new uint256[](10 + _tokens.length);
        found[0] = HOUSE.auctionCount();
        found[1] = REGISTRY.offerCount();
        found[2] = JOBS.jobCount();
        found[3] = POOL.oldestJob();
        found[4] = address(ESCROW).balance;
        found[5] = address(POOL).balance;
        found[6] = address(REGISTRY).balance;
        found[7] = address(HOUSE).balance;
        found[8] = address(JOBS).balance;
        found[9] = address(YODA).balance;
        for (uint256 i = 0; i < _tokens.length; ++i) {
            found[10 + i] = IERC20(_tokens[i]).balanceOf(address(ESCROW));
        }
    }

    function _readAuctions(Audit memory audit) private view {
        uint256 count = HOUSE.auctionCount();
        audit.auctions = new IAuctionHouse.Auction[](count);
        audit.purses = new uint256[](2 * count);
        audit.sealedBids = new IAuctionHouse.SealedBid[](count * _accounts.length);
        uint256 k = 0;
        for (uint256 i = 0; i < count; ++i) {
            audit.auctions[i] = HOUSE.auctionOf(i + 1);
            audit.purses[2 * i] = ESCROW.purseOf(i + 1);
            audit.purses[2 * i + 1] = HOUSE.minimumBid(i + 1);
            for (uint256 j = 0; j < _accounts.length; ++j) {
                audit.sealedBids[k++] = HOUSE.sealedBidOf(i + 1, _accounts[j]);
            }
        }
    }

    function _offers() private view returns (uint256[] memory found) {
        uint256 count = REGISTRY.offerCount();
        found = new uint256[](4 * count);
        for (uint256 i = 0; i < count; ++i) {
            ISellerRegistry.Offer memory made = REGISTRY.offerOf(i + 1);
            found[4 * i] = uint160(made.seller);
            found[4 * i + 1] = made.listed ? 1 : 0;
            found[4 * i + 2] = made.exitBlock;
            found[4 * i + 3] = made.bond;
        }
    }

    /// @return found For every tag how many offers stand under it now, and which.
    function _lists() private view returns (uint256[] memory found) {
        found = new uint256[](_tags.length * (1 + REGISTRY.offerCount()));
        uint256 k = 0;
        for (uint256 i = 0; i < _tags.length; ++i) {
            uint256 count = REGISTRY.countAt(_tags[i], block.number);
            found[k++] = count;
            for (uint256 j = 0; j < count; ++j) {
                found[k++] = REGISTRY.offerAt(_tags[i], j, block.number);
            }
        }
        _shorten(found, k);
    }

    function _nodes() private view returns (IConePool.Node[] memory found) {
        found = new IConePool.Node[](_accounts.length);
        for (uint256 i = 0; i < found.length; ++i) {
            found[i] = POOL.nodeOf(_accounts[i]);
        }
    }

    function _seats() private view returns (uint256[] memory found) {
        found = new uint256[](POOL.seatsAt(block.number));
        for (uint256 i = 0; i < found.length; ++i) {
            found[i] = uint160(POOL.nodeAt(i, block.number));
        }
    }

    /// @return found For every account its ether, its tokens, and its credit in each.
    function _purchasingPower() private view returns (uint256[] memory found) {
        found = new uint256[](_accounts.length * 2 * (1 + _tokens.length));
        uint256 k = 0;
        for (uint256 i = 0; i < _accounts.length; ++i) {
            address account = _accounts[i];
            found[k++] = account.balance;
            found[k++] = ESCROW.credit(ETHER, account);
            for (uint256 j = 0; j < _tokens.length; ++j) {
                found[k++] = IERC20(_tokens[j]).balanceOf(account);
                found[k++] = ESCROW.credit(_tokens[j], account);
            }
        }
    }

    function _readJobs(Audit memory audit) private view {
        uint256 count = JOBS.jobCount();
        audit.jobs = new IJobs.Job[](count);
        audit.pots = new IEscrow.Pots[](count);
        audit.verdicts = new IYoda.Verdict[](count * ROUNDS);
        for (uint256 i = 0; i < count; ++i) {
            audit.jobs[i] = JOBS.jobOf(i + 1);
            audit.pots[i] = ESCROW.potsOf(i + 1);
            for (uint16 r = 0; r < ROUNDS; ++r) {
                audit.verdicts[i * ROUNDS + r] = YODA.verdictOf(i + 1, r + 1);
            }
        }
    }

    function _readVotes(Audit memory audit) private view {
        uint256 count = JOBS.jobCount();
        audit.polls = new IYoda.Poll[](count);
        audit.frozen = new IYoda.Frozen[](count);
        audit.votes = new uint256[](3 * count);
        audit.miniRounds = new IYoda.MiniRound[](count);
        for (uint256 i = 0; i < count; ++i) {
            IYoda.Poll memory poll = YODA.pollOf(i + 1);
            audit.polls[i] = poll;
            audit.frozen[i] = YODA.frozenOf(i + 1);
            audit.votes[3 * i] = uint256(YODA.leaderOf(i + 1));
            audit.votes[3 * i + 1] = YODA.isCommitting(i + 1) ? 1 : 0;
            audit.votes[3 * i + 2] = YODA.isRevealing(i + 1) ? 1 : 0;
            audit.miniRounds[i] = YODA.miniRoundOf(i + 1, poll.round, poll.miniRound);
        }
    }

    /// @return found For every job the nodes on its seats, then its offers once they are known.
    function _frozenParties() private view returns (uint256[] memory found) {
        uint256 count = JOBS.jobCount();
        found = new uint256[](count * (_accounts.length + REGISTRY.offerCount()));
        uint256 k = 0;
        for (uint256 jobId = 1; jobId <= count; ++jobId) {
            uint256 seats = YODA.frozenOf(jobId).seats;
            for (uint256 seat = 0; seat < seats; ++seat) {
                found[k++] = uint160(YODA.nodeAt(jobId, seat));
            }
            if (JOBS.jobOf(jobId).state == IJobs.State.Seeding) continue;
            (uint256[] memory ids,) = JOBS.offersOf(jobId);
            for (uint256 j = 0; j < ids.length; ++j) {
                found[k++] = ids[j];
            }
        }
        _shorten(found, k);
    }

    /// @return found For every job whether something is due, whether moving it on succeeds, the offences punished, the
    /// running job after it.
    function _due() private returns (uint256[] memory found) {
        uint256 count = JOBS.jobCount();
        found = new uint256[](4 * count);
        for (uint256 i = 0; i < count; ++i) {
            found[4 * i] = JOBS.isDue(i + 1) ? 1 : 0;
            found[4 * i + 2] = POOL.slashedIn(i + 1);
            found[4 * i + 3] = POOL.jobAfter(i + 1);
        }
        for (uint256 i = 0; i < count; ++i) {
            (bool moved,) = address(JOBS).call(abi.encodeCall(IJobs.advance, (i + 1)));
            found[4 * i + 1] = moved ? 1 : 0;
        }
    }

    function _shorten(uint256[] memory list, uint256 length) private pure {
        assembly ("memory-safe") {
            mstore(list, length)
        }
    }
}
