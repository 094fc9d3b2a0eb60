import ApusModel

/// The streams, found by number, in a table whose places stay the same as long as a stream is kept.
struct StreamLedger: Sendable {
    /// The table; what stands at a vacant place has no meaning.
    private var entries: [StreamEntry] = []
    private var places = StreamTable()
    private var vacant: [Int] = []

    /// Streams that are kept, ended ones included.
    var count: Int { places.count }

    /// The place of a stream, or `nil` for one that is unknown or forgotten.
    func place(of stream: StreamID) -> Int? { places[stream] }

    /// Reads and changes the stream at an occupied place, without a copy.
    subscript(place: Int) -> StreamEntry {
        _read { yield entries[place] }
        _modify { yield &entries[place] }
    }

    /// The streams that a condition holds for, in the order of their places.
    func streams(where holds: (StreamEntry) -> Bool) -> [StreamID] {
        entries.indices.compactMap { place in
            entries[place].id != StreamEntry.vacant.id && holds(entries[place]) ? entries[place].id : nil
        }
    }

    /// Looks at every stream, in the order of their places, without a copy.
    func forEach(_ body: (borrowing StreamEntry) -> Void) {
        for place in entries.indices where entries[place].id != StreamEntry.vacant.id { body(entries[place]) }
    }

    /// The places of the streams with the highest numbers, highest first.
    func newest(_ limit: Int) -> [Int] { places.newest(limit) }

    /// Adds a stream and returns its place.
    mutating func insert(_ entry: consuming StreamEntry) -> Int {
        let stream = entry.id
        let place: Int
        if let reused = vacant.popLast() {
            place = reused
            entries[place] = entry
        } else {
            // Entries are large; few of them are not worth moving each time that the table doubles.
            if entries.isEmpty { entries.reserveCapacity(64) }
            place = entries.count
            entries.append(entry)
        }
        places.insert(stream, at: place)
        return place
    }

    /// Removes the stream at an occupied place and frees what it holds.
    mutating func remove(at place: Int) {
        _ = places.remove(entries[place].id)
        entries[place] = .vacant
        vacant.append(place)
    }
}
