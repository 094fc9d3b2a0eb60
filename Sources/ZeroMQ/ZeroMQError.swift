internal import CZeroMQ

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What ZeroMQ refused, where, and what to do about it.
public struct ZeroMQError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The error number: `errno`, or one of ZeroMQ's own from 156,384,712 on.
    public let number: CInt

    /// What was tried, as a verb that fits behind "cannot": `bind`, `open a socket`.
    public let operation: String

    /// The endpoint it was tried on, where there is one.
    public let endpoint: String?

    /// Describes a failure.
    ///
    /// - Parameters:
    ///   - number: The error number.
    ///   - operation: What was tried, as a verb that fits behind "cannot".
    ///   - endpoint: The endpoint it was tried on.
    public init(number: CInt, operation: String, endpoint: String? = nil) {
        self.number = number
        self.operation = operation
        self.endpoint = endpoint
    }

    /// The failure of the ZeroMQ call that this thread just made.
    init(_ operation: String, endpoint: String? = nil) {
        self.init(number: zmq_errno(), operation: operation, endpoint: endpoint)
    }

    /// Whether another socket listens on the endpoint already.
    public var isAddressInUse: Bool { number == EADDRINUSE }

    /// Whether the endpoint can never work as written: its form, its transport, or an interface that does not exist.
    public var isInvalidEndpoint: Bool {
        switch number {
        case EINVAL, EPROTONOSUPPORT, ENODEV, EADDRNOTAVAIL, ENAMETOOLONG, ENOCOMPATPROTO: endpoint != nil
        default: false
        }
    }

    /// Whether the context has ended: nothing works on its sockets any more.
    public var isTerminated: Bool { number == ETERM }

    /// What failed, ZeroMQ's word for why, and what to do where that is known.
    public var description: String {
        let place = endpoint.map { " \($0)" } ?? ""
        let reason = zmq_strerror(number).map { String(cString: $0) } ?? "error \(number)"
        let advice = advice.map { " \($0)" } ?? ""
        return "cannot \(operation)\(place): \(reason).\(advice)"
    }

    /// What a person can do about it.
    private var advice: String? {
        switch number {
        case EADDRINUSE:
            "Another process listens there: stop it, or choose another port (* takes a free one)."
        case EADDRNOTAVAIL, ENODEV:
            "No interface of this machine has that address: use one that it has, 127.0.0.1, or * for all."
        case EINVAL, EPROTONOSUPPORT, ENAMETOOLONG, ENOCOMPATPROTO:
            endpoint == nil ? nil : "Write the endpoint as tcp://host:port, for example tcp://127.0.0.1:5555."
        case EACCES:
            "Ports below 1024 need privileges: choose a higher port."
        case EMFILE:
            "Too many sockets or open files: raise the limit (ulimit -n)."
        case ETERM:
            "The ZeroMQ context has ended."
        default:
            nil
        }
    }
}
