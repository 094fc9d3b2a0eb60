/// Follows all alternatives of a grammar at once.
///
/// An alternative is a stack: the instruction that reads the next character, above the return addresses of open rules.
/// Stacks share their tails: a cell is an address with the number of the cell below it, and equal cells are one cell, so that
/// equal stacks have equal numbers. Cell 0 is the empty stack.
struct StackMachine {
    /// Where a grammar stands between two characters.
    struct Positions: Hashable {
        /// The stacks whose top reads a character, rising.
        var tops: [UInt32]
        /// Whether the text may end here.
        var isComplete: Bool

        /// Whether no text leads here.
        var isDead: Bool { tops.isEmpty && !isComplete }
    }

    /// A bound that a character would break.
    enum Overflow: Error {
        case stacks
        case depth
        case openRules
        case steps
    }

    private struct Cell {
        let address: UInt32
        let parent: UInt32
        let depth: UInt32
        var mark: UInt32
    }

    private let program: Program
    private var cells: [Cell] = [Cell(address: 0, parent: 0, depth: 0, mark: 0)]
    /// A hash table with open addressing; 0 is an empty place.
    private var table = [UInt32](repeating: 0, count: 256)
    private var pending: [UInt32] = []
    private var mark: UInt32 = 0

    /// How many configurations were visited.
    private(set) var steps = 0

    /// How many cells there are; their numbers are below.
    var cellCount: Int { cells.count }

    /// Prepares a machine without stacks.
    init(_ program: Program) { self.program = program }

    /// Before the first character.
    mutating func start() throws(Overflow) -> Positions {
        beginVisit()
        visit(cell(program.start, over: 0))
        return try settle()
    }

    /// The stack with this address on top of another stack.
    mutating func cell(_ address: UInt32, over parent: UInt32) -> UInt32 {
        var place = Self.hash(address, parent) & (table.count - 1)
        while table[place] != 0 {
            let found = table[place]
            if cells[Int(found)].address == address, cells[Int(found)].parent == parent { return found }
            place = (place + 1) & (table.count - 1)
        }
        let number = UInt32(cells.count)
        cells.append(Cell(address: address, parent: parent, depth: cells[Int(parent)].depth + 1, mark: 0))
        table[place] = number
        if cells.count * 2 > table.count { grow() }
        return number
    }

    /// The address on top of a stack and the stack below it.
    func top(of stack: UInt32) -> (address: UInt32, parent: UInt32, depth: Int) {
        let cell = cells[Int(stack)]
        return (cell.address, cell.parent, Int(cell.depth))
    }

    /// Whether the top of a stack reads the character.
    func reads(_ scalar: UInt32, on stack: UInt32) -> Bool {
        program.set(program.code[Int(cells[Int(stack)].address)].first, contains: scalar)
    }

    /// Whether the top of a stack reads a character of the range.
    func reads(_ range: ClosedRange<UInt32>, on stack: UInt32) -> Bool {
        program.set(program.code[Int(cells[Int(stack)].address)].first, overlaps: range)
    }

    /// Where the grammar stands once these stacks have read their character.
    ///
    /// - Throws: A bound that is broken; which one is a function of the stacks alone.
    mutating func advance(_ stacks: some Sequence<UInt32>) throws(Overflow) -> Positions {
        beginVisit()
        for stack in stacks {
            let cell = cells[Int(stack)]
            visit(self.cell(cell.address + 1, over: cell.parent))
        }
        return try settle()
    }

    /// Where the grammar stands after a character.
    mutating func advance(_ positions: Positions, reading scalar: UInt32) throws(Overflow) -> Positions {
        try advance(positions.tops.filter { reads(scalar, on: $0) })
    }

    // MARK: The way to the next characters

    private mutating func beginVisit() {
        mark &+= 1
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func visit(_ stack: UInt32) {
        guard cells[Int(stack)].mark != mark else { return }
        cells[Int(stack)].mark = mark
        pending.append(stack)
    }

    /// Follows branches, calls and returns until every stack reads a character.
    private mutating func settle() throws(Overflow) -> Positions {
        var tops: [UInt32] = []
        var isComplete = false
        var visited = 0
        var openRules = 0
        // Bounds are checked at the end where order could decide which of them is broken first.
        while let stack = pending.popLast() {
            visited += 1
            guard visited <= GrammarLimits.stepsPerCharacter else {
                steps += visited
                throw .steps
            }
            let cell = cells[Int(stack)]
            let instruction = program.code[Int(cell.address)]
            switch instruction.operation {
            case .match:
                tops.append(stack)
                openRules += Int(cell.depth)
            case .fork:
                visit(self.cell(instruction.first, over: cell.parent))
                visit(self.cell(instruction.second, over: cell.parent))
            case .jump:
                visit(self.cell(instruction.first, over: cell.parent))
            case .call:
                visit(self.cell(instruction.first, over: self.cell(cell.address + 1, over: cell.parent)))
            case .finish:
                if cell.parent == 0 { isComplete = true } else { visit(cell.parent) }
            }
        }
        steps += visited
        guard tops.count <= GrammarLimits.stacks else { throw .stacks }
        guard openRules <= GrammarLimits.openRules else { throw .openRules }
        guard tops.allSatisfy({ cells[Int($0)].depth <= GrammarLimits.depth }) else { throw .depth }
        tops.sort()
        return Positions(tops: tops, isComplete: isComplete)
    }

    private mutating func grow() {
        table = [UInt32](repeating: 0, count: table.count * 4)
        for number in 1..<cells.count {
            var place = Self.hash(cells[number].address, cells[number].parent) & (table.count - 1)
            while table[place] != 0 { place = (place + 1) & (table.count - 1) }
            table[place] = UInt32(number)
        }
    }

    private static func hash(_ address: UInt32, _ parent: UInt32) -> Int {
        let bits = (UInt64(parent) << 32 | UInt64(address)) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: (bits ^ (bits >> 29)) >> 17)
    }
}
