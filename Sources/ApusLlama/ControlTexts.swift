/// The texts of a vocabulary's control tokens, such as `<|im_end|>`, to be found in text that must not become them.
///
/// A tree over bytes, so that a search costs about as much for hundreds of texts as for one.
struct ControlTexts {
    /// A place in a text where the whole text of a control token stands.
    struct Occurrence: Hashable {
        /// Where it begins.
        let start: Int

        /// Where its second character begins: a cut there leaves no control token.
        let cut: Int

        /// Where it ends.
        let end: Int
    }

    private struct Node {
        var children: [UInt8: Int] = [:]
        var endsText = false
    }

    private var nodes = [Node()]
    /// The children of the root, for the first byte, which is looked at everywhere; 0: none.
    private var roots = [Int](repeating: 0, count: 256)

    /// Takes the texts to look for.
    ///
    /// Those of a single character are left out: nothing can be cut there.
    init(_ texts: some Sequence<String>) {
        for text in texts where text.unicodeScalars.count > 1 {
            var node = 0
            for byte in text.utf8 {
                if let next = nodes[node].children[byte] {
                    node = next
                } else {
                    nodes.append(Node())
                    nodes[node].children[byte] = nodes.count - 1
                    if node == 0 { roots[Int(byte)] = nodes.count - 1 }
                    node = nodes.count - 1
                }
            }
            nodes[node].endsText = true
        }
    }

    /// All occurrences in order of their beginnings, overlapping ones too; of several at one place the longest.
    func occurrences(in text: [UInt8]) -> [Occurrence] {
        var found: [Occurrence] = []
        for start in text.indices {
            var node = roots[Int(text[start])]
            guard node != 0 else { continue }
            var place = start + 1
            var end = nodes[node].endsText ? place : start
            while place < text.count, let next = nodes[node].children[text[place]] {
                node = next
                place += 1
                if nodes[node].endsText { end = place }
            }
            guard end > start else { continue }
            var cut = start + 1
            // Bytes that go on with a character begin with the bits 10.
            while cut < end, text[cut] & 0xC0 == 0x80 { cut += 1 }
            found.append(Occurrence(start: start, cut: cut, end: end))
        }
        return found
    }
}
