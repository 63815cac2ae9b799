import Testing

@testable import Engine

@Suite struct StringCommandsTests {
    @Test func aValueSetIsRead() {
        let server = TestServer()
        #expect(server.run("SET", "k", "v") == "OK")
        #expect(server.run("GET", "k") == .bulk("v"))
        #expect(server.run("GET", "absent") == nil)
    }
}
