import Testing

@testable import Engine

/// Rules as words, and the words that rules are told in.
@Suite struct AccessRuleReaderTests {
    /// Small enough to see through, with a container and overlapping categories.
    private static let catalog = AccessCatalog(
        [
            .init(name: "get", categories: 0b001, container: nil, subcommands: []),
            .init(name: "mget", categories: 0b001, container: nil, subcommands: []),
            .init(name: "set", categories: 0b010, container: nil, subcommands: []),
            .init(name: "del", categories: 0b010, container: nil, subcommands: []),
            .init(name: "config", categories: 0b100, container: nil, subcommands: [5, 6]),
            .init(name: "config|get", categories: 0b101, container: 4, subcommands: []),
            .init(name: "config|set", categories: 0b100, container: 4, subcommands: []),
        ], categoryNames: ["read", "write", "admin"])

    private func rules(
        _ words: [String], opensChannels: Bool = false
    ) throws(AccessRuleError) -> AccessRules {
        var rules = AccessRules(allowsAllChannels: opensChannels)
        var reader = AccessRuleReader(Self.catalog, opensChannels: opensChannels)
        for word in words { try reader.apply(Array(word.utf8), to: &rules) }
        return rules
    }

    private func text(_ words: String...) throws -> String {
        String(decoding: try rules(words).text(Self.catalog), as: UTF8.self)
    }

    private func problem(_ words: String...) -> AccessRuleError? {
        do throws(AccessRuleError) {
            _ = try rules(words)
            return nil
        } catch {
            return error
        }
    }

    @Test func aNewUserMayNothing() throws {
        #expect(try text() == "off resetchannels -@all")
        #expect(try text("") == "off resetchannels -@all")
        #expect(try text("on", "nopass") == "on nopass resetchannels -@all")
        #expect(
            try text("skip-sanitize-payload") == "off skip-sanitize-payload resetchannels -@all")
        #expect(try text("ON", "Off") == "off resetchannels -@all")
    }

    @Test func commandsAreToldByCategoriesFirst() throws {
        #expect(try text("+get") == "off resetchannels -@all +get")
        #expect(try text("+get", "+mget", "+config|get") == "off resetchannels -@all +@read")
        #expect(try text("+@read", "-mget") == "off resetchannels -@all +@read -mget")
        #expect(try text("+@all", "-@write") == "off resetchannels +@all -@write")
        #expect(try text("+@all", "-set") == "off resetchannels +@all -set")
        #expect(try text("+CONFIG", "-config|SET") == "off resetchannels -@all +@admin -config|set")
        #expect(try text("+config", "-config") == "off resetchannels -@all")
        #expect(try text("allcommands") == "off resetchannels +@all")
        #expect(try text("+@all", "nocommands") == "off resetchannels -@all")
        // Everything that there is now, but not what may come.
        #expect(try text("+@read", "+@write", "+@admin").hasPrefix("off resetchannels -@all +@"))
    }

    @Test func firstArgumentsAreKeptForCommandsThatAreNotAllowed() throws {
        #expect(try text("+get|a", "+GET|A", "+get|b") == "off resetchannels -@all +get|a +get|b")
        #expect(try text("+get|a", "+get") == "off resetchannels -@all +get")
        #expect(try text("+get|a", "-get") == "off resetchannels -@all")
        #expect(try text("+get|a", "-@read") == "off resetchannels -@all")
        #expect(try text("+@all", "-get", "+get|a") == "off resetchannels +@all -get +get|a")
        #expect(problem("+get|") == .syntax)
        #expect(problem("+get|a b") == .syntax)
        #expect(problem("+get|a\nuser") == .syntax)
        #expect(problem("+config|get|a") == .firstArgumentOfSubcommand)
        #expect(problem("+config|nope") == .unknownName)
        #expect(problem("-get|a") == .unknownName)
    }

    @Test func keysAndChannels() throws {
        #expect(
            try text("~a*", "%R~b", "%w~c", "%rW~d") == "off ~a* %R~b %W~c ~d resetchannels -@all")
        #expect(try text("%R~a", "%W~a") == "off ~a resetchannels -@all")
        #expect(try text("~a", "allkeys") == "off ~* resetchannels -@all")
        #expect(try text("~*", "resetkeys", "~b") == "off ~b resetchannels -@all")
        #expect(try text("%R~*") == "off %R~* resetchannels -@all")
        #expect(try text("&a", "&a", "&b") == "off resetchannels &a &b -@all")
        #expect(try text("&a", "&*") == "off &* -@all")
        #expect(try text("allchannels", "resetchannels", "&a") == "off resetchannels &a -@all")
        #expect(try text("~", "&") == "off ~ resetchannels & -@all")
        #expect(try text("%R") == "off %R~ resetchannels -@all")
        for word in ["%", "%~a", "%RR~a", "%X~a", "%~", "~a b", "&a\tb", "~a\u{0}"] {
            #expect(problem(word) == .syntax, "\(word)")
        }
        #expect(problem("~*", "~a") == .afterAllKeys)
        #expect(problem("~*", "%R~a") == .afterAllKeys)
        #expect(problem("&*", "&a") == .afterAllChannels)
    }

    @Test func passwords() throws {
        let hash = String(decoding: PasswordHash(of: [UInt8(ascii: "x")]).digits, as: UTF8.self)
        #expect(try text(">x", "#\(hash)") == "off #\(hash) resetchannels -@all")
        #expect(try text(">x", "nopass") == "off nopass resetchannels -@all")
        #expect(try text("nopass", ">x") == "off #\(hash) resetchannels -@all")
        #expect(try text(">x", "<x") == "off resetchannels -@all")
        #expect(try text(">x", "!\(hash)", ">y", "resetpass") == "off resetchannels -@all")
        #expect(problem("<x") == .noSuchPassword)
        #expect(problem("!\(hash)") == .noSuchPassword)
        #expect(problem("#12") == .badHash)
        #expect(problem("!12") == .badHash)
    }

    @Test func selectors() throws {
        #expect(
            try text("(+get ~a)", "( %R~b\t&c )", "()")
                == "off resetchannels -@all (~a resetchannels -@all +get) "
                + "(%R~b resetchannels &c -@all) (resetchannels -@all)")
        #expect(try text("(+get)", "clearselectors", "clearselectors") == "off resetchannels -@all")
        for word in ["(on)", "(>x)", "(reset)", "((+get))", "(+get (~a))", "(", ")", "x"] {
            #expect(problem(word) == .syntax, "\(word)")
        }
        #expect(problem("(+nope)") == .unknownName)
        #expect(problem("(~* ~a)") == .afterAllKeys)
    }

    @Test func resetBeginsAnew() throws {
        #expect(
            try text("on", ">x", "~a", "&b", "+get", "(+get)", "reset")
                == "off sanitize-payload resetchannels -@all")
        #expect(
            String(
                decoding: try rules(["&*", "resetchannels", "reset"], opensChannels: true)
                    .text(Self.catalog), as: UTF8.self)
                == "off sanitize-payload &* -@all")
    }

    @Test func unknownNames() {
        for word in ["+", "-", "+nope", "-nope", "+@nope", "-@nope", "+@", "+config|", "+|get"] {
            #expect(problem(word) != nil, "\(word)")
        }
        #expect(problem("+nope") == .unknownName)
        #expect(problem("+config|") == .syntax)
    }

    @Test func wordsAreJoinedFromParenthesisToParenthesis() throws {
        func joined(_ words: [String]) throws -> [String] {
            try AccessRuleReader.joined(words.map { Array($0.utf8) })
                .map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(
            try joined(["on", "(", "+get", "~a", ")", "off"]) == ["on", "( +get ~a )", "off"])
        #expect(try joined(["(+get", "~a)", "(~b)"]) == ["(+get ~a)", "(~b)"])
        #expect(try joined([")"]) == [")"])
        #expect(try joined([""]) == [""])
        for (words, place) in [(["("], 0), (["on", "(a", "b"], 1), (["(a", "(b", "c"], 1)] {
            do {
                _ = try joined(words)
                Issue.record("\(words) were joined")
            } catch let error as UnmatchedParenthesis {
                #expect(error.place == place)
            }
        }
    }

    // MARK: - Random rules

    private static let pieces = [
        "+", "-", "@", "get", "GET", "config", "config|get", "|", "read", "write", "all", "~", "%",
        "R", "W", "&", "*", "a", "b c", "(", ")", " ", ">", "<", "#", "!", "x", "on", "off",
        "nopass", "resetpass", "resetkeys", "allkeys", "allchannels", "resetchannels", "reset",
        "nocommands", "allcommands", "clearselectors", "sanitize-payload", "\"", "'", "\\", "\u{0}",
        "\n", "é",
    ]

    /// A word that makes sense half of the time.
    private func word(_ random: inout SeededRandom) -> String {
        let sensible = [
            "+get", "-get", "+@read", "-@write", "+@all", "-@all", "~a*", "%R~b", "%W~b", "&c",
            "allkeys", "resetkeys", "(+get ~a)", "(-@all +@read %R~x &y)", ">p", "<p", "+get|a",
            "+config|get", "-config", "reset", "resetchannels",
        ]
        if random.below(2) == 0 { return sensible[random.below(sensible.count)] }
        return (0...random.below(4)).map { _ in Self.pieces[random.below(Self.pieces.count)] }
            .joined()
    }

    /// Any words: what is told of the rules makes equal rules again, and a word that is refused has
    /// changed nothing.
    @Test func toldRulesMakeTheSameUser() throws {
        var random = SeededRandom.make()
        var refused = 0
        for _ in 0..<3000 {
            var rules = AccessRules(allowsAllChannels: false)
            var reader = AccessRuleReader(Self.catalog, opensChannels: false)
            for _ in 0..<random.below(8) {
                let before = rules.text(Self.catalog)
                let word = Array(word(&random).utf8)
                do throws(AccessRuleError) {
                    try reader.apply(word, to: &rules)
                } catch {
                    refused += 1
                    #expect(rules.text(Self.catalog) == before, "seed \(random.seed)")
                }
            }
            let told = rules.text(Self.catalog)
            var again = AccessRules(allowsAllChannels: false)
            let words = told.split(separator: UInt8(ascii: " ")).map(Array.init)
            for word in try AccessRuleReader.joined(words) { try reader.apply(word, to: &again) }
            #expect(again.text(Self.catalog) == told, "seed \(random.seed)")
            for (left, right) in zip(rules.selectors, again.selectors) {
                for number in 0..<CommandSet.capacity {
                    #expect(
                        left.commands.contains(number) == right.commands.contains(number),
                        "\(number) in \(String(decoding: told, as: UTF8.self))")
                }
            }
        }
        #expect(refused > 100)
    }
}
