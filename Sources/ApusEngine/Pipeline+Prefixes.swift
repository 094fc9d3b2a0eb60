import ApusCore
import ApusModel
import DequeModule

/// Computed beginnings of prompts: found in the cache or in another stream's slot, and kept when a stream ends.
///
/// A prompt has the same bits wherever its beginning was computed, so that a hit changes nothing but the time.
extension Pipeline {
    /// Copies of fewer tokens cost more than they save.
    private static let leastSnapshot = 16

    /// The streams whose slots are searched, the youngest: siblings come together.
    private static let searchedStreams = 32

    /// Gives a stream that has just got its slot the computed beginning of its prompt, if there is one.
    ///
    /// Where another stream is computing more of it than is kept, this one waits: the other's chunks come first in any case.
    mutating func findBeginning(_ key: Int, slot: Int) {
        guard prefixes.isEnabled else { return }
        var match = prefixes.longestMatch(attempts[key].prompt)
        if let (other, tokens) = longestRunning(key, beyond: (match?.tokens ?? 0) + Self.leastSnapshot) {
            if planner.filled(of: other) >= tokens {
                keep(other, tokens: tokens, isLeaving: false)
                match = prefixes.longestMatch(attempts[key].prompt) ?? match
            } else if planner.isInPrompt(key: other) {
                attempts[key].waitsFor = attempts[other].stream
                heldKeys.append(key)
                return planner.hold(key: key)
            }
        }
        if let found = match, engine.restore(found.snapshot, tokens: found.tokens, into: slot) {
            planner.found(key: key, tokens: found.tokens)
            attempts[key].meter.cachedTokens = found.tokens
            counters.cachedTokens += UInt64(found.tokens)
        } else {
            match = nil
        }
        prefixes.promptBegan(tokens: attempts[key].promptTokens, match: match)
        if seatedKeys.count == Self.searchedStreams { seatedKeys.removeFirst() }
        seatedKeys.append(key)
    }

    /// Lets streams go on whose beginning another has computed by now, or won't.
    mutating func releaseHeld() {
        guard !heldKeys.isEmpty else { return }
        let held = heldKeys
        heldKeys.removeAll(keepingCapacity: true)
        for key in held {
            // The place may belong to another stream by now.
            guard let awaited = attempts[key].waitsFor, let slot = planner.slot(of: key) else { continue }
            if let other = keys[awaited], planner.isInPrompt(key: other) {
                heldKeys.append(key)
                continue
            }
            attempts[key].waitsFor = nil
            planner.release(key: key)
            findBeginning(key, slot: slot)
        }
    }

    /// Keeps the beginning of a stream's prompt, when the stream leaves its slot.
    mutating func keepBeginning(_ key: Int) {
        guard prefixes.isEnabled, planner.slot(of: key) != nil, planner.isDecoding(key: key) else { return }
        let tokens = wholeQuanta(attempts[key].promptTokens)
        guard tokens >= Self.leastSnapshot, !prefixes.isCovered(attempts[key].prompt, tokens: tokens) else { return }
        keep(key, tokens: tokens, isLeaving: true)
    }

    private mutating func keep(_ key: Int, tokens: Int, isLeaving: Bool) {
        // Where memory is short, what would be dropped soon is not copied.
        guard memory < .pressure, planner.filled(of: key) >= tokens, let slot = planner.slot(of: key),
            let snapshot = engine.snapshot(slot: slot, tokens: tokens, isLeaving: isLeaving)
        else { return }
        let names = attempts[key].request.prefixBlocks
        prefixes.insert(
            snapshot,
            of: attempts[key].prompt,
            names: names,
            coveredNames: names.isEmpty ? 0 : textBytes(of: attempts[key], before: tokens) / PrefixBlocks.blockBytes
        )
    }

    /// The seated stream whose prompt shares the most with another's.
    private func longestRunning(_ key: Int, beyond least: Int) -> (key: Int, tokens: Int)? {
        var best: (key: Int, tokens: Int)?
        let prompt = attempts[key].prompt
        for other in seatedKeys where other != key {
            // Those that have ended hold no prompt.
            let their = attempts[other].prompt
            let bound = min(wholeQuanta(their.count), wholeQuanta(prompt.count - 1))
            guard bound > (best?.tokens ?? least - 1), planner.slot(of: other) != nil else { continue }
            var equal = 0
            while equal < bound, prompt[equal] == their[equal] { equal += 1 }
            let tokens = wholeQuanta(equal)
            if tokens > (best?.tokens ?? least - 1) { best = (other, tokens) }
        }
        return best
    }

    private func wholeQuanta(_ tokens: Int) -> Int {
        tokens / description.prefillQuantum * description.prefillQuantum
    }

    /// How many bytes of a prompt's text its first tokens stand for.
    ///
    /// What the template adds counts as if all of it came first, so that the number is rather too small.
    private func textBytes(of attempt: Attempt, before tokens: Int) -> Int {
        var text: [UInt8] = []
        var first = 0
        for (place, token) in attempt.prompt.enumerated() {
            if place == tokens { first = text.count }
            engine.appendText(of: token, showingSpecials: true, to: &text)
        }
        if tokens == attempt.prompt.count { first = text.count }
        return max(0, first - max(0, text.count - attempt.request.promptBytes))
    }
}
