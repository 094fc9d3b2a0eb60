public import ApusModel

extension CoordinatorMachine {
    /// The journal of a former life holds this record; told in the journal's order, before the first turn.
    ///
    /// A record that is known already changes nothing.
    public mutating func replayed(_ record: JournalRecord) {
    }

    /// The journal of a former life holds these tokens; told before the records of the same batch.
    ///
    /// - Parameter tokens: Valid columns with epochs; tokens that are known already change nothing.
    public mutating func replayed(_ tokens: TokenColumns) {
    }

    /// The whole journal is told: streams that ran wait for their workers for a while, the others for a slot.
    ///
    /// - Parameter now: Not earlier than any moment in the journal.
    public mutating func recovered(at now: Timestamp) {
    }
}
