/// The workers that keep most of a prompt's beginning, deepest first; holds no memory of its own.
struct PrefixMatches: Sendable {
    /// Workers that fit.
    static let capacity = 8

    /// Workers that a search looks at, wanted or not.
    static let examined = 32

    /// Workers that are there.
    private(set) var count = 0
    private var workers = SIMD8<Int32>(repeating: -1)
    private var depths = SIMD8<Int32>(repeating: 0)

    /// Without workers.
    init() {}

    /// A worker's place.
    func worker(_ index: Int) -> Int { Int(workers[index]) }

    /// How many leading blocks the worker keeps, 1 or more.
    func depth(_ index: Int) -> Int { Int(depths[index]) }

    /// Whether a worker is there.
    func contains(_ worker: Int) -> Bool {
        for index in 0..<count where workers[index] == Int32(worker) { return true }
        return false
    }

    /// Adds a worker behind the others; there must be room.
    mutating func append(_ worker: Int, depth: Int) {
        workers[count] = Int32(worker)
        depths[count] = Int32(depth)
        count += 1
    }
}
