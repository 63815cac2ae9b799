import Glibc
import Reactor

/// The server's log: one line an event, to a file, the standard output, and the system's log.
///
/// A line is one write(2), so lines of parent and child never mix. What clients or files put into
/// a line cannot forge another: control bytes are written out as escapes. A file that was moved
/// away (by logrotate) is noticed within a second and begun anew.
///
/// Costs two system calls a line; a line below the level costs a comparison.
final class Log {
    enum Level: Int, Comparable {
        case debug, verbose, notice, warning, nothing

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        /// The mark in a text line, as Redis writes it.
        var mark: String { [".", "-", "*", "#", ""][rawValue] }
        var name: String { ["debug", "verbose", "notice", "warning", "nothing"][rawValue] }
    }

    /// Whose line it is; the letter stands behind the process number.
    enum Role: Character {
        case primary = "M"
        case replica = "S"
        /// A forked child, and a server that is still starting.
        case child = "C"

        var name: String {
            switch self {
            case .primary: "primary"
            case .replica: "replica"
            case .child: "child"
            }
        }
    }

    var level = Level.notice
    var format = LogFormat.text
    var timestampFormat = LogTimestampFormat.legacy
    var role = Role.primary
    /// Absolute; empty means the standard output.
    private(set) var path = ""
    /// In a test the lines are kept instead.
    var capturesLines = false
    private(set) var lines: [String] = []

    private var file: File?
    /// The monotonic second at which the file was last looked for under its name.
    private var checkedSecond: UInt64 = 0
    private var writesSystemLog = false

    init() {}

    /// A longer line is cut, as Redis does.
    static let mostLineBytes = 1023

    // MARK: - Where lines go

    /// Takes over how lines look and which are written.
    func follow(_ settings: Settings) {
        level = Level(settings.logLevel)
        format = settings.logFormat
        timestampFormat = settings.logTimestampFormat
    }

    /// Writes to the file from now on; empty is the standard output.
    ///
    /// - Parameter path: absolute, because the process may change its folder.
    func open(_ path: String) throws(SystemError) {
        file = path.isEmpty ? nil : try File(path, .append)
        self.path = path
    }

    /// Also writes to the system's log from now on.
    func openSystemLog(identity: String, facility: SyslogFacility) {
        SystemLog.open(identity: identity, facility: facility.number)
        writesSystemLog = true
    }

    // MARK: - Lines

    func debug(_ text: @autoclosure () -> String) { write(.debug, text) }
    func verbose(_ text: @autoclosure () -> String) { write(.verbose, text) }
    func notice(_ text: @autoclosure () -> String) { write(.notice, text) }
    func warning(_ text: @autoclosure () -> String) { write(.warning, text) }

    /// Writes text as it is, without time and mark: the logo.
    func raw(_ text: String) {
        if capturesLines { return lines.append(text) }
        output(Array(text.utf8))
    }

    private func write(_ level: Level, _ text: () -> String) {
        guard level >= self.level else { return }
        let message = Self.cut(text())
        if capturesLines { return lines.append(message) }
        output(
            Array(
                line(
                    level, message, process: Process.processIdentifier,
                    wallMicroseconds: Clock.wallMicroseconds()
                ).utf8))
        if writesSystemLog { SystemLog.write(Self.sanitized(message), level: level.systemLevel) }
    }

    /// The whole line, with its end.
    func line(
        _ level: Level, _ message: String, process: Int32, wallMicroseconds: Int64
    ) -> String {
        let time = timestamp(CalendarTime(wallMicroseconds: wallMicroseconds), wallMicroseconds)
        switch format {
        case .text:
            return "\(process):\(role.rawValue) \(time) \(level.mark) \(Self.sanitized(message))\n"
        case .json:
            let shown = timestampFormat == .milliseconds ? time : "\"\(time)\""
            return "{\"time\":\(shown),\"level\":\"\(level.name)\",\"pid\":\(process),"
                + "\"role\":\"\(role.name)\",\"message\":\(Self.jsonString(message))}\n"
        }
    }

    private func timestamp(_ time: CalendarTime, _ wallMicroseconds: Int64) -> String {
        switch timestampFormat {
        case .legacy:
            return time.legacyText
        case .iso8601:
            return time.iso8601Text
        case .milliseconds:
            return String(wallMicroseconds / 1000)
        }
    }

    /// The beginning of the text, without half a character at its end.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > mostLineBytes else { return text }
        var bytes = Array(text.utf8.prefix(mostLineBytes))
        let start = bytes.lastIndex { $0 & 0xC0 != 0x80 } ?? 0
        let wanted =
            bytes[start] >= 0xF0 ? 4 : bytes[start] >= 0xE0 ? 3 : bytes[start] >= 0xC0 ? 2 : 1
        if bytes.count - start < wanted { bytes.removeLast(bytes.count - start) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text in one line: control bytes become escapes.
    static func sanitized(_ text: String) -> String {
        escaped(text) { byte in
            switch byte {
            case 0x0A: #"\n"#
            case 0x0D: #"\r"#
            case 0x09: #"\t"#
            case 0..<0x20, 0x7F: #"\x"# + hexadecimal(byte)
            default: nil
            }
        }
    }

    private static func jsonString(_ text: String) -> String {
        let inside = escaped(text) { byte in
            switch byte {
            case UInt8(ascii: "\""): #"\""#
            case UInt8(ascii: "\\"): #"\\"#
            case 0x0A: #"\n"#
            case 0x0D: #"\r"#
            case 0x09: #"\t"#
            case 0..<0x20, 0x7F: #"\u00"# + hexadecimal(byte)
            default: nil
            }
        }
        return "\"\(inside)\""
    }

    private static func escaped(_ text: String, _ escape: (UInt8) -> String?) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if let escape = escape(byte) { bytes += Array(escape.utf8) } else { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    // MARK: - Output

    private func output(_ bytes: [UInt8]) {
        reopenIfMoved()
        // A log that cannot be written has nowhere to complain, and must not stop the server.
        if file != nil {
            try? file?.writeAll(bytes)
        } else if path.isEmpty {
            try? File.writeAll(bytes, to: STDOUT_FILENO)
        }
    }

    private func reopenIfMoved() {
        guard !path.isEmpty else { return }
        let second = Clock.monotonicNanoseconds() / 1_000_000_000
        guard second != checkedSecond else { return }
        checkedSecond = second
        if file?.isNamed(path) == true { return }
        file = try? File(path, .append)
    }
}

extension Log.Level {
    init(_ level: LogLevel) {
        switch level {
        case .debug: self = .debug
        case .verbose: self = .verbose
        case .notice: self = .notice
        case .warning: self = .warning
        case .nothing: self = .nothing
        }
    }

    /// As syslog(3) counts.
    fileprivate var systemLevel: Int32 {
        switch self {
        case .debug: LOG_DEBUG
        case .verbose: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning, .nothing: LOG_WARNING
        }
    }
}

extension SyslogFacility {
    fileprivate var number: Int32 {
        let local = Int32(16)
        switch self {
        case .user: return 1
        case .local0: return local
        case .local1: return local + 1
        case .local2: return local + 2
        case .local3: return local + 3
        case .local4: return local + 4
        case .local5: return local + 5
        case .local6: return local + 6
        case .local7: return local + 7
        }
    }
}

// MARK: - Times in text

extension CalendarTime {
    private static let monthNames = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `21 Nov 2026 11:39:19.564`, in the time zone of the process.
    fileprivate var legacyText: String {
        "\(Self.digits(day, 2)) \(Self.monthNames[month - 1]) \(year) \(clockText)"
    }

    /// `2026-11-21T11:39:19.564+01:00`.
    fileprivate var iso8601Text: String {
        let minutes = abs(secondsEast) / 60
        let offset = "\(Self.digits(minutes / 60, 2)):\(Self.digits(minutes % 60, 2))"
        return "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))"
            + "T\(clockText)\(secondsEast < 0 ? "-" : "+")\(offset)"
    }

    private var clockText: String {
        "\(Self.digits(hour, 2)):\(Self.digits(minute, 2)):\(Self.digits(second, 2))"
            + ".\(Self.digits(millisecond, 3))"
    }

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
