import Glibc
import Reactor

/// The server's log: one line an event, to a file, the standard output, or the system's log.
final class Log {
    enum Level: Int, Comparable {
        case debug, verbose, notice, warning, nothing

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        /// The mark in a text line, as Redis writes it.
        var mark: String { [".", "-", "*", "#", ""][rawValue] }
        var name: String { ["debug", "verbose", "notice", "warning", "nothing"][rawValue] }
    }

    enum Format { case text, json }

    var level = Level.notice
    var format = Format.text
    /// M: primary, S: replica, C: child.
    var role: Character = "M"
    /// The file's path; empty means the standard output.
    let path: String
    /// In a test the lines are kept instead.
    var capturesLines = false
    private(set) var lines: [String] = []

    init(path: String = "") { self.path = path }

    func debug(_ text: @autoclosure () -> String) { write(.debug, text) }
    func verbose(_ text: @autoclosure () -> String) { write(.verbose, text) }
    func notice(_ text: @autoclosure () -> String) { write(.notice, text) }
    func warning(_ text: @autoclosure () -> String) { write(.warning, text) }

    private func write(_ level: Level, _ text: () -> String) {
        guard level >= self.level, self.level != .nothing else { return }
        let line = text()
        if capturesLines { return lines.append(line) }
        let time = CalendarTime(wallMicroseconds: Clock.wallMicroseconds())
        print(
            "\(Process.processIdentifier):\(role) \(time.day) \(time.month) \(time.year) \(time.hour):\(time.minute) \(level.mark) \(line)"
        )
        fflush(nil)
    }
}
