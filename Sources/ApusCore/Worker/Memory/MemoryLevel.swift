/// How short memory is.
public enum MemoryLevel: String, CaseIterable, Hashable, Comparable, Sendable {
    /// There is enough.
    case normal

    /// It is getting short.
    case warning

    /// It is short: batches shrink.
    case pressure

    /// It is nearly used up: what can be dropped is dropped, and no new work is taken.
    case critical

    /// Its place in the order, from 0.
    private var severity: Int {
        switch self {
        case .normal: 0
        case .warning: 1
        case .pressure: 2
        case .critical: 3
        }
    }

    /// Orders levels by severity.
    public static func < (left: MemoryLevel, right: MemoryLevel) -> Bool { left.severity < right.severity }

    /// The next milder level; `normal` stays.
    var milder: MemoryLevel {
        switch self {
        case .normal, .warning: .normal
        case .pressure: .warning
        case .critical: .pressure
        }
    }
}
