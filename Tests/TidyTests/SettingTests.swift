import Foundation
import Testing

/// A setting is obeyed, has nothing to do here, or is known not to be obeyed yet: none is accepted and
/// forgotten.
struct SettingTests {
    /// Fields that Config itself obeys.
    private static let obeyedInConfig: Set<String> = ["protectedConfigAccess"]

    private struct Row {
        let name: String
        /// The field of `Settings`, which a special kind is named after.
        let field: String
        let isObeyed: Bool
    }

    private static let rows: [Row] = {
        let table = Repository.sources.first { $0.name == "SettingTable.swift" }
        let pieces = (table?.text ?? "").components(separatedBy: "        Setting(").dropFirst()
        return pieces.compactMap { piece in
            let words = piece.split { !($0.isLetter || $0.isNumber || "-_\\.".contains($0)) }
            guard let name = words.first else { return nil }
            let path = words.first { $0.hasPrefix("\\.") }?.dropFirst(2)
            let special = words.firstIndex(of: ".special").map { words[$0 + 1].dropFirst() }
            let isExcused = words.contains(".moot") || words.contains(".unobeyed")
            return Row(
                name: String(name), field: String(path ?? special ?? ""), isObeyed: !isExcused)
        }
    }()

    /// All words behind a dot, outside of Config.
    private static let read: Set<String> = {
        var words: Set<String> = []
        for file in Repository.sources where !file.path.contains("/Config/") {
            let parts = file.text.split(separator: ".", omittingEmptySubsequences: false)
            for part in parts.dropFirst() {
                words.insert(String(part.prefix { $0.isLetter || $0.isNumber }))
            }
        }
        return words
    }()

    @Test func `every setting that counts as obeyed is read outside Config`() {
        #expect(Self.rows.count > 200)
        for row in Self.rows where row.isObeyed && !Self.obeyedInConfig.contains(row.field) {
            #expect(!row.field.isEmpty, "\(row.name): which field is it?")
            let isRead = Self.read.contains(row.field)
            #expect(isRead, "\(row.name): nobody reads \(row.field); obey it, or flag the row")
        }
        for row in Self.rows where !row.isObeyed {
            let isRead = Self.read.contains(row.field)
            #expect(!isRead, "\(row.name): somebody reads \(row.field); the flag is out of date")
        }
    }
}
