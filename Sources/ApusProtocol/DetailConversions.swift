package import ApusModel
import Foundation
import SwiftProtobuf

extension TokenDetail {
    /// Reads a token's details from the bytes that came with it; `nil` for bytes that are none.
    ///
    /// - Parameter bytes: An encoded message `TokenDetail`, as `encode(into:)` writes it.
    package init?(encoded bytes: some Collection<UInt8>) {
        // What is wrong with a peer's bytes helps nobody: there are no details then.
        guard !bytes.isEmpty, let wire = try? Apus_V1_TokenDetail(serializedBytes: Array(bytes)) else { return nil }
        self.init(
            // Adding zero makes the negative one, which stands for it on the wire, a plain one again.
            logprob: wire.logprob + 0,
            top: wire.top.prefix(Limits.alternatives).map { alternative in
                Alternative(
                    id: TokenID(rawValue: alternative.id),
                    logprob: alternative.logprob + 0,
                    text: [UInt8](alternative.text)
                )
            }
        )
    }
}
