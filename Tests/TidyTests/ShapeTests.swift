import Testing

/// How files are named, opened and mirrored by tests.
struct ShapeTests {
    @Test func `base names are unique in a module`() {
        var seen: [String: String] = [:]
        for file in Repository.sources + Repository.tests {
            let module = file.components.prefix(2).joined(separator: "/")
            if let other = seen.updateValue(file.path, forKey: "\(module) \(file.name)") {
                Issue.record("\(file.path) and \(other) have the same name in one module")
            }
        }
    }

    /// A file this short has nothing to explain.
    private static let shortFile = 6
    /// Imports may stand before the comment.
    private static let openingLines = 14

    @Test func `every source file opens with what it promises`() {
        for file in Repository.sources {
            let lines = file.text.split(separator: "\n")
            let opening = lines.prefix(Self.openingLines)
            if lines.count > Self.shortFile,
                !opening.contains(where: { $0.hasPrefix("//") || $0.hasPrefix("/*") })
            {
                Issue.record("\(file.path): no comment opens it; say promise, cost, invariant")
            }
        }
    }

    /// `Type` of `Type+Aspect`: the aspects of a type are tested together.
    private static func type(_ stem: String) -> Substring { stem.prefix { $0 != "+" } }

    @Test func `every data structure has its test`() {
        let tested = Set(Repository.tests.map(\.stem))
        for file in Repository.sources
        where file.path.hasPrefix("Sources/Engine/DataStructures/")
            && !tested.contains(Self.type(file.stem) + "Tests")
        {
            Issue.record("\(file.path): no Tests file named \(file.stem)Tests.swift")
        }
    }
}
