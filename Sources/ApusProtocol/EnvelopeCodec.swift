package import ApusModel
import SwiftProtobuf

/// Turns envelopes into the bytes of a frame and back: a version byte, then the protobuf message.
package enum EnvelopeCodec {
    /// Encodes an envelope.
    ///
    /// - Throws: `protocolViolation` where the frame would exceed `Limits.frameBytes`; the sender has to split it.
    package static func encode(_ envelope: Apus_V1_Envelope) throws(ApusError) -> [UInt8] {
        let bytes: [UInt8]
        do {
            let frame: VersionedBytes = try envelope.serializedBytes()
            bytes = frame.bytes
        } catch {
            throw ApusError(.internalFailure, "a message could not be encoded: \(error)")
        }
        guard bytes.count <= Limits.frameBytes else {
            throw ApusError(
                .protocolViolation,
                "a message of \(bytes.count) bytes is over the limit of \(Limits.frameBytes)"
            )
        }
        return bytes
    }

    /// Decodes a frame; unknown fields are kept.
    ///
    /// - Parameter bytes: The frame; borrowed for the call.
    /// - Returns: The envelope; its body is `nil` for a kind of message that this side does not know.
    /// - Throws: `versionMismatch` for another version byte; `protocolViolation` for an empty or oversized frame and for
    ///   bytes that are not an envelope.
    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(ApusError) -> Apus_V1_Envelope {
        guard let version = bytes.first else {
            throw ApusError(.protocolViolation, "the frame is empty")
        }
        guard bytes.count <= Limits.frameBytes else {
            throw ApusError(.protocolViolation, "the frame has \(bytes.count) bytes, over \(Limits.frameBytes)")
        }
        guard version == ApusVersion.wire else {
            throw ApusError(
                .versionMismatch,
                "the peer speaks version \(version) of the protocol, this side version \(ApusVersion.wire)"
            )
        }
        do {
            return try Apus_V1_Envelope(serializedBytes: UnsafeRawBufferPointer(rebasing: bytes.dropFirst()).bytes)
        } catch {
            throw ApusError(.protocolViolation, "the frame holds no envelope: \(error)")
        }
    }
}

/// A frame as a serialiser sees it, which fills the bytes behind the version: so they are written in their place at once.
private struct VersionedBytes: SwiftProtobufContiguousBytes {
    /// The whole frame.
    private(set) var bytes: [UInt8]

    init(repeating byte: UInt8, count: Int) {
        bytes = Array(repeating: byte, count: count + 1)
        bytes[0] = ApusVersion.wire
    }

    init(_ sequence: some Sequence<UInt8>) {
        bytes = [ApusVersion.wire]
        bytes.append(contentsOf: sequence)
    }

    var count: Int { bytes.count - 1 }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        // Invariant: there is always the version byte to skip.
        try bytes.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0.dropFirst())) }
    }

    mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        // Invariant: there is always the version byte to skip.
        try bytes.withUnsafeMutableBytes { try body(UnsafeMutableRawBufferPointer(rebasing: $0.dropFirst())) }
    }
}

extension Apus_V1_Envelope {
    /// Wraps one message.
    package init(_ body: OneOf_Body) {
        self.init()
        self.body = body
    }
}
