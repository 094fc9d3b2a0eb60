import ApusModel

/// Which outputs were equal to those of an undisturbed run, for one kind of weights.
struct ExactnessTable: Sendable {
    /// A comparison.
    enum Cell: Hashable, Sendable {
        /// The same bytes.
        case equal
        /// The same bytes, but what the column is about did not happen.
        case untested(String)
        /// Other bytes, and where.
        case different(String)

        /// For the table.
        var text: String {
            switch self {
            case .equal: "equal"
            case .untested(let why): "equal (\(why))"
            case .different(let place): "DIFFERENT \(place)"
            }
        }
    }

    /// The weights' name.
    let weights: String

    /// What the worker found out about itself when it loaded them.
    var claimed = ""

    /// Modes whose reference is not what the request asks for, and why.
    private(set) var faults: [ExactnessMode: String] = [:]

    private let modes: [ExactnessMode]
    private var columns: [String] = []
    private var lengths: [ExactnessMode: Int] = [:]
    private var cells: [ExactnessMode: [String: Cell]] = [:]

    /// A table without columns.
    init(weights: String, modes: [ExactnessMode]) {
        self.weights = weights
        self.modes = modes
    }

    /// Takes a mode's reference.
    mutating func note(_ mode: ExactnessMode, reference: ExactnessOutput, fault: String?) {
        lengths[mode] = reference.tokens
        faults[mode] = fault
    }

    /// Takes a comparison; columns stand in the order in which they first come.
    mutating func note(_ mode: ExactnessMode, _ column: String, _ cell: Cell) {
        if !columns.contains(column) { columns.append(column) }
        cells[mode, default: [:]][column] = cell
    }

    /// All comparisons with their places.
    var results: [(mode: ExactnessMode, column: String, cell: Cell)] {
        modes.flatMap { mode in
            columns.compactMap { column in cells[mode]?[column].map { (mode, column, $0) } }
        }
    }

    /// How many comparisons showed other bytes.
    var differences: Int {
        results.count {
            if case .different = $0.cell { true } else { false }
        }
    }

    /// For people.
    var table: TextTable {
        var table = TextTable([weights, "alone, tokens"] + columns)
        for mode in modes {
            let length = faults[mode].map { "NOT DONE: \($0)" } ?? "\(lengths[mode] ?? 0)"
            table.add([mode.title, length] + columns.map { cells[mode]?[$0]?.text ?? "" })
        }
        return table
    }
}
