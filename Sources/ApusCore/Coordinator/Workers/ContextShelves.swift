/// The serving workers of a model, or of one of its fingerprints, on shelves by context, smallest context first.
///
/// A worker serves while it is connected and neither lost nor draining.
///
/// The contexts of one model are few, so that walking the shelves costs next to nothing; a shelf without a serving worker is
/// taken down, so that there are never more than serving workers. Within a shelf the vacant workers stand in no order, which
/// makes adding, removing and drawing one of them O(1).
struct ContextShelves: Sendable {
    private struct Shelf {
        let contextTokens: Int
        var connected = 0
        var trusted = 0
        var vacant: [Int32] = []
        var probation: [Int32] = []
    }

    private var shelves: [Shelf] = []

    /// Without workers.
    init() {}

    /// The largest context of a serving worker; `nil` without one.
    var largestContext: Int? { shelves.last?.contextTokens }

    /// Counts a serving worker in.
    mutating func connect(contextTokens: Int, isTrusted: Bool) {
        let place = firstShelf(atLeast: contextTokens)
        if place == shelves.count || shelves[place].contextTokens != contextTokens {
            shelves.insert(Shelf(contextTokens: contextTokens), at: place)
        }
        shelves[place].connected += 1
        if isTrusted { shelves[place].trusted += 1 }
    }

    /// Counts a serving worker out; it is not vacant any more.
    mutating func disconnect(contextTokens: Int, isTrusted: Bool) {
        let place = firstShelf(atLeast: contextTokens)
        shelves[place].connected -= 1
        if isTrusted { shelves[place].trusted -= 1 }
        if shelves[place].connected == 0 { shelves.remove(at: place) }
    }

    /// Puts a worker with a free slot on its shelf.
    ///
    /// - Returns: Its position there, by which it is taken off.
    mutating func insert(_ worker: Int, contextTokens: Int, isTrusted: Bool) -> Int {
        let place = firstShelf(atLeast: contextTokens)
        if isTrusted {
            shelves[place].vacant.append(Int32(worker))
            return shelves[place].vacant.count - 1
        }
        shelves[place].probation.append(Int32(worker))
        return shelves[place].probation.count - 1
    }

    /// Takes a worker off its shelf.
    ///
    /// - Returns: The worker that takes its position; the removed one itself where it was the last.
    mutating func remove(at position: Int, contextTokens: Int, isTrusted: Bool) -> Int {
        let place = firstShelf(atLeast: contextTokens)
        return isTrusted
            ? Self.swapRemove(at: position, from: &shelves[place].vacant)
            : Self.swapRemove(at: position, from: &shelves[place].probation)
    }

    /// Trusted workers with at least this context, vacant or not.
    func trusted(atLeast contextTokens: Int) -> Int {
        var count = 0
        for place in shelves.indices.reversed() {
            guard shelves[place].contextTokens >= contextTokens else { break }
            count += shelves[place].trusted
        }
        return count
    }

    /// Workers with a free slot and at least this context.
    ///
    /// - Parameters:
    ///   - contextTokens: The context that they must have.
    ///   - isTrusted: Whether to count trusted workers, or those under probation.
    /// - Returns: How many there are.
    func count(atLeast contextTokens: Int, isTrusted: Bool) -> Int {
        var count = 0
        for place in shelves.indices.reversed() {
            guard shelves[place].contextTokens >= contextTokens else { break }
            count += isTrusted ? shelves[place].vacant.count : shelves[place].probation.count
        }
        return count
    }

    /// One of the workers that `count` counts.
    ///
    /// - Parameters:
    ///   - index: 0 up to `count`; workers with a larger context come first.
    ///   - contextTokens: The context that they must have.
    ///   - isTrusted: Whether to take trusted workers, or those under probation.
    /// - Returns: The worker's place.
    func worker(_ index: Int, atLeast contextTokens: Int, isTrusted: Bool) -> Int {
        var index = index
        for place in shelves.indices.reversed() {
            guard shelves[place].contextTokens >= contextTokens else { break }
            let count = isTrusted ? shelves[place].vacant.count : shelves[place].probation.count
            if index < count {
                return Int(isTrusted ? shelves[place].vacant[index] : shelves[place].probation[index])
            }
            index -= count
        }
        preconditionFailure("no vacant worker has this index")
    }

    private func firstShelf(atLeast contextTokens: Int) -> Int {
        var low = 0
        var high = shelves.count
        while low < high {
            let middle = (low + high) / 2
            if shelves[middle].contextTokens < contextTokens { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func swapRemove(at position: Int, from workers: inout [Int32]) -> Int {
        let last = workers.removeLast()
        if position < workers.count { workers[position] = last }
        return Int(last)
    }
}
