import ApusModel
import ApusTestKit
import Foundation
import Testing

@testable import apus_bench

/// A short form of `Scripts/chaos.sh`: another seed each time, which a failure prints.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ChaosTests {
    private func run(_ upsets: [Upset], rounds: Int, seed: UInt64 = .random(in: 0...(.max >> 1))) async throws {
        let folder = NSTemporaryDirectory() + "/apus-chaos-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // What can't be removed is left in the system's temporary folder.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var settings = ChaosSettings(seed: seed, data: folder)
        settings.rounds = rounds
        settings.limit = .seconds(60)
        settings.engine = .simulated(stepMicroseconds: 4_000)
        settings.workers = 2
        settings.lanes = 6
        settings.commands = 1
        settings.upsets = upsets
        settings.durabilities = ChaosSettings.durabilities("mixed") ?? []
        let run = try ChaosRun(program: TestCluster.program("apus", variable: "APUS"), settings: settings)
        let report = try await run.run()
        #expect(report.violations == [], "seed \(seed)")
        #expect(report.lost == 0)
        #expect(report.rounds > 0)
        #expect(report.totals.tokens > 0)
    }

    @Test func `Whatever is killed, every stream goes on to its end`() async throws {
        try await run(Upset.allCases, rounds: 12)
    }

    @Test func `A coordinator that is killed again and again loses nothing`() async throws {
        try await run([.coordinator, .coordinatorTwice], rounds: 8)
    }
}
