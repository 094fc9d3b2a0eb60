import ApusCore
import ApusModel

/// The coordinator's process: its machine, what waits for it, and how it is going to die.
struct SimulatedCoordinator {
    /// Where the process dies, within the next turn that comes there.
    enum Doom: Hashable {
        /// The batch never reaches the disk.
        case beforeAppend
        /// The batch is written and not synced.
        case afterAppend(Tail)
        /// The batch is durable and nobody hears of it.
        case afterSync
        /// So many messages go out.
        case afterSends(Int)
    }

    /// What becomes of a batch that was written and not synced.
    enum Tail: Hashable {
        case lost, kept, torn
    }

    /// The messages that a turn takes from workers, and from clients.
    static let messageBudget = 512

    var machine: CoordinatorMachine
    var turn = Turn()
    var isRunning = true

    /// Counts the processes.
    var life = 0

    var workerInbox = Inbox<WorkerReport>()
    var clientInbox = Inbox<ClientRequest>()

    /// Connections whose loss is noticed and not told yet.
    var lostWorkers: [Int] = []
    var lostClients: [Int] = []

    /// Until when the last turn takes.
    var busyUntil: Int64 = 0

    /// When the next turn is planned.
    var wakesAt = Int64.max

    var doom: Doom?

    /// Whether it died within the present turn.
    var isDying = false
    var replay = TokenColumns()
    var replayConnection: Int?

    /// Whether the journal takes batches.
    var keeper = SimulatedKeeper()

    /// Streams whose tokens could not be read in this turn, each with the connection that they are for.
    var unread: [(peer: ClientPeer, stream: StreamID)] = []

    /// When the journal is asked next what it may forget.
    var expiryDue: Int64 = 0

    init(settings: CoordinatorSettings) {
        machine = CoordinatorMachine(settings: settings)
    }
}

/// Messages that wait for a turn, each with the connection that it came by.
struct Inbox<Message> {
    private var messages: [(connection: Int, message: Message?)] = []
    private var first = 0

    var isEmpty: Bool { messages.isEmpty }

    mutating func append(_ message: Message, from connection: Int) {
        messages.append((connection, message))
    }

    mutating func popFirst() -> (connection: Int, message: Message)? {
        guard first < messages.count else { return nil }
        if first == messages.count - 1 {
            let (connection, message) = messages.removeLast()
            removeAll()
            return message.map { (connection, $0) }
        }
        let connection = messages[first].connection
        var message: Message?
        swap(&message, &messages[first].message)
        first += 1
        return message.map { (connection, $0) }
    }

    mutating func removeAll() {
        // One by one: few are left, and `removeAll(keepingCapacity:)` has costs of its own.
        while messages.popLast() != nil {}
        first = 0
    }
}
