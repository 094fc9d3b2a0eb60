import ApusEngine
import ApusTestKit
import Foundation
import Testing

/// The commands as scripts see them: lines, exit statuses, signals.
@Suite(.serialized, .timeLimit(.minutes(3))) struct CommandTests {
    let program: String
    let cluster: TestCluster

    init() throws {
        program = try TestCluster.program("apus", variable: "APUS")
        cluster = try TestCluster(executable: program)
    }

    private func objects(_ lines: String) throws -> [[String: Any]] {
        try lines.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    @Test func `A seed gives the same text every time`() throws {
        let worker = try cluster.startSimulatedWorker()
        let first = try cluster.run(["submit", "--max-tokens", "30", "--seed", "5", "hello"])
        #expect(first.status == 0)
        let expected = SimulatedEngine.text(seed: 5, prompt: "hello", count: 30)
        #expect(
            first.output.trimmingCharacters(in: .whitespacesAndNewlines)
                == expected.trimmingCharacters(in: .whitespacesAndNewlines)
        )
        let second = try cluster.run(["submit", "--max-tokens", "30", "--seed", "5", "hello"])
        #expect(second.output == first.output)
        let other = try cluster.run(["submit", "--max-tokens", "30", "--seed", "6", "hello"])
        #expect(other.output != first.output)
        withExtendedLifetime(worker) {}
    }

    @Test func `Submit prints one JSON object a line`() throws {
        let worker = try cluster.startSimulatedWorker()
        let result = try cluster.run(["submit", "--max-tokens", "3", "--output", "json", "hello"])
        #expect(result.status == 0)
        let events = try objects(result.output)
        #expect(events.map { $0["event"] as? String } == ["accepted", "token", "token", "token", "finished"])
        #expect(events.dropFirst().prefix(3).map { $0["index"] as? Int } == [0, 1, 2])
        let end = try #require(events.last)
        #expect(end["reason"] as? String == "length")
        #expect(end["continuity"] as? String == "exact")
        #expect(end["attempts"] as? Int == 1)
        #expect((end["usage"] as? [String: Any])?["completion_tokens"] as? Int == 3)
        #expect(end["timings"] is [String: Any])
        let job = try #require(events.first?["job"] as? String)
        let attached = try cluster.run(["attach", job, "--from", "1", "--output", "json"])
        #expect(try objects(attached.output).compactMap { $0["index"] as? Int } == [1, 2])
        let jobs = try cluster.run(["jobs", "--output", "json"])
        #expect(jobs.output.contains(job))
        withExtendedLifetime(worker) {}
    }

    @Test func `A job shows how urgent it is and whose share it takes`() throws {
        let worker = try cluster.startSimulatedWorker()
        let options = ["--max-tokens", "1", "--priority", "low", "--client-name", "web"]
        #expect(try cluster.run(["submit"] + options + ["hello"]).status == 0)
        let job = try #require(try objects(try cluster.run(["jobs", "--output", "json"]).output).first)
        #expect(job["priority"] as? String == "low")
        #expect(job["client"] as? String == "web")
        let table = try cluster.run(["jobs"]).output
        #expect(table.contains("PRIORITY  CLIENT"))
        #expect(table.contains("low       web"))
        withExtendedLifetime(worker) {}
    }

    @Test func `Status has stable keys`() throws {
        let worker = try cluster.startSimulatedWorker(name: "first", slots: 3)
        let result = try cluster.run(["status", "--output", "json"])
        let status = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let workers = try #require(status["workers"] as? [[String: Any]])
        for key in ["name", "pid", "host", "model", "state", "slots", "active", "batch_size", "tokens_per_second"] {
            #expect(workers.first?[key] != nil, "workers[].\(key) is missing")
        }
        #expect(workers.first?["pid"] as? Int == Int(worker.processID))
        #expect(workers.first?["slots"] as? Int == 3)
        let streams = try #require(status["streams"] as? [String: Any])
        for key in ["active", "queued", "completed", "failed"] {
            #expect(streams[key] is Int, "streams.\(key) is missing")
        }
        #expect(status["failovers"] is Int)
        #expect(status["hedges"] is Int)
        let table = try cluster.run(["status"])
        #expect(table.status == 0)
        #expect(table.output.contains("first"))
        #expect(!table.output.contains("\u{1b}"))
    }

    @Test func `Wrong input is status 2 and one clear line`() throws {
        let worker = try cluster.startSimulatedWorker()
        let cases: [([String], String)] = [
            (["submit", ""], "prompt"),
            (["submit", "--max-tokens", "0", "x"], "max"),
            (["submit", "--max-tokens", "-3", "x"], "max"),
            (["submit", "--temperature", "99", "x"], "temperature"),
            (["submit", "--model", "nobody", "x"], "nobody"),
            (["submit", "--priority", "urgent", "x"], "normal"),
            (["submit", "--client-name", "a b", "x"], "client-name"),
            (["coordinator", "--share", "web=0"], "between 1 and 1000"),
            (["submit", "--coordinator", "not an endpoint", "x"], "endpoint"),
            (["attach", "nonsense"], "job"),
            (["status", "--output", "yaml"], "yaml"),
            (["nonsense"], "nonsense"),
        ]
        for (arguments, word) in cases {
            let result = try cluster.run(arguments)
            #expect(result.status == 2, "\(arguments) gave \(result.status)")
            #expect(result.errors.lowercased().contains(word), "\(arguments) says \(result.errors)")
            #expect(result.output.isEmpty)
        }
        #expect(try cluster.run(["attach", "0000000000000"]).status != 0)
        withExtendedLifetime(worker) {}
    }

    @Test func `A prompt over the context is refused by its worker and not tried again`() throws {
        let worker = try cluster.startSimulatedWorker(further: ["--context", "16"])
        let long = Array(repeating: "word", count: 200).joined(separator: " ")
        let result = try cluster.run(["submit", "--output", "json", long])
        #expect(result.status == 2)
        let end = try #require(try objects(result.output).last)
        #expect("\(end)".contains("prompt_too_long"))
        #expect(try cluster.run(["submit", "--max-tokens", "2", "short"]).status == 0)
        withExtendedLifetime(worker) {}
    }

    @Test func `Nobody there is status 3`() throws {
        let result = try ServerProcess(program, ["status", "--coordinator", "tcp://127.0.0.1:1"])
        _ = result.readToEnd()
        #expect(result.waitForExit() == 3)
        #expect(result.errors.contains("apus up"))
    }

    @Test func `Servers refuse what they can't serve`() throws {
        let port = try ServerProcess(
            program,
            ["coordinator", "--ephemeral", "--clients", cluster.clients, "--workers", "tcp://127.0.0.1:*"]
        )
        #expect(port.waitForExit() == 2)
        #expect(port.errors.contains("in use"))
        let endpoint = try ServerProcess(program, ["coordinator", "--ephemeral", "--clients", "nonsense"])
        #expect(endpoint.waitForExit() == 2)
        let missing = try ServerProcess(
            program,
            ["worker", "--coordinator", cluster.workers, "--model", "/nowhere.gguf"]
        )
        #expect(missing.waitForExit() == 2)
        #expect(missing.errors.contains("/nowhere.gguf"))
        let corrupt = NSTemporaryDirectory() + "/corrupt-\(UUID().uuidString).gguf"
        try Data("GGUF and then nothing".utf8).write(to: URL(fileURLWithPath: corrupt))
        defer { unlink(corrupt) }
        let broken = try ServerProcess(program, ["worker", "--coordinator", cluster.workers, "--model", corrupt])
        #expect(broken.waitForExit() == 2)
        #expect(broken.errors.contains(corrupt))
    }

    @Test func `Interrupting a submit cancels its job`() throws {
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 5_000)
        let submit = try ServerProcess(
            program,
            ["submit", "--coordinator", cluster.clients, "--max-tokens", "10000", "--output", "json", "x"]
        )
        while let line = submit.readLine(), !line.contains("\"token\"") {}
        submit.kill(SIGINT)
        _ = submit.readToEnd()
        #expect(submit.waitForExit() == 130)
        #expect(try cluster.run(["jobs", "--output", "json"]).output.contains("cancelled"))
        withExtendedLifetime(worker) {}
    }

    @Test func `Cancel ends a job, whose submit then fails`() throws {
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 5_000)
        let submit = try ServerProcess(
            program,
            ["submit", "--coordinator", cluster.clients, "--max-tokens", "10000", "--output", "json", "x"]
        )
        let accepted = try #require(try objects(submit.readLine() ?? "").first)
        let job = try #require(accepted["job"] as? String)
        #expect(try cluster.run(["cancel", job]).status == 0)
        _ = submit.readToEnd()
        #expect(submit.waitForExit() == 1)
        withExtendedLifetime(worker) {}
    }

    @Test func `A drained worker finishes its stream and leaves`() throws {
        let worker = try cluster.startSimulatedWorker(name: "leaver", stepMicroseconds: 3_000)
        let submit = try ServerProcess(
            program,
            ["submit", "--coordinator", cluster.clients, "--max-tokens", "200", "x"]
        )
        while try !cluster.run(["status", "--output", "json"]).output.contains("\"active\":1") {}
        #expect(try cluster.run(["drain", "leaver"]).status == 0)
        _ = submit.readToEnd()
        #expect(submit.waitForExit() == 0)
        #expect(worker.waitForExit() == 0)
        #expect(try cluster.run(["drain", "nobody"]).status != 0)
    }

    @Test func `Servers stop cleanly on an interrupt`() throws {
        let worker = try cluster.startSimulatedWorker()
        worker.kill(SIGINT)
        #expect(worker.waitForExit() == 0)
        cluster.coordinator.kill(SIGINT)
        #expect(cluster.coordinator.waitForExit() == 0)
    }

    @Test func `The client written from the protocol page works`() throws {
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 200)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Scripts/client.py").standardized.path
        let text = "over the wire"
        let client = try ServerProcess(
            "/usr/bin/python3",
            [script, "--endpoint", cluster.clients, "--max-tokens", "1000", "--seed", "4", "--priority", "2", text]
        )
        let output = client.readToEnd()
        #expect(client.waitForExit() == 0, "\(client.errors)")
        #expect(output == SimulatedEngine.text(seed: 4, prompt: text, count: 1_000))
        #expect(client.errors.contains("length: 1000 tokens, exact"))
        withExtendedLifetime(worker) {}
    }

    @Test func `A cluster of one command starts, serves and stops`() throws {
        let up = try ServerProcess(
            program,
            [
                "up", "--ephemeral", "--workers", "2", "--engine", "simulated", "--clients", "tcp://127.0.0.1:*",
                "--workers-at",
                "tcp://127.0.0.1:*", "--share", "web=4",
            ]
        )
        let ready = try up.waitUntilReady()
        let clients = try #require(ready["clients"])
        let submit = try ServerProcess(program, ["submit", "--coordinator", clients, "--max-tokens", "5", "x"])
        _ = submit.readToEnd()
        #expect(submit.waitForExit() == 0)
        up.kill(SIGINT)
        #expect(up.waitForExit() == 0)
    }
}
