import ApusCore
import ApusModel

/// Partitions that are in force; a host has at most one.
struct Partitions {
    /// Which host is cut off, and in which directions.
    struct Partition {
        let isWorker: Bool
        let host: Int
        let blocksUp: Bool
        let blocksDown: Bool
        var isOver = false
    }

    private(set) var all: [Partition] = []

    /// The partition of a host that is in force.
    func partition(ofWorker isWorker: Bool, _ host: Int) -> Partition? {
        all.last { !$0.isOver && $0.isWorker == isWorker && $0.host == host }
    }

    mutating func begin(_ partition: Partition) -> Int {
        all.append(partition)
        return all.count - 1
    }

    mutating func end(_ place: Int) { all[place].isOver = true }
}

/// Connections: how they begin, how messages arrive, how they break.
extension World {
    /// How long either side of a silent connection waits before it gives it up.
    private static let heartbeat: Int64 = 300_000_000

    // MARK: - Arrivals

    mutating func workerMessagesArrive(_ connection: Int) {
        let isHeard = coordinator.isRunning && workerConnections[connection].coordinatorLife == coordinator.life
        while let report = workerConnections[connection].up.receive(at: now) {
            guard isHeard else { continue }
            coordinator.workerInbox.append(report, from: connection)
        }
        if isHeard { planTurn(at: now) }
    }

    mutating func clientMessagesArrive(_ connection: Int) {
        let isHeard = coordinator.isRunning && clientConnections[connection].coordinatorLife == coordinator.life
        while let request = clientConnections[connection].up.receive(at: now) {
            guard isHeard else { continue }
            coordinator.clientInbox.append(request, from: connection)
        }
        if isHeard { planTurn(at: now) }
    }

    // MARK: - Sending towards the coordinator

    mutating func send(_ report: WorkerReport, from worker: Int) {
        guard let connection = workers[worker].connection else { return }
        if let trace, !isIdleBeat(report) {
            trace.note(now, "\(workerName(of: connection)) -> coordinator: \(described(report))")
        }
        guard !workerConnections[connection].isCut else { return }
        digest.add(report, from: connection)
        let due = now + networkRandom.within(configuration.networkDelay)
        if workerConnections[connection].up.send(report, due: due) {
            events.insert(.workerToCoordinator, at: due, place: connection)
        }
    }

    mutating func send(_ request: ClientRequest, from client: Int) {
        guard let connection = clients[client].connection else { return }
        trace?.note(now, "\(clientName(of: connection)) -> coordinator: \(described(request))")
        checkers.clientSent(request, by: ClientLife(client: client, life: clients[client].life), at: moment)
        guard !clientConnections[connection].isCut else { return }
        let due = now + networkRandom.within(configuration.networkDelay)
        if clientConnections[connection].up.send(request, due: due) {
            events.insert(.clientToCoordinator, at: due, place: connection)
        }
    }

    // MARK: - Connecting

    /// Whether a host can reach the coordinator now.
    func canConnect(worker isWorker: Bool, _ host: Int) -> Bool {
        coordinator.isRunning && partitions.partition(ofWorker: isWorker, host) == nil
    }

    mutating func connectWorker(_ worker: Int) {
        workers[worker].connection = workerConnections.count
        workerConnections.append(Connection(owner: worker, coordinatorLife: coordinator.life))
    }

    mutating func connectClient(_ client: Int) {
        clients[client].connection = clientConnections.count
        clientConnections.append(Connection(owner: client, coordinatorLife: coordinator.life))
    }

    // MARK: - Loss

    /// Cuts a worker's connection; some of what is on its way still arrives.
    mutating func cutWorker(_ connection: Int, coordinatorNotices: Bool = true, peerNotices: Bool = true) {
        guard !workerConnections[connection].isCut else { return }
        trace?.note(now, "network        the connection of \(workerName(of: connection)) is cut")
        workerConnections[connection].isCut = true
        let up = workerConnections[connection].up
        let down = workerConnections[connection].down
        workerConnections[connection].up.cut(keeping: up.isHeld ? 0 : networkRandom.below(up.count + 1))
        workerConnections[connection].down.cut(keeping: down.isHeld ? 0 : networkRandom.below(down.count + 1))
        if coordinatorNotices {
            events.insert(.coordinatorNoticesWorker, at: now + noticeDelay(), place: connection)
        } else {
            workerConnections[connection].isNoticed = true
        }
        if peerNotices { events.insert(.workerNotices, at: now + noticeDelay(), place: connection) }
    }

    /// Cuts a client's connection; some of what is on its way still arrives.
    mutating func cutClient(_ connection: Int, coordinatorNotices: Bool = true, peerNotices: Bool = true) {
        guard !clientConnections[connection].isCut else { return }
        trace?.note(now, "network        the connection of \(clientName(of: connection)) is cut")
        clientConnections[connection].isCut = true
        let up = clientConnections[connection].up
        let down = clientConnections[connection].down
        clientConnections[connection].up.cut(keeping: up.isHeld ? 0 : networkRandom.below(up.count + 1))
        clientConnections[connection].down.cut(keeping: down.isHeld ? 0 : networkRandom.below(down.count + 1))
        if coordinatorNotices {
            events.insert(.coordinatorNoticesClient, at: now + noticeDelay(), place: connection)
        } else {
            clientConnections[connection].isNoticed = true
        }
        if peerNotices { events.insert(.clientNotices, at: now + noticeDelay(), place: connection) }
    }

    /// Either side notices at once or late.
    private mutating func noticeDelay() -> Int64 {
        networkRandom.percent(70) ? networkRandom.within(0...2_000_000) : networkRandom.within(0...Self.heartbeat)
    }

    mutating func coordinatorNoticesWorker(_ connection: Int) {
        workerConnections[connection].isNoticed = true
        guard coordinator.isRunning, workerConnections[connection].coordinatorLife == coordinator.life else { return }
        trace?.note(now, "coordinator    notices that \(workerName(of: connection)) is gone")
        coordinator.lostWorkers.append(connection)
        planTurn(at: now)
    }

    mutating func coordinatorNoticesClient(_ connection: Int) {
        clientConnections[connection].isNoticed = true
        guard coordinator.isRunning, clientConnections[connection].coordinatorLife == coordinator.life else { return }
        trace?.note(now, "coordinator    notices that \(clientName(of: connection)) is gone")
        coordinator.lostClients.append(connection)
        planTurn(at: now)
    }

    // MARK: - Partitions

    /// Holds messages of a host back for a while; a connection that is silent for too long is given up.
    mutating func partition(_ partition: Partitions.Partition, for time: Int64) {
        let place = partitions.begin(partition)
        setHeld(partition, up: partition.blocksUp, down: partition.blocksDown)
        events.insert(.partitionEnds, at: now + time, place: place)
        if time > Self.heartbeat {
            let connection =
                partition.isWorker ? workers[partition.host].connection : clients[partition.host].connection
            if let connection {
                events.insert(.heartbeat, at: now + Self.heartbeat, place: connection, detail: place)
            }
        }
    }

    mutating func heartbeatMissed(_ connection: Int, partition place: Int) {
        let partition = partitions.all[place]
        guard !partition.isOver else { return }
        if partition.isWorker { cutWorker(connection) } else { cutClient(connection) }
    }

    mutating func partitionEnds(_ place: Int) {
        let partition = partitions.all[place]
        guard !partition.isOver else { return }
        partitions.end(place)
        trace?.note(now, "network        a partition is over")
        setHeld(partition, up: false, down: false)
    }

    /// Holds a host's connection back, or lets what was held back arrive after a while.
    private mutating func setHeld(_ partition: Partitions.Partition, up: Bool, down: Bool) {
        let due = now + networkRandom.within(configuration.networkDelay)
        if partition.isWorker {
            guard let connection = workers[partition.host].connection else { return }
            let upDue = workerConnections[connection].up.hold(up, due: due)
            let downDue = workerConnections[connection].down.hold(down, due: due)
            events.insert(.workerToCoordinator, at: upDue, place: connection)
            events.insert(.coordinatorToWorker, at: downDue, place: connection)
        } else {
            guard let connection = clients[partition.host].connection else { return }
            let upDue = clientConnections[connection].up.hold(up, due: due)
            let downDue = clientConnections[connection].down.hold(down, due: due)
            events.insert(.clientToCoordinator, at: upDue, place: connection)
            events.insert(.coordinatorToClient, at: downDue, place: connection)
        }
    }
}
