import ApusModel
import ArgumentParser
import Testing

@testable import apus

@Suite("Options")
struct OptionsTests {
    private func submit(_ arguments: String...) throws -> Submit {
        try #require(try Apus.parseAsRoot(["submit"] + arguments) as? Submit)
    }

    @Test("Submit reads every parameter of a generation")
    func submitReadsAll() throws {
        let flags = """
            --model m --max-tokens 9 --temperature 0.5 --top-k 40 --top-p 0.9 --seed 7 --stop a --stop b
            --deadline 2.5 --raw --ignore-eos --priority high --client-name web --key k --output json hello
            """
        let arguments = ["submit"] + flags.split(whereSeparator: \.isWhitespace).map(String.init)
        let command = try #require(try Apus.parseAsRoot(arguments) as? Submit)
        let request = try command.generation.request(prompt: command.prompt)
        let expected = GenerationRequest(
            model: ModelName("m"),
            prompt: "hello",
            isRaw: true,
            maximumTokens: 9,
            sampling: SamplingParameters(temperature: 0.5, topK: 40, topP: 0.9, seed: 7),
            stop: ["a", "b"],
            ignoresEndOfGeneration: true,
            deadline: .milliseconds(2500),
            priority: .high
        )
        #expect(request == expected)
        #expect(command.key == "k")
        #expect(command.clientName?.text == "web")
        #expect(command.output == .json)
    }

    @Test("Bad parameters are named", arguments: [("--max-tokens", "0"), ("--temperature", "-1"), ("--top-p", "2")])
    func badParametersAreNamed(flag: String, value: String) throws {
        let command = try submit("\(flag)=\(value)", "hello")
        let name = String(flag.dropFirst(2)).split(separator: "-").joined(separator: "_")
        do {
            _ = try command.generation.request(prompt: "hello")
            Issue.record("accepted")
        } catch {
            #expect(error.code == .invalidRequest)
            #expect(error.message.contains(name))
        }
    }

    @Test("A path in APUS_MODEL gives the name that its file is served under")
    func servedNames() {
        #expect(Environment.servedName(of: "/models/Tiny-Q4_0.gguf") == "Tiny-Q4_0")
        #expect(Environment.servedName(of: "Tiny-Q4_0.gguf") == "Tiny-Q4_0")
        #expect(Environment.servedName(of: "Tiny") == "Tiny")
    }

    @Test("A job is the user's unless it says otherwise, and of normal priority")
    func submitDefaults() throws {
        #expect(Submit.defaultName(login: "ada").text == "ada")
        #expect(Submit.defaultName(login: "ada lovelace").text == "apus-submit")
        #expect(Submit.defaultName(login: "").text == "apus-submit")
        let command = try submit("hello")
        #expect(command.clientName == nil)
        #expect(try command.generation.request(prompt: "hello").priority == .normal)
        #expect(throws: (any Error).self) { try submit("--priority", "urgent", "hello") }
        #expect(throws: (any Error).self) { try submit("--client-name", "a b", "hello") }
    }

    @Test("A coordinator's shares are weights by clients' names")
    func shares() throws {
        let arguments = ["coordinator", "--share", "web=4", "--share", "reports=1000"]
        let command = try #require(try Apus.parseAsRoot(arguments) as? CoordinatorCommand)
        #expect(try command.clientShares.weights() == ["web": 4, "reports": 1_000])
        let none = try #require(try Apus.parseAsRoot(["coordinator"]) as? CoordinatorCommand)
        #expect(try none.clientShares.weights().isEmpty)
    }

    @Test(
        "A bad share is refused with what is wrong",
        arguments: [
            (["web"], "a client's name, = and a weight"), (["=4"], "1 to 64 letters"), (["a b=4"], "1 to 64 letters"),
            (["web=0"], "between 1 and 1000"), (["web=1001"], "between 1 and 1000"), (["web=x"], "whole number"),
            (["web="], "whole number"), (["web=1", "web=2"], "web two weights"),
        ]
    )
    func badShares(shares: [String], words: String) {
        do {
            _ = try Apus.parseAsRoot(["coordinator"] + shares.flatMap { ["--share", $0] })
            Issue.record("accepted")
        } catch {
            #expect(Apus.message(for: error).contains(words))
        }
    }

    @Test("Drain wants a worker or all of them, not both")
    func drainWantsOne() throws {
        #expect(throws: (any Error).self) { try Apus.parseAsRoot(["drain", "--all", "w"]) }
        #expect(throws: Never.self) { try Apus.parseAsRoot(["drain", "w"]) }
        #expect(throws: Never.self) { try Apus.parseAsRoot(["drain", "--all"]) }
    }

    @Test("Up passes options on in the form that worker and coordinator read")
    func upPassesOptionsOn() throws {
        let flags = "--engine simulated --slots 3 --sim-step-us 10 --share web=4 --share reports=2"
        let up = try #require(try Apus.parseAsRoot(["up"] + flags.split(separator: " ").map(String.init)) as? Up)
        let plan = LocalCluster(
            clients: "tcp://127.0.0.1:*",
            workersEndpoint: "tcp://127.0.0.1:*",
            data: nil,
            shareArguments: up.clientShares.arguments,
            workers: 2,
            workerArguments: up.engine.arguments(threads: 4),
            logLevel: "info"
        )
        #expect(plan.names == ["coordinator", "worker-1", "worker-2"])
        let arguments = plan.arguments(of: 2, endpoints: ("tcp://127.0.0.1:1", "tcp://0.0.0.0:2"))
        let worker = try #require(try Apus.parseAsRoot(arguments) as? WorkerCommand)
        #expect(worker.name?.text == "worker-2")
        #expect(worker.coordinator == "tcp://127.0.0.1:2")
        #expect(worker.engine.engine == .simulated)
        #expect(worker.engine.slots == 3)
        #expect(worker.engine.threads == 4)
        #expect(worker.engine.simStepUs == 10)
        #expect(worker.server.exitWithStdin)
        let command = try Apus.parseAsRoot(plan.arguments(of: 0, endpoints: nil))
        let coordinator = try #require(command as? CoordinatorCommand)
        #expect(try coordinator.clientShares.weights() == ["web": 4, "reports": 2])
    }

    @Test("Processors are shared among workers, one at least for each")
    func threadsAreShared() {
        #expect(LocalCluster.threads(processors: 8, workers: 3) == 2)
        #expect(LocalCluster.threads(processors: 2, workers: 4) == 1)
    }

    @Test("A worker's default name is valid whatever the host is called")
    func defaultNames() {
        #expect(WorkerCommand.defaultName(host: "box.example", pid: 12).text == "box-12")
        #expect(WorkerCommand.defaultName(host: "höst", pid: 12).text == "hst-12")
        #expect(WorkerCommand.defaultName(host: "", pid: 12).text == "worker-12")
        let long = WorkerCommand.defaultName(host: String(repeating: "x", count: 200), pid: 1_234_567)
        #expect(WorkerName(long.text) == long)
    }

    @Test("Only loopback endpoints count as local")
    func localEndpoints() {
        #expect(Server.isLocal("tcp://127.0.0.1:5700"))
        #expect(Server.isLocal("tcp://localhost:*"))
        #expect(Server.isLocal("tcp://[::1]:5700"))
        #expect(Server.isLocal("ipc:///tmp/x"))
        #expect(!Server.isLocal("tcp://0.0.0.0:5700"))
        #expect(!Server.isLocal("tcp://*:5700"))
        #expect(!Server.isLocal("tcp://10.0.0.1:5700"))
    }
}
