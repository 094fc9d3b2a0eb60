package import ApusModel
import Foundation
import SwiftProtobuf

/// Turns envelopes into the bytes of a frame and back: a version byte, then the protobuf message.
package enum EnvelopeCodec {
    /// Encodes an envelope.
    ///
    /// - Throws: `protocolViolation` where the frame would exceed `Limits.frameBytes`; the sender has to split it.
    package static func encode(_ envelope: Apus_V1_Envelope) throws(ApusError) -> [UInt8] {
        var bytes: [UInt8]
        do {
            bytes = try envelope.serializedBytes()
        } catch {
            throw ApusError(.internalFailure, "a message could not be encoded: \(error)")
        }
        bytes.insert(ApusVersion.wire, at: 0)
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
        guard let version = bytes.first, let base = bytes.baseAddress else {
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
        // The decoder copies what it keeps, so the borrowed bytes need to live for this call only, which they do.
        let body = Data(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: base + 1),
            count: bytes.count - 1,
            deallocator: .none
        )
        do {
            return try Apus_V1_Envelope(serializedBytes: body)
        } catch {
            throw ApusError(.protocolViolation, "the frame holds no envelope: \(error)")
        }
    }
}

extension Apus_V1_Envelope {
    /// Wraps one message.
    package init(_ body: OneOf_Body) {
        self.init()
        self.body = body
    }
}
