/// The story of a world, one line an event, for people.
final class Trace {
    /// The lines so far.
    private(set) var lines: [String] = []

    /// How to read the lines.
    static let legend = [
        "seconds of virtual time, then who does what; -> is a message when it is handed to its connection",
        "w0#3, c1#4     worker 0 on its connection 3, client 1 on its connection 4",
        "3/2[0..<4]     stream 3, attempt (epoch) 2, the tokens with the indexes 0 to 3; clients see no attempts",
        "3/2@4          stream 3, attempt 2, of which the worker holds all before index 4",
        "Credit 3<8     the client takes tokens of stream 3 before index 8",
        "Ack 3<4<8      the worker may forget tokens of stream 3 before index 4, and compute those before 8",
        "#1048602       a request's number; its answer carries it",
        "Beats of workers that have nothing to do are left out.",
    ]

    /// Adds what happened at a moment of virtual time.
    func note(_ now: Int64, _ line: String) {
        let microseconds = String(now / 1_000 % 1_000_000)
        let padding = String(repeating: "0", count: 6 - microseconds.count)
        let seconds = String(now / 1_000_000_000)
        let indent = String(repeating: " ", count: max(0, 4 - seconds.count))
        lines.append("\(indent)\(seconds).\(padding)\(microseconds)  \(line)")
    }
}
