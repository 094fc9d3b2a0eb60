public import ApusModel

/// What an operator asks of workers.
extension CoordinatorMachine {
    /// An operator drains a worker, or all of them where no name is given.
    public mutating func drainRequested(
        by peer: ClientPeer,
        number: UInt64,
        worker name: WorkerName?,
        into turn: inout Turn
    ) {
        do throws(ApusError) {
            for place in try connected(name) where !workers[place].isDraining { drain(place, into: &turn) }
            turn.effects.append(.done(peer, request: number))
        } catch {
            turn.effects.append(.refuse(peer, request: number, error))
        }
    }

    /// An operator changes how a worker chooses its batches, or all connected workers where no name is given.
    ///
    /// A worker is told again whenever it registers under its name, as long as the name is known; nothing of it outlives the
    /// coordinator. Either all workers that are meant take the change or none.
    ///
    /// - Parameters:
    ///   - peer: The operator's connection.
    ///   - number: The operator's own number for the request; the answer carries it.
    ///   - name: The worker; `nil` for all that are connected.
    ///   - settings: What changes.
    ///   - turn: Receives the decisions.
    public mutating func configureRequested(
        by peer: ClientPeer,
        number: UInt64,
        worker name: WorkerName?,
        settings: WorkerSettings,
        into turn: inout Turn
    ) {
        do throws(ApusError) {
            try settings.validate()
            let places = try connected(name)
            // What was set before and what is set now have to agree with each other.
            for place in places { try (workers[place].settings ?? WorkerSettings()).changed(by: settings).validate() }
            for place in places {
                workers[place].settings = (workers[place].settings ?? WorkerSettings()).changed(by: settings)
                turn.effects.append(.configure(workers[place].peer, settings))
            }
            turn.effects.append(.done(peer, request: number))
        } catch {
            turn.effects.append(.refuse(peer, request: number, error))
        }
    }

    /// The place of a connected worker, or those of all of them where no name is given.
    private func connected(_ name: WorkerName?) throws(ApusError) -> [Int] {
        guard let name else { return workers.indices.filter { !workers[$0].isVacant && workers[$0].isConnected } }
        guard let place = workerNames[name], workers[place].isConnected else {
            throw ApusError(.notFound, "no worker named \(name) is connected")
        }
        return [place]
    }
}
