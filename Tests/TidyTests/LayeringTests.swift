import Testing

/// The layers of the engine, and the check's own check.
struct LayeringTests {
    @Test func `every folder mentions only what lies below it`() {
        for problem in Layering.violations(in: Repository.sources) {
            Issue.record("\(problem)")
        }
    }

    /// Only these folders of the engine may speak of descriptors, events and clocks.
    private static let seesReactor: Set<String> = [
        "Program", "Core", "Waiting", "Memory", "Persistence", "Replication", "Cluster",
        "Observability",
    ]

    @Test func `the kernel and Lua are imported where they belong`() {
        for file in Repository.sources where file.components.starts(with: ["Sources", "Engine"]) {
            let tokens = SwiftTokens.read(file.text)
            for (word, next) in zip(tokens, tokens.dropFirst()) where word.text == "import" {
                let folder = file.components[2]
                if next.text == "Reactor", !Self.seesReactor.contains(folder) {
                    Issue.record("\(file.path):\(next.line): \(folder) must not import Reactor")
                }
                if next.text == "CLua", folder != "Scripting" {
                    Issue.record("\(file.path):\(next.line): \(folder) must not import CLua")
                }
            }
        }
    }

    // MARK: - The check itself

    private static let below: [SourceFile] = [
        engine("DataStructures/Table.swift", "struct Table { struct Cursor {} }"),
        engine("Values/Value.swift", "struct Value { let table: Table }"),
        engine("Keyspace/Database.swift", "final class Database { var value: Value }"),
        engine("PubSub/Channels.swift", "final class Channels { enum State { case quiet } }"),
        engine("Tracking/Table.swift", "enum TrackedKeys {}"),
        engine("Config/Settings.swift", "struct Settings {}"),
        engine("Config/SettingTable.swift", "struct SettingRow { var settings: Settings }"),
        engine("Core/Server.swift", "final class Server { let channels: Channels }"),
        engine("Waiting/Waiting.swift", "final class Waiting { let server: Server }"),
        engine("Commands/Strings.swift", "enum StringCommands { static var server: Server }"),
    ]

    private static func engine(_ path: String, _ text: String) -> SourceFile {
        SourceFile(path: "Sources/Engine/" + path, text: text)
    }

    @Test func `accepts mentions downwards`() {
        #expect(Layering.violations(in: Self.below) == [])
    }

    @Test(arguments: [
        ("DataStructures/Bad.swift", "func size(_ value: Value) {}", "Value"),
        ("RESP/Bad.swift", "let table: Table", "Table"),
        ("Values/Bad.swift", "extension Database { func more() {} }", "Database"),
        ("Keyspace/Bad.swift", "func tell(_ channels: [Channels]) {}", "Channels"),
        ("Keyspace/Bad.swift", "let text = \"count \\(Settings().count)\"", "Settings"),
        ("PubSub/Bad.swift", "let keys = TrackedKeys.self", "TrackedKeys"),
        ("PubSub/Bad.swift", "let row: SettingRow?", "SettingRow"),
        ("Tracking/Bad.swift", "\n\nweak var server: Engine.Server?", "Server"),
        ("Core/Bad.swift", "let table = StringCommands.server", "StringCommands"),
        ("Tracking/Bad.swift", "let room: Waiting", "Waiting"),
        ("Waiting/Bad.swift", "let table = StringCommands.server", "StringCommands"),
    ])
    func `complains about mentions upwards and sideways`(path: String, text: String, name: String) {
        let problems = Layering.violations(in: Self.below + [Self.engine(path, text)])
        #expect(problems.count == 1)
        #expect(problems.first?.contains("must not mention \(name)") == true)
        #expect(problems.first?.hasPrefix("Sources/Engine/\(path):") == true)
    }

    @Test(arguments: [
        ("Values/Fine.swift", "// a Database\n/* Server /* nested */ Server */ let a = \"Server\""),
        ("Values/Fine.swift", "let a = #\"a \" Server \\(b)\"#, b = \"\"\"\n Server \" x\n \"\"\""),
        ("Values/Fine.swift", "struct Box<Server> { let server: Server }"),
        ("Values/Fine.swift", "func box<Database: Sized>(_ base: Database) {}"),
        ("Values/Fine.swift", "struct List { enum Server {}; var a: Server }"),
        ("Values/Fine.swift", "let a = Value.Server.self"),
        ("PubSub/Fine.swift", "let limit: Settings"),
        ("Core/Fine.swift", "let database: Database, settings: Settings"),
        ("Core/Fine.swift", "let room: Waiting"),
        ("Observability/Fine.swift", "struct Server {}"),
    ])
    func `leaves the ambiguous and the unseen alone`(path: String, text: String) {
        #expect(Layering.violations(in: Self.below + [Self.engine(path, text)]) == [])
    }

    @Test func `asks for the layer of a new folder`() {
        let problems = Layering.violations(in: [Self.engine("Attic/Old.swift", "enum Old {}")])
        #expect(problems == ["Sources/Engine/Attic/Old.swift: the folder 'Attic' has no layer"])
    }
}
