import ApusModel
import ApusProtocol
import Testing

@testable import ApusClient

@Suite("The client's machine")
struct ClientMachineTests {
    @Test("A stream goes from submit to its end")
    func aStreamGoesFromSubmitToItsEnd() {
        var machine = Machine.fresh()
        #expect(machine.submit(1, at: 0) == [])
        #expect(machine.connected(now: at(0)) == [.discardUnsent, Message.hello(), Message.submit(1)])
        let accepted = machine.received(Message.accepted(1, stream: 70), now: at(0.1))
        #expect(accepted == [.accept("a", AcceptedJob(job: job, seed: 42))])
        let (texts, effects) = machine.tokens(Message.tokens((70, 0..<3)))
        #expect(texts == ["a0: 0 1 2 "])
        #expect(effects == [])
        let finished = machine.received(Message.finished(70, tokens: 3), now: at(2))
        #expect(finished == [.finish("a", Message.end(tokens: 3))])
        #expect(machine.openStreams == 0)
        #expect(machine.nextDeadline() == nil)
    }

    @Test("A rejection fails the submit with the coordinator's words")
    func aRejectionFailsTheSubmit() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        #expect(machine.submit(1, at: 0) == [Message.submit(1)])
        let effects = machine.received(Message.rejected(1, .overloaded), now: at(0))
        #expect(effects == [.fail("a", ApusError(.overloaded, "no"))])
        #expect(machine.openStreams == 0)
    }

    @Test("After a lost connection a stream attaches at its next index")
    func aStreamResumesAtItsNextIndex() {
        var machine = Machine.following()
        #expect(machine.tokens(Message.tokens((70, 0..<3))).texts == ["a0: 0 1 2 "])
        #expect(machine.disconnected(now: at(2)) == [.discardUnsent])
        let effects = machine.connected(now: at(3))
        #expect(effects == [.discardUnsent, Message.hello(), Message.attach(1, from: 3, credit: 11)])
        #expect(machine.received(Message.accepted(1, stream: 71), now: at(3)) == [])
        #expect(machine.tokens(Message.tokens((71, 3..<5))).texts == ["a3: 3 4 "])
    }

    @Test("A submit without an answer goes out again under the same key")
    func anUnansweredSubmitGoesOutAgain() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        #expect(machine.submit(1, key: "mine", at: 0) == [Message.submit(1, key: "mine")])
        _ = machine.disconnected(now: at(1))
        #expect(machine.connected(now: at(2)) == [.discardUnsent, Message.hello(), Message.submit(1, key: "mine")])
    }

    @Test("Stream numbers of an earlier connection mean nothing on the next")
    func oldStreamNumbersMeanNothing() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(1))
        _ = machine.connected(now: at(2))
        #expect(machine.tokens(Message.tokens((70, 0..<3))).texts == [])
        #expect(machine.received(Message.finished(70, tokens: 3), now: at(2)) == [])
    }

    @Test("A coordinator that forgot the job ends the stream with not_found")
    func aForgottenJobIsAnError() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(1))
        _ = machine.connected(now: at(2))
        let effects = machine.received(Message.rejected(1, .notFound), now: at(2))
        guard case .fail("a", let error)? = effects.first else {
            Issue.record("\(effects)")
            return
        }
        #expect(error.code == .notFound)
        #expect(error.message.contains(job.description))
    }

    @Test("Tokens below the next index are cut off")
    func duplicatesAreTrimmed() {
        var machine = Machine.following()
        #expect(machine.tokens(Message.tokens((70, 0..<3))).texts == ["a0: 0 1 2 "])
        #expect(machine.tokens(Message.tokens((70, 1..<5))).texts == ["a3: 3 4 "])
        #expect(machine.tokens(Message.tokens((70, 0..<5))).texts == [])
        #expect(machine.tokens(Message.tokens((99, 0..<5), (70, 4..<6))).texts == ["a5: 5 "])
    }

    @Test("A gap is asked for once and then fails the stream")
    func aGapIsAskedForOnce() {
        var machine = Machine.following()
        let first = machine.tokens(Message.tokens((70, 2..<3)))
        #expect(first.texts == [])
        #expect(first.effects == [Message.attach(1, from: 0, credit: 8)])
        #expect(machine.tokens(Message.tokens((70, 3..<4))).effects == [])
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(1)) == [])
        let second = machine.tokens(Message.tokens((70, 2..<3)))
        guard case .fail("a", let error)? = second.effects.first else {
            Issue.record("\(second)")
            return
        }
        #expect(error.code == .protocolViolation)
    }

    @Test("A gap that is filled is forgotten")
    func aFilledGapIsForgotten() {
        var machine = Machine.following()
        _ = machine.tokens(Message.tokens((70, 2..<3)))
        _ = machine.received(Message.accepted(1, stream: 70), now: at(1))
        #expect(machine.tokens(Message.tokens((70, 0..<3))).texts == ["a0: 0 1 2 "])
        let effects = machine.tokens(Message.tokens((70, 4..<5))).effects
        #expect(effects == [Message.attach(1, from: 3, credit: 11)])
    }

    @Test("A good end with missing tokens is believed only after they were asked for")
    func anEndWithMissingTokensIsAskedFor() {
        var machine = Machine.following()
        let first = machine.received(Message.finished(70, tokens: 2), now: at(1))
        #expect(first == [Message.attach(1, from: 0, credit: 8)])
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(1)) == [])
        #expect(machine.tokens(Message.tokens((70, 0..<2))).texts == ["a0: 0 1 "])
        let second = machine.received(Message.finished(70, tokens: 2), now: at(1))
        #expect(second == [.finish("a", Message.end(tokens: 2))])
    }

    @Test("Credit returns when half of the window is consumed, in one message a turn")
    func creditReturnsByHalfWindows() {
        var machine = Machine.following()
        _ = machine.submit(2, key: "other", by: "c", at: 0)
        _ = machine.received(Message.accepted(2, stream: 71, job: JobID(rawValue: 8)), now: at(0))
        _ = machine.tokens(Message.tokens((70, 0..<3), (71, 0..<3)))
        #expect(machine.dueCredit() == [])
        _ = machine.tokens(Message.tokens((70, 3..<4), (71, 3..<5)))
        #expect(machine.dueCredit() == [Message.credit([70: 12, 71: 13])])
        #expect(machine.dueCredit() == [])
    }

    @Test("Credit that falls due while the stream has no number is sent once it has one")
    func creditSurvivesTheConnection() {
        var machine = Machine.following()
        _ = machine.tokensReceived(Message.tokens((70, 0..<8)))
        _ = machine.disconnected(now: at(1))
        let effects = machine.connected(now: at(2))
        #expect(effects == [.discardUnsent, Message.hello(), Message.attach(1, from: 8, credit: 8)])
        machine.consumed(request: 1, through: 4)
        #expect(machine.dueCredit() == [])
        _ = machine.received(Message.accepted(1, stream: 71), now: at(2))
        #expect(machine.dueCredit() == [Message.credit([71: 12])])
        machine.consumed(request: 1, through: 8)
        #expect(machine.dueCredit() == [Message.credit([71: 16])])
    }

    @Test("Tokens beside a gap in one message are delivered, but none after the gap that fails the stream")
    func tokensBesideAGapAreDelivered() {
        var machine = Machine.following()
        _ = machine.tokens(Message.tokens((70, 2..<3)))
        _ = machine.received(Message.accepted(1, stream: 70), now: at(1))
        let first = machine.tokens(Message.tokens((70, 0..<1), (70, 3..<4), (70, 1..<2)))
        #expect(first.texts == ["a0: 0 ", "a1: 1 "])
        #expect(first.effects == [Message.attach(1, from: 2, credit: 10)])
        _ = machine.received(Message.accepted(1, stream: 70), now: at(1))
        _ = machine.tokens(Message.tokens((70, 4..<5)))
        _ = machine.received(Message.accepted(1, stream: 70), now: at(1))
        let second = machine.tokens(Message.tokens((70, 4..<5), (70, 2..<3)))
        #expect(second.texts == [])
        #expect(second.effects.count == 1)
        #expect(machine.openStreams == 0)
    }

    @Test("Streams are found whatever numbers the coordinator gives them")
    func numbersMayBeFarApart() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        let numbers: [UInt64] = [0, 64, 128, 1 << 40, .max, .max - 64]
        for (place, number) in numbers.enumerated() {
            let request = UInt64(place + 1)
            _ = machine.submit(request, key: "\(place)", by: "\(number)-", at: 0)
            _ = machine.received(
                Message.accepted(request, stream: number, job: JobID(rawValue: UInt64(place + 1))),
                now: at(0)
            )
        }
        for number in numbers {
            #expect(machine.tokens(Message.tokens((number, 0..<1))).texts == ["\(number)-0: 0 "])
        }
        #expect(machine.tokens(Message.tokens((1, 0..<1), (192, 0..<1))).texts == [])
        for number in numbers { _ = machine.received(Message.finished(number, tokens: 1), now: at(1)) }
        #expect(machine.openStreams == 0)
        for number in numbers { #expect(machine.tokens(Message.tokens((number, 1..<2))).texts == []) }
    }

    @Test("A consumer that goes cancels the job that it submitted")
    func abandoningASubmitCancels() {
        var machine = Machine.following()
        #expect(machine.abandoned(request: 1, now: at(1)) == [Message.cancel(1)])
        #expect(machine.tokens(Message.tokens((70, 0..<3))).texts == [])
        #expect(machine.received(Message.done(1), now: at(1)) == [])
    }

    @Test("A consumer that goes before the answer cancels after it")
    func abandoningAnUnansweredSubmitCancelsLater() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        #expect(machine.abandoned(request: 1, now: at(0)) == [])
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(1)) == [Message.cancel(1)])
        #expect(machine.openStreams == 0)
    }

    @Test("A consumer that goes only leaves a stream that it attached to")
    func abandoningAnAttachmentLeaves() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        #expect(machine.attach(1, from: 5, at: 0) == [Message.attach(1, from: 5, credit: 13)])
        let accepted = machine.received(Message.accepted(1, stream: 70), now: at(0))
        #expect(accepted == [.accept("b", AcceptedJob(job: job, seed: 42))])
        #expect(machine.abandoned(request: 1, now: at(1)) == [Machine.detach([70])])
        #expect(machine.openStreams == 0)
    }

    @Test("A consumer that goes before its attachment is answered leaves it then")
    func abandoningAnUnansweredAttachmentLeaves() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.attach(1, from: 5, at: 0)
        #expect(machine.abandoned(request: 1, now: at(0)) == [])
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(0)) == [Machine.detach([70])])
    }

    @Test("A cancellation is sent again on the next connection until it is answered")
    func aCancellationSurvivesTheConnection() {
        var machine = Machine.following()
        _ = machine.abandoned(request: 1, now: at(1))
        _ = machine.disconnected(now: at(1))
        #expect(machine.connected(now: at(2)) == [.discardUnsent, Message.hello(), Message.cancel(1)])
        _ = machine.received(Message.done(1), now: at(2))
        _ = machine.disconnected(now: at(3))
        #expect(machine.connected(now: at(4)) == [.discardUnsent, Message.hello()])
    }

    @Test("A second follower of a job on one client is refused and the first is left alone")
    func aSecondFollowerIsRefused() {
        var machine = Machine.following()
        #expect(machine.attach(2, from: 0, at: 0) == [.fail("b", Machine.followedAlready(job))])
        _ = machine.submit(3, key: "again", by: "c", at: 0)
        let effects = machine.received(Message.accepted(3, stream: 70), now: at(0))
        #expect(effects == [.fail("c", Machine.followedAlready(job))])
        #expect(machine.tokens(Message.tokens((70, 0..<1))).texts == ["a0: 0 "])
    }

    @Test("More streams than allowed are refused before anything is sent")
    func streamsAreBounded() {
        var machine = Machine.fresh(maximumStreams: 1)
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        guard case .fail("c", let error)? = machine.submit(2, key: "2", by: "c", at: 0).first else {
            Issue.record("not refused")
            return
        }
        #expect(error.code == .overloaded)
    }

    @Test("Columns that do not agree are dropped and counted")
    func invalidColumnsAreDropped() {
        var machine = Machine.following()
        var columns = Message.tokens((70, 0..<3))
        columns.textLengths.removeLast()
        #expect(machine.tokens(columns).texts == [])
        #expect(machine.malformed == 1)
    }

    @Test("A job is followed by its key, and after a reconnection by its name")
    func attachByKey() {
        var machine = Machine(configuration: ClientConfiguration())
        _ = machine.connected(now: at(0))
        var asked = Apus_V1_Attach()
        asked.request = 1
        asked.key = "nightly"
        asked.credit = 8
        let effects = machine.attached(
            request: 1,
            .key("nightly"),
            choice: 0,
            from: 0,
            follower: "a",
            window: 8,
            now: at(0)
        )
        #expect(effects == [.send(Apus_V1_Envelope(.attach(asked)))])
        _ = machine.received(Message.accepted(1, stream: 70), now: at(0))
        _ = machine.tokens(Message.tokens((70, 0..<2)))
        _ = machine.disconnected(now: at(1))
        #expect(machine.connected(now: at(2)).contains(Message.attach(1, from: 2, credit: 10)))
    }
}
