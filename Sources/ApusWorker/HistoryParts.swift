import ApusModel
import ApusProtocol

/// The beginning of a history that is too long for one message, until its assignment comes.
///
/// A coordinator sends the parts directly before the assignment, so that there is never more than one in the making.
struct HistoryParts {
    private var stream: UInt64 = 0
    private var epoch: UInt32 = 0
    private var ids: [Int32] = []

    /// Takes a part; one of another attempt replaces what was there.
    ///
    /// - Throws: `protocolViolation` where there are more tokens than a stream can have.
    mutating func take(_ part: Apus_V1_History) throws(ApusError) {
        if part.stream != stream || part.epoch != epoch {
            stream = part.stream
            epoch = part.epoch
            ids.removeAll()
        }
        guard ids.count + part.ids.count <= Limits.maximumTokens else {
            ids.removeAll()
            throw ApusError(.protocolViolation, "a history has more than \(Limits.maximumTokens) tokens")
        }
        ids += part.ids
    }

    /// Puts the parts in front of their assignment's own history.
    ///
    /// - Returns: The assignment with its whole history.
    /// - Throws: `protocolViolation` where some parts are missing.
    mutating func complete(_ assign: Apus_V1_Assign) throws(ApusError) -> Apus_V1_Assign {
        guard assign.historyBefore > 0 else { return assign }
        defer { ids = [] }
        guard stream == assign.stream, epoch == assign.epoch, UInt64(ids.count) == assign.historyBefore else {
            throw ApusError(.protocolViolation, "an assignment's history is not complete")
        }
        var whole = assign
        whole.history = ids + assign.history
        return whole
    }
}
