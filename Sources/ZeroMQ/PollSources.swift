internal import CZeroMQ

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The sockets that a loop polls beside its wake-up; belongs to the loop's thread.
struct PollSources {
    /// As many as a `ReadySet` has bits.
    static let maximumCount = 16

    private struct Source {
        let serial: UInt64
        let handle: SocketHandle
        var interest: PollInterest
    }

    /// A place keeps its number while its source is registered.
    private var slots: [Source?] = []
    private var lastSerial: UInt64 = 0

    /// What `zmq_poll` reads and writes: the wake-up first, then the slots of `order`.
    private var items: [zmq_pollitem_t] = []
    private var order: [Int] = []
    private var isStale = true

    /// Adds a socket, which the caller keeps open until it is removed.
    mutating func add(_ handle: SocketHandle, _ interest: PollInterest) -> PollToken {
        let slot = slots.firstIndex { $0 == nil } ?? slots.count
        precondition(slot < Self.maximumCount, "an executor polls at most \(Self.maximumCount) sockets")
        if slot == slots.count { slots.append(nil) }
        lastSerial += 1
        slots[slot] = Source(serial: lastSerial, handle: handle, interest: interest)
        isStale = true
        return PollToken(slot: slot, serial: lastSerial)
    }

    /// Changes what a source is polled for.
    mutating func setInterest(_ interest: PollInterest, of token: PollToken) {
        precondition(isRegistered(token), "the source is not registered")
        guard slots[token.slot]?.interest != interest else { return }
        slots[token.slot]?.interest = interest
        isStale = true
    }

    /// Removes a source.
    mutating func remove(_ token: PollToken) {
        precondition(isRegistered(token), "the source is not registered")
        slots[token.slot] = nil
        isStale = true
    }

    /// Removes all sources.
    mutating func removeAll() {
        slots.removeAll()
        isStale = true
    }

    private func isRegistered(_ token: PollToken) -> Bool {
        token.slot < slots.count && slots[token.slot]?.serial == token.serial
    }

    /// Waits until a source or the wake-up is ready, a signal arrives, or the time is over.
    ///
    /// - Parameters:
    ///   - wakeUp: The descriptor of the wake-up.
    ///   - alone: Whether to look at nothing else.
    ///   - milliseconds: How long to wait; -1: for ever.
    /// - Returns: What is ready, and whether the wake-up is.
    mutating func poll(_ wakeUp: CInt, alone: Bool, milliseconds: Int) -> (ready: ReadySet, isWoken: Bool) {
        if isStale { rebuild(wakeUp) }
        var ready = ReadySet()
        for slot in order where !alone {
            precondition(slots[slot]?.handle.isOpen == true, "a socket was closed before it was unregistered")
        }
        // Invariant: `items` is this loop's own, and its sockets are open; see above.
        let count = items.withUnsafeMutableBufferPointer {
            zmq_poll($0.baseAddress, alone ? 1 : CInt($0.count), milliseconds)
        }
        guard count >= 0 else {
            // After a signal the loop looks again; nothing else can happen to open sockets of a context that they keep alive.
            precondition(zmq_errno() == EINTR, "zmq_poll failed with error \(zmq_errno())")
            return (ready, false)
        }
        guard count > 0 else { return (ready, false) }
        for (index, slot) in order.enumerated() where !alone {
            let found = CInt(items[index + 1].revents)
            var interest: PollInterest = []
            if found & (ZMQ_POLLIN | ZMQ_POLLERR) != 0 { interest.insert(.readable) }
            if found & ZMQ_POLLOUT != 0 { interest.insert(.writable) }
            ready.insert(interest, slot: slot)
        }
        return (ready, items[0].revents != 0)
    }

    /// Lists what to poll; only after a change, so that a turn allocates nothing.
    private mutating func rebuild(_ wakeUp: CInt) {
        items.removeAll(keepingCapacity: true)
        order.removeAll(keepingCapacity: true)
        items.append(zmq_pollitem_t(socket: nil, fd: wakeUp, events: CShort(ZMQ_POLLIN), revents: 0))
        for (slot, source) in slots.enumerated() {
            guard let source, !source.interest.isEmpty else { continue }
            var events: CInt = 0
            if source.interest.contains(.readable) { events |= ZMQ_POLLIN }
            if source.interest.contains(.writable) { events |= ZMQ_POLLOUT }
            items.append(zmq_pollitem_t(socket: source.handle.raw, fd: -1, events: CShort(events), revents: 0))
            order.append(slot)
        }
        isStale = false
    }
}
