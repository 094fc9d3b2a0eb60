public import ApusModel

/// One forward pass: a run of tokens for each of some sequences.
public struct Pass: Sendable {
    /// What a pass computes; passes of different kinds may use different kernels.
    public enum Kind: Hashable, Sendable {
        /// A piece of one prompt, whole quanta but for the prompt's end.
        case prompt
        /// Tokens that were drawn: one a sequence, or several of a single one (its history, or drafts).
        case drawn
    }

    /// One sequence's part.
    public struct Segment: Hashable, Sendable {
        /// The sequence's slot.
        public var slot: Int

        /// Where its tokens are in `Pass.tokens`.
        public var tokens: Range<Int>

        /// The place of its first token in the sequence, from 0.
        public var position: Int

        /// The index of the token to draw after the tokens that are sure; `nil` draws none.
        public var drawing: Int?

        /// How many of the last tokens are guesses.
        ///
        /// The token before each guess is drawn first; a guess that was drawn stays, and the first that was not ends the
        /// segment: it and those behind it leave no trace.
        public var drafts: Int

        /// Describes a part.
        public init(slot: Int, tokens: Range<Int>, position: Int, drawing: Int?, drafts: Int = 0) {
            self.slot = slot
            self.tokens = tokens
            self.position = position
            self.drawing = drawing
            self.drafts = drafts
        }
    }

    /// What it computes.
    public var kind: Kind

    /// The tokens of all segments.
    public var tokens: [TokenID] = []

    /// The parts, in rising order of slots; several only where each has one token.
    public var segments: [Segment] = []

    /// A pass without segments.
    public init(kind: Kind) {
        self.kind = kind
    }

    /// Appends a segment.
    public mutating func append(
        _ fed: some Collection<TokenID>,
        to slot: Int,
        at position: Int,
        drawing index: Int?,
        drafts: Int = 0
    ) {
        let start = tokens.count
        tokens.append(contentsOf: fed)
        segments.append(
            Segment(slot: slot, tokens: start..<tokens.count, position: position, drawing: index, drafts: drafts)
        )
    }

    /// Empties the pass and keeps its memory.
    public mutating func removeAll(kind: Kind) {
        self.kind = kind
        tokens.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
    }
}

/// What a pass drew.
public struct PassOutcome: Sendable {
    /// A segment whose draw failed.
    public struct Failure: Sendable {
        /// The segment's place in the pass.
        public var segment: Int

        /// Why.
        public var error: ApusError

        /// Describes a failure.
        public init(segment: Int, error: ApusError) {
            self.segment = segment
            self.error = error
        }
    }

    /// The drawn tokens, segment by segment.
    public var tokens: [TokenID] = []

    /// How many tokens each segment has: 1, more where guesses were right, 0 where none was asked for or the draw failed.
    public var counts: [Int] = []

    /// The log probabilities of each token whose request asks for them; empty, or shorter than `tokens`, where the rest has none.
    public var details: [TokenDetail?] = []

    /// The log probabilities of the token with a place in `tokens`, where its request asks for them.
    func detail(of place: Int) -> TokenDetail? { place < details.count ? details[place] : nil }

    /// Segments whose draw failed; mostly none.
    public var failures: [Failure] = []

    /// The part of the pass that went into drawing.
    public var drawTime: Duration = .zero

    /// An empty outcome.
    public init() {}

    /// Empties the outcome and keeps its memory.
    public mutating func removeAll() {
        tokens.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        details.removeAll(keepingCapacity: true)
        failures.removeAll(keepingCapacity: true)
        drawTime = .zero
    }
}
