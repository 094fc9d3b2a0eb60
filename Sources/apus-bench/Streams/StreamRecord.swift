import ApusClient
import ApusModel

/// What a stream brought, and when it came, on the client's clock.
struct StreamRecord: Sendable {
    /// When it was submitted.
    let submitted: ContinuousClock.Instant

    /// The tokens' numbers.
    private(set) var ids: [Int32] = []

    /// The tokens' texts, back to back.
    private(set) var utf8: [UInt8] = []

    /// When each token came.
    private(set) var arrivals: [ContinuousClock.Instant] = []

    /// How it ended; `nil` while it runs.
    private(set) var end: StreamEnd?

    /// Why it was not served right; `nil` where nothing is wrong so far.
    ///
    /// A stream that was cancelled is all right.
    private(set) var failure: String?

    /// A stream of which nothing came yet.
    init(submitted: ContinuousClock.Instant) {
        self.submitted = submitted
    }

    /// Whether nothing more comes.
    var isOver: Bool { end != nil || failure != nil }

    /// The text.
    var text: String { String(decoding: utf8, as: UTF8.self) }

    /// Milliseconds from submit to the first token; NaN without one.
    var firstToken: Double { arrivals.first.map { (submitted.duration(to: $0)).milliseconds } ?? .nan }

    /// Tokens a second from the first token to the last; NaN below two.
    var tokensPerSecond: Double {
        guard let first = arrivals.first, let last = arrivals.last, arrivals.count > 1 else { return .nan }
        return Double(arrivals.count - 1) / first.duration(to: last).seconds
    }

    /// Milliseconds between neighbouring tokens of which the later one came within a span.
    func gaps(within span: ClosedRange<ContinuousClock.Instant>) -> [Double] {
        zip(arrivals, arrivals.dropFirst()).filter { span.contains($0.1) }.map { $0.duration(to: $1).milliseconds }
    }

    /// Milliseconds between all neighbouring tokens.
    var gaps: [Double] {
        zip(arrivals, arrivals.dropFirst()).map { $0.duration(to: $1).milliseconds }
    }

    /// Tokens that came after one moment and not after another.
    func tokens(after begin: ContinuousClock.Instant, upTo end: ContinuousClock.Instant) -> Int {
        arrivals.count { $0 > begin && $0 <= end }
    }

    /// Takes what came.
    mutating func take(_ update: StreamUpdate) {
        switch update {
        case .batch(let batch):
            if batch.firstIndex != ids.count { failure = "index \(batch.firstIndex) came instead of \(ids.count)" }
            let now = ContinuousClock.now
            ids.append(contentsOf: batch.ids)
            utf8.append(contentsOf: batch.utf8)
            for _ in 0..<batch.count { arrivals.append(now) }
        case .finished(let end):
            self.end = end
            if !end.reason.isSuccess, end.reason != .cancelled {
                failure = "ended by \(end.reason): \(end.error?.message ?? "no reason given")"
            } else if end.usage.completionTokens != ids.count, end.reason != .cancelled {
                failure = "\(ids.count) tokens came of \(end.usage.completionTokens)"
            }
        case .failed(let error):
            failure = "\(error)"
        }
    }
}

extension Duration {
    /// The length in seconds.
    var seconds: Double { self / .seconds(1) }

    /// The length in milliseconds.
    var milliseconds: Double { self / .milliseconds(1) }
}
