import ApusJournal
import ApusModel
import ArgumentParser
import Foundation
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
            --deadline 2.5 --raw --ignore-eos --priority high --client-name web --key k --output json
            --min-p 0.05 --typical-p 0.7 --repetition-penalty 1.1 --penalty-window 32 --frequency-penalty=-0.5
            --presence-penalty 1.5 --dry-multiplier 0.8 --dry-base 2 --dry-allowed-length 3
            --logit-bias 0=-100 --logit-bias 17=2.5 --min-tokens 2 --show-special --logprobs 5 -n 3
            --inter-token-ms 40 --client-profile firefox --no-speculation --summary hello
            """
        let arguments = ["submit"] + flags.split(whereSeparator: \.isWhitespace).map(String.init)
        let command = try #require(try Apus.parseAsRoot(arguments) as? Submit)
        let request = try command.generation.request(prompt: command.prompt)
        let expected = GenerationRequest(
            model: ModelName("m"),
            prompt: "hello",
            isRaw: true,
            maximumTokens: 9,
            sampling: SamplingParameters(
                temperature: 0.5,
                topK: 40,
                topP: 0.9,
                minP: 0.05,
                typicalP: 0.7,
                repetitionPenalty: 1.1,
                penaltyWindow: 32,
                frequencyPenalty: -0.5,
                presencePenalty: 1.5,
                dry: DryParameters(multiplier: 0.8, base: 2, allowedLength: 3),
                logitBias: [
                    LogitBias(token: TokenID(rawValue: 0), bias: -100),
                    LogitBias(token: TokenID(rawValue: 17), bias: 2.5),
                ],
                seed: 7
            ),
            stop: ["a", "b"],
            ignoresEndOfGeneration: true,
            deadline: .milliseconds(2500),
            priority: .high,
            minimumTokens: 2,
            showsSpecialTokens: true,
            logprobs: 5,
            choices: 3,
            interTokenTarget: .milliseconds(40),
            transferTokens: 4,
            speculates: false
        )
        #expect(command.summary)
        #expect(request == expected)
        #expect(command.key == "k")
        #expect(command.clientName?.text == "web")
        #expect(command.output == .json)
    }

    @Test(
        "Bad parameters are named",
        arguments: [
            ("--max-tokens", "0"), ("--temperature", "-1"), ("--top-p", "2"), ("--min-p", "1.5"), ("--typical-p", "0"),
            ("--repetition-penalty", "11"), ("--penalty-window", "-1"), ("--frequency-penalty", "3"),
            ("--presence-penalty", "-3"), ("--dry-multiplier", "11"), ("--min-tokens", "257"), ("--logprobs", "21"),
            ("--transfer-tokens", "65"),
        ]
    )
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

    @Test("A request without options is the plain one")
    func noOptions() throws {
        let request = try submit("hello").generation.request(prompt: "hello")
        #expect(request == GenerationRequest(model: request.model, prompt: "hello"))
    }

    @Test("System text and messages come before the prompt, which becomes the user's")
    func messages() throws {
        let chat = try submit("--system", "Be brief.", "--message", "user=a=b", "--message", "assistant=", "And now?")
        let request = try chat.generation.request(prompt: chat.prompt)
        let expected = [
            ChatMessage(role: "system", content: "Be brief."), .user("a=b"),
            ChatMessage(role: "assistant", content: ""),
            .user("And now?"),
        ]
        #expect(request.messages == expected)
        #expect(request.prompt.isEmpty)
        let alone = try submit("--message", "user=Hi.")
        #expect(alone.prompt == nil)
        #expect(try alone.generation.request(prompt: nil).messages == [.user("Hi.")])
        let raw = try submit("--raw", "--message", "user=Hi.")
        #expect(throws: ApusError.self) { try raw.generation.request(prompt: nil) }
    }

    @Test("A client's profile stands for how many tokens share a message")
    func profiles() throws {
        for (name, tokens) in [("chrome", 8), ("edge", 8), ("firefox", 4), ("safari", 2), ("unknown", 1)] {
            let command = try submit("--client-profile", name, "hello")
            #expect(try command.generation.request(prompt: "hello").transferTokens == tokens)
        }
        #expect(try submit("--transfer-tokens", "3", "x").generation.request(prompt: "x").transferTokens == 3)
    }

    @Test("Grammars and schemas come from files")
    func constraints() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ bytes: [UInt8]) throws -> String {
            let file = folder.appending(path: name)
            try Data(bytes).write(to: file)
            return file.path(percentEncoded: false)
        }
        func constraint(_ option: String, _ file: String) throws -> OutputConstraint? {
            try submit(option, file, "x").generation.request(prompt: "x").constraint
        }
        let grammar = try file("a.gbnf", Array("root ::= \"é\"".utf8))
        #expect(try constraint("--grammar-file", grammar) == .grammar("root ::= \"é\""))
        #expect(try constraint("--json-schema-file", try file("a.json", Array("{}".utf8))) == .jsonSchema("{}"))
        let bad: [(String, String)] = [
            (folder.appending(path: "none").path(percentEncoded: false), "can't be read"),
            (try file("empty", []), "is empty"),
            (try file("binary", [0xff]), "UTF-8"),
            (try file("long", Array(repeating: 32, count: Limits.constraintBytes + 1)), "more than"),
        ]
        for (file, words) in bad {
            do {
                _ = try constraint("--grammar-file", file)
                Issue.record("\(file) was accepted")
            } catch let error as ApusError {
                #expect(error.code == .invalidRequest)
                #expect(error.message.contains(words))
            }
        }
    }

    @Test(
        "What can't be meant is wrong usage, with what is expected",
        arguments: [
            (["submit"], "Give a prompt"), (["submit", "--system", "x"], "Give a prompt"),
            (["submit", "--logit-bias", "17", "x"], "--logit-bias 17=-100"),
            (["submit", "--logit-bias", "a=1", "x"], "--logit-bias 17=-100"),
            (["submit", "--message", "hello", "x"], "a role, = and a text"),
            (["submit", "--json", "--grammar-file", "f", "x"], "exclude each other"),
            (["submit", "--transfer-tokens", "2", "--client-profile", "edge", "x"], "give one of them"),
            (["submit", "--client-profile", "lynx", "x"], "chrome"),
            (["submit", "--inter-token-ms", "0", "x"], "60000"),
            (["configure", "w"], "Give what to change"), (["configure", "--max-batch", "2"], "Name a worker"),
            (["configure", "--all", "w", "--max-batch", "2"], "Name a worker"),
            (["configure", "w", "--policy", "best"], "aimd"),
        ]
    )
    func wrongUsage(arguments: [String], words: String) {
        do {
            _ = try Apus.parseAsRoot(arguments)
            Issue.record("accepted")
        } catch {
            #expect(Apus.fullMessage(for: error).contains(words), "\(Apus.fullMessage(for: error))")
        }
    }

    @Test("Configure reads every setting and checks them together")
    func configure() throws {
        let arguments = ["configure", "w", "--min-batch", "2", "--max-batch", "8", "--policy", "aimd"]
        let further = ["--inter-token-ms", "50", "--network-stability", "0.5"]
        let command = try #require(try Apus.parseAsRoot(arguments + further) as? Configure)
        let expected = WorkerSettings(
            batchMinimum: 2,
            batchMaximum: 8,
            policy: .aimd,
            interTokenTarget: .milliseconds(50),
            networkStability: 0.5
        )
        #expect(command.settings == expected)
        #expect(command.worker?.text == "w")
        let crossed = ["configure", "--all", "--min-batch", "3", "--max-batch", "2"]
        let bad = try #require(try Apus.parseAsRoot(crossed) as? Configure)
        #expect(throws: ApusError.self) { try bad.settings.validate() }
    }

    @Test("Attach reads which of the job's streams to follow")
    func attachReadsTheChoice() throws {
        let arguments = ["attach", "0000000000007", "--choice", "2", "--from", "5"]
        let command = try #require(try Apus.parseAsRoot(arguments) as? Attach)
        #expect(command.choice == 2)
        #expect(command.index == 5)
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
        let flags =
            "--engine simulated --slots 3 --sim-step-us 10 --share web=4 --share reports=2 --data /d --retention 0.5 "
            + "--journal-limit-mb 64"
        let up = try #require(try Apus.parseAsRoot(["up"] + flags.split(separator: " ").map(String.init)) as? Up)
        let plan = LocalCluster(
            clients: "tcp://127.0.0.1:*",
            workersEndpoint: "tcp://127.0.0.1:*",
            coordinatorArguments: up.journal.arguments + up.clientShares.arguments,
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
        #expect(coordinator.journal.folder == "/d")
        #expect(coordinator.journal.settings.retention == .seconds(1_800))
        #expect(coordinator.journal.settings.limitBytes == 64 << 20)
        let inMemory = try #require(try Apus.parseAsRoot(["up", "--ephemeral"]) as? Up)
        #expect(inMemory.journal.arguments == ["--ephemeral"])
    }

    @Test(
        "A journal is in memory or on disk, and keeps within bounds",
        arguments: [
            ["--ephemeral", "--data", "/d"], ["--retention", "0"], ["--retention", "9000"],
            ["--journal-limit-mb", "1"],
        ]
    )
    func journalOptions(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try Apus.parseAsRoot(["coordinator"] + arguments) }
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
