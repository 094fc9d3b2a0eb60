/// A peer of a router, for as long as its connection lasts.
///
/// It is the identity that ZeroMQ gives a connection by itself (a zero byte and 32 bits), packed into a word: hashing and copying
/// it costs nothing. A peer that comes back has a new route. It says nothing about who the peer is.
public struct Route: Hashable, Sendable, CustomStringConvertible {
    /// The five identity bytes as a big-endian number.
    public let rawValue: UInt64

    /// How many bytes an identity given by ZeroMQ has.
    static let byteCount = 5

    /// Wraps a number that another route had, or one made up for a test.
    ///
    /// - Parameter rawValue: The identity as a number; only the low 40 bits reach the wire.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Reads an identity frame; `nil` where the peer chose its identity itself, which ours never do.
    init?(identity: UnsafeRawBufferPointer) {
        guard identity.count == Self.byteCount, identity.first == 0 else { return nil }
        rawValue = identity.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Lends the identity frame.
    func withIdentity<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        // The five bytes are the last of the eight in network order.
        withUnsafeBytes(of: rawValue.bigEndian) { body(UnsafeRawBufferPointer(rebasing: $0.suffix(Self.byteCount))) }
    }

    /// The route in hexadecimal, for logs.
    public var description: String { "route-" + String(rawValue, radix: 16) }
}
