import ApusClient
import ApusModel

/// Where the streams of one job are printed, which come at the same time.
///
/// Texts are kept until those before them are complete; they are bounded by what the streams may generate.
actor StreamOutput {
    /// A stream whose text can't be printed yet, or is being printed.
    private struct Entry {
        let choice: Int
        var kept: [UInt8] = []
        var endsWithNewline = true
        /// What follows the text on the error output; `nil` as long as it goes on.
        var notes: [String]?
    }

    private let format: StreamFormat
    private var entries: [Entry]
    private var current = 0

    /// An output for so many streams.
    init(format: StreamFormat, choices: [Int]) {
        self.format = format
        entries = choices.map { Entry(choice: $0) }
    }

    /// The streams are accepted.
    func begin(_ streams: [TokenStream]) throws {
        switch format {
        case .json:
            for stream in streams {
                try write(EventLines.accepted(job: stream.job, choice: stream.choice, seed: stream.seed))
            }
        case .text:
            try printHeading()
        }
    }

    /// Tokens came.
    func write(_ batch: TokenBatch, at place: Int) throws {
        switch format {
        case .json: try write(EventLines.tokens(batch, choice: entries[place].choice))
        case .text:
            if batch.utf8.isEmpty { return }
            if place == current { try Terminal.writeModelText(batch.utf8) } else { entries[place].kept += batch.utf8 }
            entries[place].endsWithNewline = batch.utf8.last == UInt8(ascii: "\n")
        }
    }

    /// Writes lines that belong to no place.
    func write(_ line: [UInt8]) throws {
        try Terminal.write(line)
    }

    /// Says that a stream can't be followed, beside another one that ends the command.
    func broken(_ broken: BrokenStream) throws {
        switch format {
        case .json: try write(EventLines.error(broken.error, choice: broken.choice))
        case .text: Terminal.complain(broken.error.message)
        }
    }

    /// A text is complete; those that waited for it follow.
    ///
    /// - Parameters:
    ///   - place: The stream's place.
    ///   - notes: What to print after it on the error output.
    /// - Throws: `CommandExit` where the reader is gone.
    func finish(_ place: Int, notes: [String]) throws {
        guard format == .text else { return }
        entries[place].notes = notes
        while current < entries.count, let notes = entries[current].notes {
            if !entries[current].endsWithNewline { try Terminal.write("\n") }
            for note in notes { Terminal.printError(note) }
            current += 1
            guard current < entries.count else { return }
            try printHeading()
            try Terminal.writeModelText(entries[current].kept)
            entries[current].kept = []
        }
    }

    /// Several texts are told apart by headings, on the result output: otherwise nothing in a file would.
    private func printHeading() throws {
        guard entries.count > 1 else { return }
        try Terminal.write("\(current == 0 ? "" : "\n")== choice \(entries[current].choice) ==\n")
    }
}
