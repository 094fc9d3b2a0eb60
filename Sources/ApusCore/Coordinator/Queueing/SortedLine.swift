import DequeModule

/// Different elements in ascending order, in chunks of a bounded size.
///
/// The usual change is at an end and touches one element; another one finds its chunk and its place by halving and
/// moves at most one chunk's elements, so that a client that cancels or hurries thousands of streams costs no more than
/// others.
struct SortedLine<Element: Comparable & Sendable>: Sendable {
    /// Elements that a chunk may have.
    static var chunkLimit: Int { 128 }

    /// In order, none empty.
    private var chunks: Deque<Deque<Element>> = []

    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The least element.
    var first: Element? { chunks.first?.first }

    /// The chunks' sizes, in order.
    var chunkSizes: [Int] { chunks.map(\.count) }

    /// Adds an element; one that is there already is a programmer's error.
    mutating func insert(_ element: Element) {
        count += 1
        guard let last = chunks.last?.last else {
            chunks.append([element])
            return
        }
        let end = chunks.count - 1
        if last < element {
            if chunks[end].count < Self.chunkLimit { chunks[end].append(element) } else { chunks.append([element]) }
            return
        }
        let chunk = self.chunk(of: element)
        let offset = self.offset(of: element, in: chunk)
        precondition(offset == chunks[chunk].count || element < chunks[chunk][offset], "an element is inserted twice")
        chunks[chunk].insert(element, at: offset)
        if chunks[chunk].count > Self.chunkLimit { split(chunk) }
    }

    /// Takes out the least element.
    mutating func popFirst() -> Element? {
        guard !chunks.isEmpty else { return nil }
        count -= 1
        let element = chunks[0].removeFirst()
        if chunks[0].isEmpty { chunks.removeFirst() }
        return element
    }

    /// Takes out an element that is there and returns what is stored of it; one that is missing is a programmer's
    /// error.
    mutating func remove(_ element: Element) -> Element {
        precondition(!chunks.isEmpty, "the element is missing")
        let chunk = self.chunk(of: element)
        let offset = self.offset(of: element, in: chunk)
        precondition(offset < chunks[chunk].count && !(element < chunks[chunk][offset]), "the element is missing")
        count -= 1
        let removed = chunks[chunk].remove(at: offset)
        if chunks[chunk].isEmpty {
            chunks.remove(at: chunk)
        } else if chunk + 1 < chunks.count, chunks[chunk].count + chunks[chunk + 1].count <= Self.chunkLimit / 2 {
            chunks[chunk].append(contentsOf: chunks.remove(at: chunk + 1))
        }
        return removed
    }

    private mutating func split(_ chunk: Int) {
        let middle = chunks[chunk].count / 2
        let tail = Deque(chunks[chunk][middle...])
        chunks[chunk].removeLast(tail.count)
        chunks.insert(tail, at: chunk + 1)
    }

    /// The last chunk that does not begin after an element, or the first chunk.
    private func chunk(of element: Element) -> Int {
        var (low, high) = (0, chunks.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if element < chunks[middle][0] { high = middle } else { low = middle }
        }
        return low
    }

    /// Where an element is in a chunk, or where it belongs.
    private func offset(of element: Element, in chunk: Int) -> Int {
        var (low, high) = (0, chunks[chunk].count)
        while low < high {
            let middle = (low + high) / 2
            if chunks[chunk][middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
