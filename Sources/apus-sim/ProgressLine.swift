import ApusModel
import Foundation

/// A line on a terminal that says how far a sweep is.
struct ProgressLine {
    /// `nil` where standard error is no terminal.
    init?() {
        guard isatty(STDERR_FILENO) == 1 else { return nil }
    }

    /// Shows how many seeds are done.
    func show(_ done: Int, of count: Int, since began: ContinuousClock.Instant) {
        let seconds = (ContinuousClock.now - began).inSeconds
        let rate = Int(Double(done) / max(seconds, 0.001))
        write("\r\u{1B}[K\(done.grouped) of \(count.grouped) seeds, \(rate.grouped) a second")
    }

    /// Takes the line away.
    func clear() { write("\r\u{1B}[K") }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}

extension Int {
    /// The number with a comma between each three digits.
    var grouped: String {
        var digits: [Character] = []
        for (place, digit) in String(magnitude).reversed().enumerated() {
            if place > 0, place.isMultiple(of: 3) { digits.append(",") }
            digits.append(digit)
        }
        return (self < 0 ? "-" : "") + String(digits.reversed())
    }
}
