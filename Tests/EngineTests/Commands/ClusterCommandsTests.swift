import Testing

@testable import Engine

/// What tools ask before anything else, of a server that belongs to no cluster and has no modules.
struct ClusterCommandsTests {
    private let server = TestServer()

    @Test(arguments: [
        "CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER MYID",
        "CLUSTER KEYSLOT k", "CLUSTER COUNTKEYSINSLOT 1", "CLUSTER MEET 127.0.0.1 1", "READONLY",
        "READWRITE", "ASKING", "cluster|info",
    ])
    func `says that there is no cluster`(request: String) {
        let words = request.split(separator: " ").map(String.init)
        let text =
            request.contains("|")
            ? "ERR unknown command 'cluster|info', with args beginning with: "
            : "ERR This instance has cluster support disabled"
        #expect(server.client.run(words) == .error(text))
    }

    @Test func `refuses what CLUSTER does not know`() {
        #expect(
            server.run("CLUSTER") == .error("ERR wrong number of arguments for 'cluster' command"))
        #expect(
            server.run("CLUSTER", "MYID", "x")
                == .error("ERR wrong number of arguments for 'cluster|myid' command"))
        #expect(server.run("CLUSTER", "x").isError)
        #expect(server.run("CLUSTER", "HELP").elements.count > 40)
    }

    @Test func `no module is loaded, and none is`() {
        #expect(server.run("MODULE", "LIST") == .array([]))
        #expect(
            server.run("MODULE", "LOAD", "/m.so").text?.hasPrefix("ERR MODULE command not") == true)
        let open = TestServer("enable-module-command yes\n")
        #expect(
            open.run("MODULE", "LOAD", "/m.so")
                == .error("ERR Error loading the extension. Please check the server logs."))
        #expect(open.run("MODULE", "UNLOAD", "m").isError)
    }

    @Test func `rights may name them`() {
        for rule in [
            "+cluster", "-cluster|info", "-module", "+module|list", "+readonly", "+asking",
        ] {
            #expect(server.run("ACL", "SETUSER", "u", rule) == "OK", "\(rule)")
        }
    }
}
