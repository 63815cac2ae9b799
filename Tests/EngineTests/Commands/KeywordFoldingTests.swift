import Testing

@testable import Engine

/// Only ASCII letters fold into keywords: not the Kelvin sign, the long s, or the i without a dot.
@Suite struct KeywordFoldingTests {
    private let test = TestServer("enable-debug-command yes")

    @Test func `other letters make no keyword`() {
        #expect(test.run("INFO", "\u{212A}eyspace").text == "")
        #expect(test.run("INFO", "KEYSPACE").text?.hasPrefix("# Keyspace") == true)
        let list = ["CLIENT", "LIST"]
        #expect(test.client.run(list + ["u\u{17F}er", "default"]) == .error("ERR syntax error"))
        #expect(test.client.run(list + ["\u{131}d", "1"]) == .error("ERR syntax error"))
        #expect(test.client.run(list + ["uSer", "default"]).text?.isEmpty == false)
        let filter = ["COMMAND", "LIST", "FILTERBY", "ACLCAT"]
        #expect(test.client.run(filter + ["bloc\u{212A}ing"]) == .array([]))
        #expect(test.client.run(filter + ["BLOCKING"]) != .array([]))
        #expect(test.client.run(["DEBUG", "PROTOCOL", "STRING"]).text == "Hello World")
        #expect(test.client.run(["DEBUG", "PROTOCOL", "\u{17F}tring"]).text != "Hello World")
    }

    @Test func `views fold ASCII alone`() {
        "aZ-\u{E9}\u{212A}[`{@".withByteView { view in
            #expect(view.lowercasedText == "az-\u{E9}\u{212A}[`{@")
            #expect(view.uppercasedText == "AZ-\u{E9}\u{212A}[`{@")
        }
    }

    @Test func `names of commands fold as requests do`() {
        let names = ["GET", "SET"]
        #expect(CommandTable.problem(in: [("get", "SET")], of: names) != nil)
        #expect(CommandTable.problem(in: [("GET", "a"), ("SET", "A")], of: names) != nil)
        #expect(CommandTable.problem(in: [("SET", ""), ("get", "set")], of: names) == nil)
        #expect(CommandTable.problem(in: [("GET", "a"), ("a", "GET")], of: names) == nil)
        #expect(CommandTable.problem(in: [("NONE", "GET")], of: names) == nil)
        #expect(CommandTable.problem(in: [("GET", "get")], of: names) == nil)
    }
}
