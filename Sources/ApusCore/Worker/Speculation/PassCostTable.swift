import ApusModel

/// What a pass over several tokens of one sequence costs, by its width.
///
/// Cost is a shape times a pace. The shape begins as measured on a processor with SmolLM2-135M (5.5 ms at width 1) and
/// is corrected width by width; the pace is the median of the last passes of any width. So a machine that becomes
/// slower changes no decision, and one pass that took ten times as long moves nothing.
struct PassCostTable: Sendable {
    /// Widths with a cell, and their first shape: cost by that of width 1.
    private static let prior: [(width: Int, cost: Double)] = [
        (1, 1), (2, 1.91), (4, 2.33), (5, 2.9), (7, 4.1), (9, 4.33), (12, 4.95), (15, 5.6), (17, 6), (23, 8.0),
        (31, 10.5),
        (64, 21),
    ]
    /// Passes that the pace is taken from.
    private static let paceWindow = 5
    /// How far the shape moves towards a measurement, and how far it may be from where it began.
    private static let correction = 0.2
    private static let shapeFactor = 8.0

    private var shape = PassCostTable.prior.map(\.cost)
    /// Milliseconds of a pass by its shape, the last ones.
    private var paces: [Double] = []
    private var pace: Double?

    /// A table without measurements.
    init() {}

    /// The cost of a pass as a multiple of a pass of width 1.
    func relativeCost(width: Int) -> Double { value(width) / shape[0] }

    /// The time of a pass in milliseconds; `nil` before any was measured.
    func milliseconds(width: Int) -> Double? { pace.map { $0 * value(width) } }

    /// Takes the time of a pass.
    mutating func passMeasured(width: Int, latency: Duration) {
        guard width > 0 else { return }
        let time = min(max(latency.milliseconds, 0.001), 60_000)
        if paces.count == Self.paceWindow { paces.removeFirst() }
        paces.append(time / value(width))
        let pace = paces.sorted()[(paces.count - 1) / 2]
        self.pace = pace
        // Widths between cells tell the pace, not the shape.
        guard paces.count == Self.paceWindow, let cell = Self.prior.firstIndex(where: { $0.width == width }) else {
            return
        }
        let measured = min(max(time / pace, shape[cell] / 2), shape[cell] * 2)
        let moved = shape[cell] + (measured - shape[cell]) * Self.correction
        let first = Self.prior[cell].cost
        shape[cell] = min(max(moved, first / Self.shapeFactor), first * Self.shapeFactor)
    }

    /// The shape at a width, along straight lines between the cells and beyond the last.
    private func value(_ width: Int) -> Double {
        let cells = Self.prior
        let upper = cells.firstIndex { $0.width >= width } ?? cells.count - 1
        guard upper > 0 else { return shape[0] }
        let (left, right) = (cells[upper - 1].width, cells[upper].width)
        let slope = (shape[upper] - shape[upper - 1]) / Double(right - left)
        return max(shape[upper - 1] + slope * Double(width - left), shape[0] / 2)
    }
}
