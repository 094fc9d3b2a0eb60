/// Places of a table, least rank first; any of them can be moved or taken out, because the heap knows where each
/// stands.
///
/// Each change costs O(log n) and leaves no garbage. The memory follows the highest place that was ever held.
struct PlaceHeap<Rank: Comparable & Sendable>: Sendable {
    private struct Node: Sendable {
        let place: Int
        let rank: Rank
    }

    private var nodes: [Node] = []

    /// Where the node of each place is; -1 for a place that is not held.
    private var spots: [Int] = []

    var count: Int { nodes.count }

    /// The place with the least rank.
    var first: Int? { nodes.first?.place }

    /// The least rank.
    var firstRank: Rank? { nodes.first?.rank }

    /// Adds a place, or gives one that is held another rank.
    mutating func set(_ place: Int, to rank: Rank) {
        while spots.count <= place { spots.append(-1) }
        let node = Node(place: place, rank: rank)
        if spots[place] < 0 {
            nodes.append(node)
            rise(node, from: nodes.count - 1)
        } else {
            settle(node, at: spots[place])
        }
    }

    /// Takes a place out; one that is not held changes nothing.
    mutating func remove(_ place: Int) {
        guard place < spots.count, spots[place] >= 0 else { return }
        let spot = spots[place]
        spots[place] = -1
        let last = nodes.removeLast()
        if spot < nodes.count { settle(last, at: spot) }
    }

    private mutating func settle(_ node: Node, at spot: Int) {
        if spot > 0, node.rank < nodes[(spot - 1) / 2].rank {
            rise(node, from: spot)
        } else {
            sink(node, from: spot)
        }
    }

    private mutating func rise(_ node: Node, from start: Int) {
        var spot = start
        while spot > 0, node.rank < nodes[(spot - 1) / 2].rank {
            put(nodes[(spot - 1) / 2], at: spot)
            spot = (spot - 1) / 2
        }
        put(node, at: spot)
    }

    private mutating func sink(_ node: Node, from start: Int) {
        var spot = start
        while 2 * spot + 1 < nodes.count {
            var child = 2 * spot + 1
            if child + 1 < nodes.count, nodes[child + 1].rank < nodes[child].rank { child += 1 }
            guard nodes[child].rank < node.rank else { break }
            put(nodes[child], at: spot)
            spot = child
        }
        put(node, at: spot)
    }

    private mutating func put(_ node: Node, at spot: Int) {
        nodes[spot] = node
        spots[node.place] = spot
    }
}
