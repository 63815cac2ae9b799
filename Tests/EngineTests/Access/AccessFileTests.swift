import Testing

@testable import Engine

@Suite struct AccessFileTests {
    private let list = TestServer().server.access

    private func read(_ text: String) -> AccessFile {
        AccessFile(Array(text.utf8), named: "users.acl", for: list)
    }

    private let tail =
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"

    @Test func linesAreUsers() {
        let file = read("user a on nopass +get ~x\r\n\n \t\nuser b  ( +set ~y ) \t\n")
        #expect(file.problems == "")
        #expect(file.users.map { String(decoding: $0.name, as: UTF8.self) } == ["a", "b"])
        #expect(
            file.users.map { String(decoding: $0.rules.text(list.catalog), as: UTF8.self) } == [
                "on nopass ~x resetchannels -@all +get",
                "off resetchannels -@all (~y resetchannels -@all +set)",
            ])
        #expect(read("").problems == "")
        #expect(read("").users.isEmpty)
    }

    @Test func everyWrongLineIsTold() {
        #expect(
            read("usr a\nuser\nuser b +nope -@no >x <y zz").problems
                == "users.acl:1 should start with user keyword followed by the username. "
                + "users.acl:2 should start with user keyword followed by the username. "
                + "users.acl:3: Error in applying operation '+nope': Unknown command or category "
                + "name in ACL. "
                + "users.acl:3: Error in applying operation '-@no': Unknown command or category "
                + "name in ACL. "
                + "users.acl:3: The password you are trying to remove from the user does not exist. "
                + tail)
        #expect(
            read("user a on\n\nuser a off").problems
                == "WARNING: Duplicate user 'a' found on line 3. " + tail)
        #expect(
            read("user a\u{b}b on").problems
                == "'users.acl:1: username 'a\u{b}b' contains invalid characters. " + tail)
        #expect(
            read("user a ( +get").problems
                == "users.acl:1: Unmatched parenthesis in selector definition." + tail)
        // Passwords are not told.
        #expect(!read("user a #secret").problems.contains("secret"))
    }
}
