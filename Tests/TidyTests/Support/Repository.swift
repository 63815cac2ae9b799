import Foundation

/// One file of the repository, read once.
struct SourceFile: Sendable {
    /// From the repository's top, such as `Sources/Engine/Bytes/ByteView.swift`.
    let path: String
    let text: String

    /// The folders and the file name.
    var components: [String] { path.split(separator: "/").map(String.init) }
    var name: String { components.last ?? path }
    /// The name without ending and without `+Aspect`.
    var stem: String {
        let base = name.split(separator: ".").first ?? ""
        return String(base.split(separator: "+").first ?? "")
    }
}

/// The files on disk, found from where this file was compiled.
enum Repository {
    static let top = URL(fileURLWithPath: #filePath)  // Tests/TidyTests/Support/Repository.swift
        .deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static let sources = files(under: "Sources", endings: ["swift"])
    static let tests = files(under: "Tests", endings: ["swift"])

    /// Sorted by path, so that messages are stable.
    static func files(under folder: String, endings: Set<String>) -> [SourceFile] {
        let start = top.appendingPathComponent(folder)
        let found = FileManager.default.enumerator(at: start, includingPropertiesForKeys: nil)
        return (found?.allObjects as? [URL] ?? [])
            .filter { endings.contains($0.pathExtension) }
            .compactMap { url in
                guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
                let path = url.standardizedFileURL.path
                    .dropFirst(top.standardizedFileURL.path.count + 1)
                return SourceFile(path: String(path), text: text)
            }
            .sorted { $0.path < $1.path }
    }
}
