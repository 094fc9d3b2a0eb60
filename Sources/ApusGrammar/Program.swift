/// A compiled grammar: instructions of a machine with a stack of return addresses.
///
/// A rule is a run of instructions that ends with `finish`; branches stay within their rule. A call in last position is a
/// jump, so that lists written as right recursion need no stack.
final class Program: Sendable {
    /// What an instruction does.
    enum Operation: UInt8, Sendable {
        /// Reads a character of the set `first`.
        case match
        /// Goes on at `first` and at `second`.
        case fork
        /// Goes on at `first`.
        case jump
        /// Runs the rule that starts at `first`, then goes on after this instruction.
        case call
        /// Ends the rule.
        case finish
    }

    /// One instruction.
    struct Instruction: Hashable, Sendable {
        var operation: Operation
        var first: UInt32 = 0
        var second: UInt32 = 0
    }

    /// The instructions of all rules.
    let code: [Instruction]
    /// Where the root rule begins.
    let start: UInt32
    /// The sets that `match` names.
    let sets: [CharacterRanges]
    /// For each set, which of the 128 ASCII characters it holds.
    let asciiMaps: [SIMD2<UInt64>]
    /// A hash of all of it, the same in every process.
    let digest: UInt64

    /// Keeps a program.
    init(code: [Instruction], start: UInt32, sets: [CharacterRanges]) {
        self.code = code
        self.start = start
        self.sets = sets
        var digest = ContentDigest()
        digest.add(UInt64(start))
        for instruction in code {
            digest.add(UInt64(instruction.operation.rawValue))
            digest.add(UInt64(instruction.first) << 32 | UInt64(instruction.second))
        }
        var maps: [SIMD2<UInt64>] = []
        for set in sets {
            var map = SIMD2<UInt64>(0, 0)
            for range in set.ranges {
                digest.add(UInt64(range.lowerBound) << 32 | UInt64(range.upperBound))
                guard range.lowerBound < 128 else { continue }
                for scalar in range.lowerBound...min(range.upperBound, 127) {
                    map[Int(scalar >> 6)] |= 1 << UInt64(scalar & 63)
                }
            }
            digest.add(UInt64.max)
            maps.append(map)
        }
        asciiMaps = maps
        self.digest = digest.value
    }

    /// Whether the set holds the scalar.
    func set(_ set: UInt32, contains scalar: UInt32) -> Bool {
        if scalar < 128 { return asciiMaps[Int(set)][Int(scalar >> 6)] >> UInt64(scalar & 63) & 1 == 1 }
        return self.set(set, overlaps: scalar...scalar)
    }

    /// Whether the set holds a scalar of the range.
    func set(_ set: UInt32, overlaps range: ClosedRange<UInt32>) -> Bool {
        let ranges = sets[Int(set)].ranges
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= range.upperBound
    }
}

/// A hash that is the same in every process.
struct ContentDigest {
    /// The hash of what was added.
    private(set) var value: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Adds a number.
    mutating func add(_ number: UInt64) {
        var bits = (value ^ number) &* 0xbf58_476d_1ce4_e5b9
        bits ^= bits >> 29
        value = (bits &* 0x94d0_49bb_1331_11eb) ^ (bits >> 32)
    }
}
