// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Genesis
/// @notice Creates the market's contracts, wired to one another, at addresses that follow from nothing but the
/// parameters and the code: deployed through the deterministic deployment proxy it has one address on every chain, and
/// so have its parts, whoever sends the transactions. Nobody has a right here that others lack: each part's code and
/// arguments are settled before the first is created, so who steps in between can only pay for a step. After the last
/// part nothing can be done with it any more.
contract Genesis {
    /// @notice The parts in the order of their creation; the one at index i is the account's creation number i + 1.
    enum Part {
        SellerRegistry,
        Randomness,
        ConePool,
        Yoda,
        Escrow,
        AuctionHouse,
        Jobs,
        Lens,
        KeyRings
    }

    /// @notice The parts can be created from now on, with these parameters.
    event Begun(uint128 stakeUnit, uint128 bondUnit, bytes32 randomSeed);
    /// @notice A part exists from now on.
    event PartCreated(Part indexed part, address at);

    /// @notice There must be as many code hashes as parts.
    error WrongNumberOfParts(uint256 expected);
    /// @notice Every part exists.
    error Complete();
    /// @notice This is not the creation code of the part that is next.
    error WrongCode(Part next);
    /// @notice The part's constructor refused (its revert data), or the gas did not suffice (no data).
    error PartFailed(Part part, bytes reason);

    uint256 private constant COUNT = uint256(type(Part).max) + 1;

    /// @notice Stake of one seat, in wei.
    uint128 public immutable stakeUnit;
    /// @notice Bond of one offer, in wei.
    uint128 public immutable bondUnit;
    /// @notice What draws come from on a local chain; zero: from block hashes.
    bytes32 public immutable randomSeed;
    /// @notice The block in which this contract came into being: no part has an older event.
    uint256 public immutable startBlock = block.number;

    /// @notice Parts that exist: the index of the next one.
    uint256 public created;
    /// @notice Hash of each part's creation code, without constructor arguments.
    bytes32[] public codeHashes;
    /// @notice The block in which each part was created; 0: not yet.
    mapping(Part part => uint256 blockNumber) public createdIn;

    /// @param stakeUnit_ wei.
    /// @param bondUnit_ wei.
    /// @param randomSeed_ zero for block hashes.
    /// @param codeHashes_ keccak256 of each part's creation code without arguments, in the order of `Part`.
    constructor(uint128 stakeUnit_, uint128 bondUnit_, bytes32 randomSeed_, bytes32[] memory codeHashes_) {
        if (codeHashes_.length != COUNT) revert WrongNumberOfParts(COUNT);
        stakeUnit = stakeUnit_;
        bondUnit = bondUnit_;
        randomSeed = randomSeed_;
        codeHashes = codeHashes_;
        emit Begun(stakeUnit_, bondUnit_, randomSeed_);
    }

    /// @notice Create the next part; for anyone. A failed creation leaves everything as it was: the whole call reverts,
    /// and with it the nonce from which the next address follows.
    /// @param creationCode the compiler's, without constructor arguments.
    /// @return at where the part is.
    function create(bytes calldata creationCode) external returns (address at) {
        uint256 index = created;
        if (index == COUNT) revert Complete();
        Part part = Part(index);
        if (keccak256(creationCode) != codeHashes[index]) revert WrongCode(part);
        created = index + 1;
        createdIn[part] = block.number;
        bytes memory code = bytes.concat(creationCode, _arguments(part));
        assembly ("memory-safe") {
            at := create(0, add(code, 32), mload(code))
        }
        if (at == address(0)) revert PartFailed(part, _returned());
        assert(at == addressOf(part));
        emit PartCreated(part, at);
    }

    /// @notice Where a part is, or will be.
    function addressOf(Part part) public view returns (address) {
        // The RLP of [this address, nonce]: a creation number up to 127 is one byte.
        bytes1 nonce = bytes1(uint8(part) + 1);
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), nonce)))));
    }

    /// @dev The constructor arguments of a part; none where it is not named.
    function _arguments(Part part) private view returns (bytes memory) {
        address jobs = addressOf(Part.Jobs);
        if (part == Part.SellerRegistry) return abi.encode(bondUnit);
        if (part == Part.Randomness && randomSeed != 0) return abi.encode(randomSeed);
        if (part == Part.ConePool) return abi.encode(jobs, stakeUnit);
        if (part == Part.Yoda) return abi.encode(jobs, addressOf(Part.ConePool), addressOf(Part.Randomness));
        if (part == Part.Escrow) return abi.encode(jobs, addressOf(Part.Yoda));
        if (part == Part.AuctionHouse) return abi.encode(jobs, addressOf(Part.Escrow));
        if (part == Part.Jobs) {
            return abi.encode(
                addressOf(Part.SellerRegistry),
                addressOf(Part.Randomness),
                addressOf(Part.ConePool),
                addressOf(Part.Yoda),
                addressOf(Part.Escrow),
                addressOf(Part.AuctionHouse)
            );
        }
        if (part == Part.Lens) return abi.encode(jobs);
        return "";
    }

    /// @dev What the last creation reverted with.
    function _returned() private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            mstore(data, returndatasize())
            returndatacopy(add(data, 32), 0, returndatasize())
            mstore(0x40, and(add(add(data, returndatasize()), 63), not(31)))
        }
    }
}
