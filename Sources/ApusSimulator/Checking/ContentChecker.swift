import ApusCore
import ApusModel

/// An index of a stream has one content for ever: in the journal, at every client, and in what a new worker is told, over all
/// lives of the coordinator.
struct ContentChecker: Checker {
    static let name = "one content per index for ever"

    var violation: Violation?

    private var contents: PerStream<[Int32]>

    /// What streams had before a coordinator's death took it, as far as it was not computed again.
    private var former: [UInt64: [Int32]] = [:]

    /// The first index at which a stream that was computed again got another token than before.
    private var changes: [UInt64: Int] = [:]

    init(configuration: WorldConfiguration) {
        contents = PerStream(from: configuration.settings.firstStream, initial: [])
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            var token = 0
            for row in 0..<tokens[place].rows {
                let count = Int(tokens[place].counts[row])
                let stream = tokens[place].streams[row]
                let first = Int(tokens[place].firstIndexes[row])
                if first == contents[stream].count {
                    if !former.isEmpty { compareFormer(tokens[place], token..<token + count, from: first, of: stream) }
                    contents[stream].append(contentsOf: tokens[place].ids[token..<token + count])
                } else {
                    compare(tokens[place], token..<token + count, from: first, of: stream, at: now, "the journal got")
                }
                token += count
            }
        }
        for record in records {
            switch record {
            case .forgotten(let stream): contents[stream.rawValue] = []
            case .ended(let stream, let end, _) where end.continuity != Continuity.none:
                guard !changes.isEmpty, let index = changes[stream.rawValue] else { continue }
                broken(
                    at: now,
                    "stream \(stream) is said to be \(end.continuity.rawValue), but index \(index) changed after a "
                        + "coordinator's death"
                )
            case .accepted, .leased, .ended: break
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain {
            let present = contents[stream.rawValue]
            let before = former[stream.rawValue] ?? []
            former[stream.rawValue] = present + before.dropFirst(present.count)
            contents[stream.rawValue] = []
        }
    }

    private mutating func compareFormer(
        _ columns: TokenColumns,
        _ tokens: Range<Int>,
        from first: Int,
        of stream: UInt64
    ) {
        guard let known = former[stream], changes[stream] == nil else { return }
        for (place, token) in tokens.enumerated() where first + place < known.count {
            guard known[first + place] != columns.ids[token] else { continue }
            changes[stream] = first + place
            return
        }
    }

    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {
        guard case .tokens(let shared) = message else { return }
        var token = 0
        for row in 0..<shared.value.rows {
            let count = Int(shared.value.counts[row])
            let first = Int(shared.value.firstIndexes[row])
            let stream = shared.value.streams[row]
            compare(shared.value, token..<token + count, from: first, of: stream, at: now, "a client got")
            token += count
        }
        checkTexts(shared.value, at: now)
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        guard case .assign(let stream, let epoch, _, let history, _) = message else { return }
        let known = contents[stream.rawValue]
        guard history != known else { return }
        broken(
            at: now,
            "attempt \(epoch) of stream \(stream) goes on from \(history.count) tokens that are not the \(known.count) "
                + "of the journal"
        )
    }

    @inline(__always)
    private mutating func compare(
        _ columns: TokenColumns,
        _ tokens: Range<Int>,
        from first: Int,
        of stream: UInt64,
        at now: Timestamp,
        _ what: StaticString
    ) {
        let known = contents[stream]
        for (place, token) in tokens.enumerated() {
            // What is not in the journal yet is for the checker of durability to report.
            guard first + place < known.count else { return }
            guard known[first + place] != columns.ids[token] else { continue }
            broken(
                at: now,
                "\(what) token \(columns.ids[token]) at index \(first + place) of stream \(stream), "
                    + "where \(known[first + place]) stands"
            )
            return
        }
    }

    /// Looks whether every token has its own text.
    @inline(__always)
    private mutating func checkTexts(_ columns: TokenColumns, at now: Timestamp) {
        var byte = 0
        for token in columns.ids.indices {
            let id = columns.ids[token]
            let length = Truth.textLength(of: id)
            var isRight = Int(columns.textLengths[token]) == length && byte + length <= columns.text.count
            var rest = UInt32(bitPattern: id) / 3
            for place in 0..<length where isRight {
                isRight = columns.text[byte + place] == UInt8(ascii: "a") + UInt8(truncatingIfNeeded: rest % 26)
                rest /= 26
            }
            guard isRight else {
                broken(at: now, "a client got token \(id) with the text of another one")
                return
            }
            byte += length
        }
    }
}
