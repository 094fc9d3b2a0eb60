import ApusModel

/// The streams that have not ended and their jobs; a stream that ends needs no memory.
struct LiveStreams {
    /// The streams by their places; what is at a vacant place has no meaning.
    var streams: [LiveStream] = []
    private var places = StreamTable()
    private var vacant: [Int] = []

    /// Jobs with a stream that has not ended, by their first streams.
    var jobs: [UInt64: LiveJob] = [:]

    /// How many streams there are.
    var count: Int { places.count }

    /// The place of a stream.
    subscript(stream: StreamID) -> Int? {
        @inline(__always) get { places[stream] }
    }

    /// Takes a stream in.
    mutating func insert(_ stream: LiveStream) {
        let place = vacant.popLast() ?? streams.count
        if place == streams.count { streams.append(stream) } else { streams[place] = stream }
        places.insert(stream.stream, at: place)
    }

    /// Takes a stream out and gives it back.
    mutating func remove(_ stream: StreamID) -> LiveStream? {
        guard let place = places.remove(stream) else { return nil }
        vacant.append(place)
        let removed = streams[place]
        streams[place] = LiveStream(stream: stream, job: removed.job, durability: removed.durability)
        return removed
    }
}

/// A job with a stream that has not ended.
struct LiveJob {
    /// Its name.
    let job: JobID

    /// How many of its streams have not.
    var unended: Int

    /// What it takes on disk.
    var bytes: Int
}
