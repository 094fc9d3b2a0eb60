import ApusCore
import ApusModel
import Testing

/// What an operator changes while workers run.
@Suite struct OperatorTests {
    private static func configure(
        _ bench: inout MachineBench,
        _ worker: String?,
        _ settings: WorkerSettings
    ) -> [Effect] {
        bench.tell { machine, _, turn in
            machine.configureRequested(
                by: MachineBench.client,
                number: 5,
                worker: worker.map(WorkerName.init(unchecked:)),
                settings: settings,
                into: &turn
            )
        }
    }

    private static func refusals(_ effects: [Effect]) -> [ApusError.Code] {
        effects.compactMap { if case .refuse(_, _, let error) = $0 { error.code } else { nil } }
    }

    @Test func `Settings go to the worker that is named, or to all that are connected`() {
        var bench = MachineBench()
        for worker in 10..<13 { bench.register(UInt64(worker)) }
        bench.tell { $0.left(MachineBench.peer(12), at: $1, into: &$2) }
        let settings = WorkerSettings(batchMaximum: 4, policy: .aimd)
        let done = Effect.done(MachineBench.client, request: 5)
        #expect(Self.configure(&bench, "w10", settings) == [.configure(MachineBench.peer(10), settings), done])
        #expect(
            Self.configure(&bench, nil, settings) == [
                .configure(MachineBench.peer(10), settings), .configure(MachineBench.peer(11), settings), done,
            ]
        )
        #expect(Self.refusals(Self.configure(&bench, "w12", settings)) == [.notFound])
        #expect(Self.refusals(Self.configure(&bench, "nobody", settings)) == [.notFound])
    }

    @Test func `A process that begins anew under the name gets the settings again, changes added up`() {
        var bench = MachineBench()
        bench.register(10)
        _ = Self.configure(&bench, "w10", WorkerSettings(batchMaximum: 8))
        _ = Self.configure(&bench, "w10", WorkerSettings(batchMinimum: 2, interTokenTarget: .milliseconds(20)))
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        let effects = bench.register(11, name: "w10", incarnation: 99)
        let all = WorkerSettings(batchMinimum: 2, batchMaximum: 8, interTokenTarget: .milliseconds(20))
        #expect(effects.contains(.configure(MachineBench.peer(11), all)))
        #expect(!bench.register(12).contains { if case .configure = $0 { true } else { false } })
    }

    @Test func `What can't be is refused for all workers, and changes none`() {
        var bench = MachineBench()
        bench.register(10)
        bench.register(11)
        _ = Self.configure(&bench, "w11", WorkerSettings(batchMinimum: 6))
        let bad = [
            WorkerSettings(batchMinimum: 0), WorkerSettings(batchMaximum: Limits.slots + 1),
            WorkerSettings(batchMinimum: 3, batchMaximum: 2), WorkerSettings(batchMaximum: 5),
            WorkerSettings(interTokenTarget: .seconds(61)), WorkerSettings(interTokenTarget: .zero),
            WorkerSettings(networkStability: .nan), WorkerSettings(networkStability: 1.1),
            WorkerSettings(networkStability: -0.1),
        ]
        for settings in bad {
            let effects = Self.configure(&bench, nil, settings)
            #expect(Self.refusals(effects) == [.invalidRequest], "\(settings)")
            #expect(effects.count == 1)
        }
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(!bench.register(12, name: "w10").contains { if case .configure = $0 { true } else { false } })
    }
}
