extension GenerationRequest {
    /// Bytes that the parts of the request take which may be large: prompt or messages, constraint and logit biases.
    package var bulkBytes: Int {
        promptBytes + (constraint?.source.utf8.count ?? 0) + sampling.logitBias.count * MemoryLayout<LogitBias>.stride
    }

    /// A digest of the parts that may be large: the same in every process, so that a request can be compared without them.
    package var bulkDigest: UInt64 {
        var digest = promptDigest
        if let constraint { digest = (digest ^ constraint.kind).mixed ^ constraint.source.stableDigest }
        for entry in sampling.logitBias {
            digest = (digest ^ UInt64(UInt32(bitPattern: entry.token.rawValue))).mixed ^ entry.bias.bitPattern
        }
        return digest
    }

    /// Drops the parts that may be large: a stream that has ended needs no more than their digest.
    package mutating func removeBulk() {
        prompt = ""
        messages = []
        constraint = nil
        sampling.logitBias = []
    }
}

extension OutputConstraint {
    /// Its text; empty where it has none.
    fileprivate var source: String {
        switch self {
        case .grammar(let source), .jsonSchema(let source): source
        case .jsonObject: ""
        }
    }

    /// Tells the kinds apart.
    fileprivate var kind: UInt64 {
        switch self {
        case .grammar: 1
        case .jsonSchema: 2
        case .jsonObject: 3
        }
    }
}
