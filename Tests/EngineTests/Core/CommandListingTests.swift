import Foundation
import Testing

@testable import Engine

@Suite struct CommandListingTests {
    /// `make docs` writes it; a changed row makes it stale.
    @Test func theCompatibilityTableIsCurrent() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appending(path: "docs/COMPATIBILITY.md"), encoding: .utf8)
        #expect(
            text.hasSuffix(CommandListing.markdown(StandardCommands.all)),
            "docs/COMPATIBILITY.md is not what `make docs` writes")
    }

    @Test func everyCommandHasALineOfItsOwn() {
        let lines = CommandListing.markdown(StandardCommands.all).split(separator: "\n")
        let rows = StandardCommands.all.reduce(0) { $0 + 1 + $1.subcommands.count }
        #expect(lines.count == rows + 2)
        #expect(Set(lines).count == lines.count)
    }
}
