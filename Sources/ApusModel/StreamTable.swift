/// Finds where a stream is kept by its number, without hashing.
///
/// Stream numbers are given in order, so the numbers in use are close together and a plain array with an offset holds their
/// places; it grows with the span from the oldest to the newest stream that it holds, 8 bytes a number. A few streams far older
/// than all others, which are found again long after their time, are held beside it.
public struct StreamTable: Sendable {
    /// The place of each number from `base` on; -1 for one that is not held.
    @usableFromInline
    var places: [Int] = []

    @usableFromInline
    var base: UInt64 = 0

    /// The places of streams far below `base`.
    @usableFromInline
    var strays: [UInt64: Int] = [:]

    /// A stream so far below the others is a stray.
    private static let farBelow: UInt64 = 65_536

    /// Vacant numbers at the front, which are removed now and then, many at a time.
    private var vacantHead = 0

    /// The number of streams in the table.
    public private(set) var count = 0

    /// Holds nothing.
    public init() {}

    /// The place of a stream, or `nil` for one that the table does not hold; any number may be asked for.
    @inlinable
    public subscript(stream: StreamID) -> Int? {
        let offset = stream.rawValue &- base
        if offset < UInt64(places.count) {
            let place = places[Int(truncatingIfNeeded: offset)]
            if place >= 0 { return place }
        }
        return strays.isEmpty ? nil : strays[stream.rawValue]
    }

    /// The places of the streams with the highest numbers, highest first.
    ///
    /// - Parameter limit: The most places that are returned.
    /// - Returns: At most `limit` places; the cost is that of the numbers looked at.
    public func newest(_ limit: Int) -> [Int] {
        var found = Array(self.places.reversed().lazy.filter { $0 >= 0 }.prefix(max(0, limit)))
        guard found.count < limit, !strays.isEmpty else { return found }
        found += strays.sorted { $0.key > $1.key }.prefix(limit - found.count).map(\.value)
        return found
    }

    /// Notes the place of a stream, 0 or more.
    ///
    /// - Parameters:
    ///   - stream: A stream whose number is close to the others', or below them.
    ///   - place: Where it is kept.
    public mutating func insert(_ stream: StreamID, at place: Int) {
        if strays[stream.rawValue] != nil {
            strays[stream.rawValue] = place
            return
        }
        if count == strays.count {
            places.removeAll(keepingCapacity: true)
            vacantHead = 0
            base = stream.rawValue
        }
        if stream.rawValue < base {
            if base - stream.rawValue > Self.farBelow {
                strays[stream.rawValue] = place
                count += 1
                return
            }
            places.insert(contentsOf: repeatElement(-1, count: Int(base - stream.rawValue)), at: 0)
            base = stream.rawValue
            vacantHead = 0
        }
        let offset = Int(stream.rawValue - base)
        while places.count <= offset { places.append(-1) }
        if places[offset] < 0 { count += 1 }
        places[offset] = place
        vacantHead = min(vacantHead, offset)
    }

    /// Takes a stream out.
    ///
    /// - Parameter stream: A stream, held or not.
    /// - Returns: Its former place.
    public mutating func remove(_ stream: StreamID) -> Int? {
        guard let place = self[stream] else { return nil }
        if strays.removeValue(forKey: stream.rawValue) != nil {
            count -= 1
            return place
        }
        places[Int(stream.rawValue - base)] = -1
        count -= 1
        while vacantHead < places.count, places[vacantHead] < 0 { vacantHead += 1 }
        if vacantHead > 1_024, vacantHead * 2 > places.count {
            places.removeFirst(vacantHead)
            base += UInt64(vacantHead)
            vacantHead = 0
        }
        return place
    }
}
