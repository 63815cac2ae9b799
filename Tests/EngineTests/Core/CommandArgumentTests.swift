import Testing

@testable import Engine

@Suite struct CommandArgumentTests {
    private func arguments(
        _ syntax: String, keys: [KeySpec] = [], flags: CommandFlags = []
    ) -> [CommandArgument] {
        CommandArgument.all(
            of: Command(
                "X", .atLeast(1), flags, group: .generic, keys: keys, since: "1.0.0", "",
                syntax: syntax, { _ in }))
    }

    /// A compact form: `name:kind`, then token, flags and members.
    private func text(_ arguments: [CommandArgument]) -> String {
        arguments.map { argument in
            var text = "\(argument.name):\(argument.kind.rawValue)"
            if let token = argument.token { text += "=\(token)" }
            if let index = argument.keySpec { text += "#\(index)" }
            if argument.isOptional { text += "?" }
            if argument.isMultiple { text += argument.repeatsToken ? "++" : "+" }
            return argument.members.isEmpty ? text : text + "(\(self.text(argument.members)))"
        }.joined(separator: " ")
    }

    @Test(arguments: [
        ("", ""),
        ("message", "message:string"),
        ("[message]", "message:string?"),
        ("name [name ...]", "name:string+"),
        ("[name [name ...]]", "name:string?+"),
        ("field value [field value ...]", "field_value:block+(field:string value:string)"),
        ("ON | OFF", "on-or-off:oneof(on:pure-token=ON off:pure-token=OFF)"),
        ("[NX | XX]", "nx-or-xx:oneof?(nx:pure-token=NX xx:pure-token=XX)"),
        (
            "[EX seconds | KEEPTTL]",
            "seconds-or-keepttl:oneof?(seconds:integer=EX keepttl:pure-token=KEEPTTL)"
        ),
        ("[LIMIT offset count]", "limit:block=LIMIT?(offset:integer count:integer)"),
        (
            "[TYPE <A | B>]", "a-or-b:oneof=TYPE?(a:pure-token=A b:pure-token=B)"
        ),
        ("[GET pattern [GET pattern ...]]", "pattern:pattern=GET?++"),
        (
            "[COUNT count] STREAMS id [id ...]",
            "count:integer=COUNT? id:string=STREAMS+"
        ),
        (
            "<LEFT | RIGHT> x",
            "left-or-right:oneof(left:pure-token=LEFT right:pure-token=RIGHT) x:string"
        ),
        (
            "[ASC | DESC] [ALPHA]",
            "asc-or-desc:oneof?(asc:pure-token=ASC desc:pure-token=DESC) alpha:pure-token=ALPHA?"
        ),
        ("unix-time-seconds longitude", "unix-time-seconds:unix-time longitude:double"),
    ])
    func syntaxIsRead(_ syntax: String, _ expected: String) {
        #expect(text(arguments(syntax)) == expected)
    }

    @Test func keysNameTheirSpecification() {
        let two: [KeySpec] = [.at(1, .readOnly, .access), .at(2, .overwrite, .update)]
        #expect(
            text(arguments("source destination", keys: two)) == "source:key#0 destination:key#1")
        #expect(text(arguments("key [key ...]", keys: [two[0]])) == "key:key#0+")
        #expect(text(arguments("key")) == "key:string")
    }

    @Test func timeoutsOfBlockingCommandsAreFractions() {
        #expect(text(arguments("timeout", flags: .blocking)) == "timeout:double")
        #expect(text(arguments("timeout")) == "timeout:integer")
    }

    /// Whatever a row says, reading it ends.
    @Test func everySyntaxOfTheTableIsRead() {
        for command in StandardCommands.all.flatMap({ [$0] + $0.subcommands })
        where !command.syntax.isEmpty {
            #expect(!CommandArgument.all(of: command).isEmpty, "\(command.name)")
        }
    }

    @Test func randomSyntaxNeverTraps() {
        var random = SeededRandom.make()
        let words = ["[", "]", "<", ">", "|", "...", "A", "b", "key"]
        for _ in 0..<20_000 {
            let syntax = (0..<random.below(12)).map { _ in words[random.below(words.count)] }
            _ = arguments(syntax.joined(separator: " "))
        }
    }
}
