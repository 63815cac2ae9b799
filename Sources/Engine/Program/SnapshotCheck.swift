import Glibc
import Reactor

/// `apus-check-rdb`: reads a snapshot as the server does, and says whether it is whole.
///
/// Each value is built and thrown away, so that a file may be larger than memory. What is printed is
/// what `redis-check-rdb` prints; on a terminal the share that is read is shown as well.
struct SnapshotCheck {
    private let path: String
    private let showsProgress: Bool
    private var deadlines = 0
    private var pastDeadlines = 0
    private var shownPercent = 0

    private init(_ path: String) {
        self.path = path
        showsProgress = Process.isTerminal(STDERR_FILENO)
    }

    /// Does what the arguments ask for.
    ///
    /// - Returns: the exit status: 0 for a file that is whole.
    static func run(as name: String, _ arguments: [String]) -> Int32 {
        guard arguments.count == 1, let path = arguments.first else {
            print("Usage: \(name) <rdb-file-name>")
            return 1
        }
        switch path {
        case "--version", "-v":
            print("\(name) \(Version.apus) redis=\(Version.redis)")
            return 0
        case "--help", "-h":
            print("Usage: \(name) <rdb-file-name>")
            return 0
        default:
            var check = SnapshotCheck(path)
            return check.run() ? 0 : 1
        }
    }

    private static func print(_ line: String) {
        try? File.writeAll(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    // MARK: - Checking

    private mutating func run() -> Bool {
        tell(0, "Checking RDB file \(path)")
        do throws(SystemError) {
            let file = try File(path, .read)
            return check(file.descriptor, try file.size())
        } catch {
            Self.print("Cannot read the file: \(error.message)")
            return false
        }
    }

    private mutating func check(_ descriptor: Int32, _ size: Int) -> Bool {
        let keyspace = Keyspace.create(databaseCount: Self.databases, seed: (0, 0, 0, 0))
        var clock = Clock()
        clock.refresh()
        keyspace.now = clock.wallMilliseconds
        var reader = DumpReader(file: descriptor, size: size, checks: true)
        var snapshot = SnapshotReader(
            into: keyspace, SnapshotReader.Options(dropsExpired: false, keepsNothing: true))
        do throws(DumpError) {
            try snapshot.load(from: &reader) { step, position in
                note(step, position, of: size, keyspace)
                return true
            }
        } catch {
            clearProgress()
            Self.print("--- RDB ERROR DETECTED ---")
            tell(reader.position, error.text)
            Self.print("[additional info] While doing: \(snapshot.doing.rawValue)")
            if snapshot.doing == .value {
                Self.print("[additional info] Reading key '\(snapshot.keyText)'")
                Self.print(
                    "[additional info] Reading type \(snapshot.type) "
                        + "(\(DumpFormat.name(ofType: snapshot.type)))")
            }
            tellFigures(snapshot.report)
            return false
        }
        clearProgress()
        tell(reader.position, "\\o/ RDB looks OK! \\o/")
        tellFigures(snapshot.report)
        return true
    }

    /// More than anybody configures; a file that names others is broken.
    private static let databases = 16_384

    private mutating func note(
        _ step: SnapshotReader.Step, _ position: Int, of size: Int, _ keyspace: Keyspace
    ) {
        switch step {
        case .fact(let name, let value): tell(position, "AUX FIELD \(name) = '\(value)'")
        case .database(let index): tell(position, "Selecting DB ID \(index)")
        case .checksum(true): tell(position, "Checksum OK")
        case .checksum(false): tell(position, "RDB file was saved with checksum disabled")
        case .key(let deadline):
            showProgress(position, of: size)
            guard let deadline else { return }
            deadlines += 1
            if deadline < keyspace.now { pastDeadlines += 1 }
        }
    }

    // MARK: - Telling

    private mutating func tell(_ offset: Int, _ text: String) {
        clearProgress()
        Self.print("[offset \(offset)] \(text)")
    }

    private func tellFigures(_ report: SnapshotReport) {
        Self.print("[info] \(report.loadedKeys) keys read")
        Self.print("[info] \(deadlines) expires")
        Self.print("[info] \(pastDeadlines) already expired")
    }

    private mutating func showProgress(_ position: Int, of size: Int) {
        guard showsProgress, size > 0 else { return }
        let percent = position * 100 / size
        guard percent > shownPercent else { return }
        shownPercent = percent
        try? File.writeAll(Array("\r\(percent)%".utf8), to: STDERR_FILENO)
    }

    private mutating func clearProgress() {
        guard shownPercent > 0 else { return }
        shownPercent = 0
        try? File.writeAll(Array("\r    \r".utf8), to: STDERR_FILENO)
    }
}
