/// Which folder of the engine may mention the types of which.
///
/// Swift's `import` cannot keep layers inside one module, so this does: it collects the names of
/// the types each folder declares and complains where a file mentions one it must not know.
/// A name is left alone where it is ambiguous: declared by two folders, or also declared (at any
/// depth, or as a generic parameter) where the mentioning file may see it.
struct Layering {
    /// Layer 0 within itself: the protocol and the structures stand on the bytes, apart.
    static let floors: [String: Set<String>] = [
        "Bytes": [],
        "RESP": ["Bytes"],
        "DataStructures": ["Bytes"],
    ]
    /// Layer 3: state and rules of one feature each; they know no sibling.
    static let features: Set<String> = [
        "Persistence", "Replication", "PubSub", "Transactions", "Tracking",
        "Scripting", "Cluster", "Access", "Config", "Observability",
    ]
    /// Layer 4, beside Core: what goes on beside the execution of commands, with state of its own.
    ///
    /// A room is handed the server; it knows no other room.
    static let rooms: Set<String> = ["Waiting", "Memory"]
    /// The one file of a feature that its siblings may mention: plain fields, no behaviour.
    static let sharedFeatureFile = "Settings"

    static var folders: Set<String> {
        Set(floors.keys).union(["Values", "Keyspace", "Core", "Commands", "Program"])
            .union(features).union(rooms)
    }

    /// The folders a file in `folder` may mention besides its own; nil for an unknown folder.
    static func visible(from folder: String) -> Set<String>? {
        let floor = Set(floors.keys)
        switch folder {
        case "Values": return floor
        case "Keyspace": return floor.union(["Values"])
        case "Core": return floor.union(["Values", "Keyspace"]).union(features).union(rooms)
        case "Commands": return folders.subtracting(["Commands", "Program"])
        case "Program": return folders.subtracting(["Program"])
        default:
            if features.contains(folder) { return floor.union(["Values", "Keyspace"]) }
            if rooms.contains(folder) {
                return floor.union(["Values", "Keyspace", "Core"]).union(features)
            }
            return floors[folder]
        }
    }

    private struct File {
        let source: SourceFile
        let folder: String
        let tokens: [SwiftTokens.Token]
    }

    private static let declaring: Set<String> = [
        "struct", "class", "enum", "protocol", "actor", "typealias",
    ]

    /// One line a violation, opening with path and line; looks at files under Sources/Engine.
    static func violations(in sources: [SourceFile]) -> [String] {
        var problems: [String] = []
        var files: [File] = []
        for source in sources where source.components.starts(with: ["Sources", "Engine"]) {
            let parts = source.components
            let folder = parts.count > 3 ? parts[2] : ""
            guard visible(from: folder) != nil else {
                problems.append("\(source.path): the folder '\(folder)' has no layer")
                continue
            }
            files.append(
                File(source: source, folder: folder, tokens: SwiftTokens.read(source.text)))
        }

        var topLevel: [String: Set<String>] = [:]  // name → the folders that declare it
        var anyDepth: [String: Set<String>] = [:]
        var shared: Set<String> = []
        for file in files {
            for (name, depth) in declarations(in: file.tokens) {
                anyDepth[name, default: []].insert(file.folder)
                if depth == 0 {
                    topLevel[name, default: []].insert(file.folder)
                    if file.folder == "Config", file.source.stem == sharedFeatureFile {
                        shared.insert(name)
                    }
                }
            }
        }

        for file in files {
            let visible = (visible(from: file.folder) ?? []).union([file.folder])
            let parameters = genericParameters(in: file.tokens)
            var reported: Set<String> = []
            for (index, token) in file.tokens.enumerated() {
                guard let owners = topLevel[token.text], owners.count == 1,
                    let owner = owners.first, !visible.contains(owner),
                    anyDepth[token.text, default: []].isDisjoint(with: visible),
                    !parameters.contains(token.text), !isMember(at: index, of: file.tokens),
                    !(features.contains(file.folder) && shared.contains(token.text)),
                    reported.insert(token.text).inserted
                else { continue }
                problems.append(
                    "\(file.source.path):\(token.line): \(file.folder) must not mention "
                        + "\(token.text), which \(owner) declares")
            }
        }
        return problems
    }

    private static func declarations(
        in tokens: [SwiftTokens.Token]
    ) -> [(name: String, depth: Int)] {
        tokens.indices.dropLast().compactMap { index in
            guard declaring.contains(tokens[index].text), !isMember(at: index, of: tokens),
                tokens[index + 1].text.first?.isUppercase == true
            else { return nil }
            return (tokens[index + 1].text, tokens[index].depth)
        }
    }

    /// The names between `<` and `>` of declarations, and associated types.
    private static func genericParameters(in tokens: [SwiftTokens.Token]) -> Set<String> {
        var names: Set<String> = []
        for index in tokens.indices.dropLast() {
            if tokens[index].text == "associatedtype" { names.insert(tokens[index + 1].text) }
            guard tokens[index + 1].text == "<",
                tokens[index].text == "init" || tokens[index].text == "subscript"
                    || index > 0
                        && (declaring.contains(tokens[index - 1].text)
                            || tokens[index - 1].text == "func")
            else { continue }
            var position = index + 2
            while position < tokens.count, tokens[position].text != ">" {
                if ["<", ",", "let", "each"].contains(tokens[position - 1].text) {
                    names.insert(tokens[position].text)
                }
                position += 1
            }
        }
        return names
    }

    /// Whether a dot stands before it: `Outer.Inner` belongs to `Outer`, `.case` to its enum.
    private static func isMember(at index: Int, of tokens: [SwiftTokens.Token]) -> Bool {
        index > 0 && tokens[index - 1].text == "."
            && !(index > 1 && tokens[index - 2].text == "Engine")
    }
}
