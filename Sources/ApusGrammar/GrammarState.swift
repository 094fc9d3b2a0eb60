/// How far a text has come in a grammar.
///
/// A function of the grammar and the bytes alone, however they were cut into pieces: a state that accepts a stream's tokens
/// again equals the state that was lost. Bytes may end within a UTF-8 character. A copy shares its storage.
public struct GrammarState: Sendable {
    /// The grammar that is followed.
    public let grammar: Grammar

    /// The stacks as a tree of cells, ordered by depth, cell below and address.
    ///
    /// A cell is an address and, in the upper half, the number of the cell below it, counted from 1 in this list: no number of
    /// a machine is in it.
    private var cells: [UInt64] = []
    /// The cells whose instruction reads the next character, rising.
    private var tops: [UInt32] = []
    private var isAtEnd = false
    private var partial = PartialCharacter.none
    private var digest: UInt64 = 0

    /// Before the first byte.
    ///
    /// - Parameter grammar: The grammar to follow.
    /// - Throws: `GrammarError` if not even the first character can be looked for within `GrammarLimits`.
    public init(_ grammar: Grammar) throws(GrammarError) {
        self.grammar = grammar
        var machine = StackMachine(grammar.program)
        let positions: StackMachine.Positions
        do {
            positions = try machine.start()
        } catch {
            throw Self.failure(error)
        }
        keep(positions, .none, of: machine)
    }

    /// Whether the text may end here.
    public var isComplete: Bool { isAtEnd && partial == .none }

    /// Whether the text must end here: it is complete, and nothing may follow.
    public var mustEnd: Bool { isComplete && tops.isEmpty }

    /// How many alternatives are followed.
    public var stackCount: Int { tops.count }

    /// What the state takes in memory beside the grammar, about.
    var size: Int { cells.count * 8 + tops.count * 4 }

    /// Goes on by these bytes.
    ///
    /// - Parameter bytes: UTF-8, which may begin and end within a character.
    /// - Returns: Whether the grammar allows them; if not, the state is as before. Bytes that would break a bound of
    ///   `GrammarLimits` are not allowed either, in every process alike; `refusal(of:)` tells which it was.
    @discardableResult
    public mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
        var machine = StackMachine(grammar.program)
        var positions = load(into: &machine)
        var partial = partial
        for byte in bytes {
            guard (try? Self.step(&positions, &partial, by: byte, in: &machine)) == true else { return false }
        }
        keep(positions, partial, of: machine)
        return true
    }

    /// Whether the grammar allows these bytes next.
    public func allows(_ bytes: some Sequence<UInt8>) -> Bool { refusal(of: bytes) == nil }

    /// Why the bytes are not allowed next.
    ///
    /// - Parameter bytes: UTF-8, which may begin and end within a character.
    /// - Returns: The reason, or `nil` if they are allowed.
    public func refusal(of bytes: some Sequence<UInt8>) -> GrammarError? {
        var machine = StackMachine(grammar.program)
        var positions = load(into: &machine)
        var partial = partial
        for (count, byte) in bytes.enumerated() {
            do {
                guard try Self.step(&positions, &partial, by: byte, in: &machine) else {
                    return GrammarError(.whole, "The grammar doesn't allow byte \(count + 1) of the text here.")
                }
            } catch {
                return Self.failure(error)
            }
        }
        return nil
    }

    // MARK: Machine

    /// Puts the state's stacks into a machine, which may hold others.
    func load(into machine: inout StackMachine) -> StackMachine.Positions {
        var numbers: [UInt32] = [0]
        numbers.reserveCapacity(cells.count + 1)
        for cell in cells {
            numbers.append(machine.cell(UInt32(truncatingIfNeeded: cell), over: numbers[Int(cell >> 32)]))
        }
        return StackMachine.Positions(tops: tops.map { numbers[Int($0)] }.sorted(), isComplete: isAtEnd)
    }

    /// The bytes of a character that came without its last ones.
    var partialCharacter: PartialCharacter { partial }

    /// The failure that stands for a broken bound.
    static func failure(_ overflow: StackMachine.Overflow) -> GrammarError {
        let reason =
            switch overflow {
            case .stacks: "more than \(GrammarLimits.stacks) alternatives at once"
            case .depth: "more than \(GrammarLimits.depth) open rules"
            case .openRules: "more than \(GrammarLimits.openRules) open rules in all alternatives"
            case .steps: "more than \(GrammarLimits.stepsPerCharacter) steps after a character"
            }
        return GrammarError(
            .whole,
            "The grammar would need \(reason); make it less ambiguous or less nested, so that fewer rules fit the same text."
        )
    }

    /// Takes a byte; returns whether it is allowed.
    ///
    /// What was passed in is of no use after a refusal.
    private static func step(
        _ positions: inout StackMachine.Positions,
        _ partial: inout PartialCharacter,
        by byte: UInt8,
        in machine: inout StackMachine
    ) throws(StackMachine.Overflow) -> Bool {
        switch partial.step(byte) {
        case .scalar(let scalar):
            partial = .none
            positions = try machine.advance(positions, reading: scalar)
            return !positions.isDead
        case .partial(let next, let range):
            partial = next
            return positions.tops.contains { machine.reads(range, on: $0) }
        case .invalid:
            return false
        }
    }

    /// Takes positions over from a machine, numbered anew in an order that no history can change.
    private mutating func keep(
        _ positions: StackMachine.Positions,
        _ partial: PartialCharacter,
        of machine: StackMachine
    ) {
        var levels: [[UInt32]] = []
        // For each cell of the machine its number here, 0 for none; `reached` has none yet.
        let reached = UInt32.max
        var numbers = [UInt32](repeating: 0, count: machine.cellCount)
        for top in positions.tops {
            var stack = top
            while stack != 0, numbers[Int(stack)] == 0 {
                numbers[Int(stack)] = reached
                let (_, parent, depth) = machine.top(of: stack)
                while levels.count < depth { levels.append([]) }
                levels[depth - 1].append(stack)
                stack = parent
            }
        }
        cells.removeAll(keepingCapacity: true)
        for level in levels {
            let keyed = level.map { stack in
                let (address, parent, _) = machine.top(of: stack)
                return (key: UInt64(numbers[Int(parent)]) << 32 | UInt64(address), stack: stack)
            }
            for (key, stack) in keyed.sorted(by: { $0.key < $1.key }) {
                cells.append(key)
                numbers[Int(stack)] = UInt32(cells.count)
            }
        }
        tops = positions.tops.map { numbers[Int($0)] }.sorted()
        isAtEnd = positions.isComplete
        self.partial = partial
        var digest = ContentDigest()
        digest.add(grammar.program.digest)
        for cell in cells { digest.add(cell) }
        for top in tops { digest.add(UInt64(top)) }
        digest.add(UInt64(partial.code) << 1 | (isAtEnd ? 1 : 0))
        self.digest = digest.value
    }
}

extension GrammarState: Hashable {
    /// Whether the same texts may follow by the same ways.
    public static func == (one: GrammarState, other: GrammarState) -> Bool {
        one.digest == other.digest && one.isAtEnd == other.isAtEnd && one.partial == other.partial
            && one.tops == other.tops && one.cells == other.cells && one.grammar == other.grammar
    }

    /// Hashes the digest of the stacks.
    public func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
