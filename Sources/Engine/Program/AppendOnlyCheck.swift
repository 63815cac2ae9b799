import Glibc
import Reactor

/// `apus-check-aof`: tells whether the files of an append-only file are whole, and cuts the last
/// one where it is not, or at a moment.
///
/// Its words are those of `redis-check-aof`.
///
/// Reads as the server does; a snapshot is loaded into databases of the tool's own, so that it takes as
/// much memory as the server would.
struct AppendOnlyCheck {
    private var mode = Mode.check
    private let path: String
    /// Where lines go, and where an answer comes from.
    private let say: (String) -> Void
    private let confirm: () -> Bool

    private enum Mode: Equatable {
        case check
        /// Cuts what is broken, having asked.
        case fix
        /// Cuts what was done after this second.
        case truncate(after: Int64)
    }

    /// Why the tool ends with status 1, as it tells it.
    private struct Failure: Error {
        let text: String
    }

    static func usage(_ program: String) -> String {
        "Usage: \(program) [--fix|--truncate-to-timestamp $timestamp] "
            + "<AOF/manifest file>\n"
    }

    /// - Returns: nil where the arguments make no sense.
    init?(
        _ arguments: [String], say: @escaping (String) -> Void, confirm: @escaping () -> Bool
    ) {
        switch (arguments.count, arguments.first) {
        case (1, _): break
        case (2, "--fix"): mode = .fix
        case (3, "--truncate-to-timestamp"):
            guard let seconds = Int64(arguments[1]) else { return nil }
            mode = .truncate(after: seconds)
        default: return nil
        }
        path = arguments[arguments.count - 1]
        self.say = say
        self.confirm = confirm
    }

    /// - Returns: the exit status.
    func run() -> Int32 {
        do throws(Failure) {
            if let manifest = try manifest() {
                say("Start checking Multi Part AOF\n")
                try check(manifest)
            } else {
                say("Start checking Old-Style AOF\n")
                try check(path, as: "AOF", isLast: true)
            }
            return 0
        } catch {
            say(error.text)
            return 1
        }
    }

    /// What the file names, if it is a manifest.
    private func manifest() throws(Failure) -> AppendOnlyManifest? {
        let beginning = try firstBytes(of: path, 5)
        guard beginning.starts(with: Array("file ".utf8)) || beginning.first == UInt8(ascii: "#")
        else { return nil }
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.readWhole(path, limit: 16 << 20)
        } catch {
            throw Failure(text: "Cannot open file \(path): \(error.message), aborting...\n")
        }
        // A file that begins with a note of the time is no manifest.
        if bytes.starts(with: Array("#TS:".utf8)) { return nil }
        do throws(AppendOnlyError) {
            return try AppendOnlyManifest.parse(bytes)
        } catch {
            throw Failure(text: "The AOF manifest \(path) is broken. \(error.text)\n")
        }
    }

    private func check(_ manifest: AppendOnlyManifest) throws(Failure) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let last = manifest.parts.last
        if let base = manifest.base {
            let isSnapshot = try isSnapshot(folder + base.name)
            say("Start to check BASE AOF (\(isSnapshot ? "RDB" : "RESP") format).\n")
            try check(folder + base.name, as: "BASE AOF", isLast: base == last)
        }
        if !manifest.increments.isEmpty {
            say("Start to check INCR files.\n")
            for part in manifest.increments {
                try check(folder + part.name, as: "INCR AOF", isLast: part == last)
            }
        }
        say("All AOF files and manifest are valid\n")
    }

    private func firstBytes(of path: String, _ count: Int) throws(Failure) -> [UInt8] {
        do throws(SystemError) {
            let file = try File(path, .read)
            return try File.beginning(of: file.descriptor, count)
        } catch {
            throw Failure(text: "Cannot open file \(path): \(error.message), aborting...\n")
        }
    }

    private func isSnapshot(_ path: String) throws(Failure) -> Bool {
        let bytes = try firstBytes(of: path, 6)
        return bytes.starts(with: Array("REDIS".utf8)) || bytes == Array("VALKEY".utf8)
    }

    // MARK: - One file

    /// How far a file is sound.
    private struct Extent {
        var bytes = 0
        /// Lines of it, the one behind it counted.
        var line = 1
        /// Why it ends there; nil: it is the end of the file.
        var problem: String?
        /// Where the first request after the moment asked for stands.
        var cut: Int?
    }

    private func check(_ path: String, as kind: String, isLast: Bool) throws(Failure) {
        let size: Int
        let isSound: Bool
        var extent = Extent()
        do throws(SystemError) {
            let file = try File(path, .read)
            size = try file.size()
            if size == 0 { return say("\(kind) \(path) is empty\n") }
            isSound = try isSnapshotSound(path, file.descriptor, size, &extent)
            if isSound {
                var reader = AppendOnlyReader(
                    file.descriptor, from: extent.bytes, checksLineEnds: true)
                measure(&reader, &extent)
            }
        } catch {
            throw Failure(text: "Cannot open file \(path): \(error.message), aborting...\n")
        }
        if let problem = extent.problem { say("\(problem)\n") }
        // Cut where it is broken it would be no snapshot, and cut before it nothing at all.
        guard isSound else {
            throw Failure(text: "RDB preamble of AOF file is not sane, aborting.\n")
        }
        if case .truncate(let moment) = mode, let cut = extent.cut {
            return try truncate(path, to: cut, after: moment, isLast: isLast)
        }
        let difference = size - extent.bytes
        say(
            "AOF analyzed: filename=\(path), size=\(size), ok_up_to=\(extent.bytes), "
                + "ok_up_to_line=\(extent.line), diff=\(difference)\n")
        if difference == 0 { return say("\(kind) \(path) is valid\n") }
        guard mode == .fix else {
            throw Failure(
                text: "AOF \(path) is not valid. Use the --fix option to try fixing it.\n")
        }
        try repair(path, size, to: extent.bytes, isLast: isLast)
    }

    /// Checks the snapshot that a file may begin with; `extent` ends behind it.
    private func isSnapshotSound(
        _ path: String, _ descriptor: Int32, _ size: Int, _ extent: inout Extent
    ) throws(SystemError) -> Bool {
        guard (try? isSnapshot(path)) ?? false else { return true }
        say("The AOF appears to start with an RDB preamble.\nChecking the RDB preamble to start:\n")
        let keyspace = Keyspace.create(databaseCount: 16, seed: (1, 2, 3, 4))
        defer { keyspace.destroy() }
        var reader = DumpReader(file: descriptor, size: size, checks: true)
        var options = SnapshotReader.Options()
        options.dropsExpired = false
        var snapshot = SnapshotReader(into: keyspace, options)
        do throws(DumpError) {
            try snapshot.load(from: &reader)
        } catch {
            extent.problem = error.text
            return false
        }
        say("RDB preamble is OK, proceeding with AOF tail...\n")
        extent.bytes = reader.position
        return true
    }

    /// Finds out how far a file holds whole requests and transactions.
    private func measure(_ reader: inout AppendOnlyReader, _ extent: inout Extent) {
        var line = 1
        var isInTransaction = false
        while true {
            let start = reader.position
            switch reader.next() {
            case .time(let seconds):
                line += 1
                if case .truncate(let moment) = mode, seconds > moment, !isInTransaction {
                    extent.cut = start
                    return
                }
            case .request(let arguments):
                let (opens, closes) = (
                    arguments[0].equalsIgnoringCase("multi"),
                    arguments[0].equalsIgnoringCase("exec")
                )
                if opens && isInTransaction || closes && !isInTransaction {
                    extent.problem = "Unexpected \(opens ? "MULTI" : "EXEC") in AOF"
                    return
                }
                isInTransaction = (isInTransaction || opens) && !closes
                line += 1 + 2 * arguments.count
            case .end:
                if isInTransaction { extent.problem = "Reached EOF before reading EXEC for MULTI" }
                return
            case .truncated:
                extent.problem = "Unexpected end of file behind offset \(start)"
                return
            case .malformed:
                extent.problem = "Bad file format at offset \(start)"
                return
            case .failed(let error):
                extent.problem = "Cannot read behind offset \(start): \(error.message)"
                return
            }
            if !isInTransaction { (extent.bytes, extent.line) = (reader.position, line) }
        }
    }

    // MARK: - Cutting

    private func repair(_ path: String, _ size: Int, to bytes: Int, isLast: Bool) throws(Failure) {
        guard isLast else {
            throw Failure(
                text: "Failed to truncate AOF \(path) because it is not the last file\n")
        }
        say(
            "This will shrink the AOF \(path) from \(size) bytes, with \(size - bytes) bytes, to "
                + "\(bytes) bytes\nContinue? [y/N]: ")
        guard confirm() else { throw Failure(text: "Aborting...\n") }
        try cut(path, to: bytes)
        say("Successfully truncated AOF \(path)\n")
    }

    private func truncate(
        _ path: String, to bytes: Int, after moment: Int64, isLast: Bool
    ) throws(Failure) {
        guard isLast else {
            throw Failure(
                text: """
                    Failed to truncate AOF \(path) to timestamp \(moment) to offset \(bytes) because \
                    it is not the last file.
                    If you insist, please delete all files after this file according to the manifest \
                    file and delete the corresponding records in manifest file manually. Then re-run \
                    redis-check-aof.

                    """)
        }
        guard bytes > 0 else {
            throw Failure(
                text: "AOF \(path) has nothing before timestamp \(moment), aborting...\n")
        }
        try cut(path, to: bytes)
        say("Successfully truncated AOF \(path) to timestamp \(moment)\n")
    }

    private func cut(_ path: String, to bytes: Int) throws(Failure) {
        do throws(SystemError) {
            let file = try File(path, .readWrite)
            try file.truncate(to: bytes)
            try file.sync()
        } catch {
            throw Failure(text: "Failed to truncate AOF \(path): \(error.message)\n")
        }
    }
}
