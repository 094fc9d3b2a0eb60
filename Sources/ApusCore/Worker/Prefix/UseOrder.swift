/// Small numbers in the order in which they were used: a linked list in an array, every change in constant time.
struct UseOrder: Sendable {
    private struct Link {
        var older = -1
        var newer = -1
        var isPresent = false
    }

    private var links: [Link] = []
    private var first = -1
    private var last = -1

    /// An empty order.
    init() {}

    /// The number that has been unused longest.
    var oldest: Int? { first < 0 ? nil : first }

    /// All numbers, the one that has been unused longest first.
    var places: [Int] {
        var places: [Int] = []
        var place = first
        while place >= 0 {
            places.append(place)
            place = links[place].newer
        }
        return places
    }

    /// Adds a number that isn't present as the one used last.
    mutating func append(_ place: Int) {
        while links.count <= place { links.append(Link()) }
        precondition(!links[place].isPresent, "the number is there already")
        links[place] = Link(older: last, isPresent: true)
        if last >= 0 { links[last].newer = place } else { first = place }
        last = place
    }

    /// Takes a number out; nothing happens where it isn't present.
    mutating func remove(_ place: Int) {
        guard place < links.count, links[place].isPresent else { return }
        let link = links[place]
        if link.older >= 0 { links[link.older].newer = link.newer } else { first = link.newer }
        if link.newer >= 0 { links[link.newer].older = link.older } else { last = link.older }
        links[place] = Link()
    }
}
