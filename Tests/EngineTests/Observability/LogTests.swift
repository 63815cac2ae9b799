import Glibc
import Testing

@testable import Engine

@Suite struct LogTests {
    private func line(
        _ message: String, _ format: LogFormat = .text, _ timestamps: LogTimestampFormat = .legacy
    ) -> String {
        let log = Log()
        (log.format, log.timestampFormat) = (format, timestamps)
        return log.line(.notice, message, process: 77, wallMicroseconds: 1_700_000_000_042_000)
    }

    @Test func `a line of text`() throws {
        let form = #/77:M 1[45] Nov 2023 \d\d:\d\d:20\.042 \* hello\n/#
        #expect(line("hello").wholeMatch(of: form) != nil)
        #expect(line("hello", .text, .milliseconds) == "77:M 1700000000042 * hello\n")
        let iso = #/77:M 2023-11-1[45]T\d\d:\d\d:20\.042[+\-]\d\d:\d\d \* hello\n/#
        #expect(line("hello", .text, .iso8601).wholeMatch(of: iso) != nil)
    }

    @Test func `a line of json`() {
        #expect(
            line("say \"hi\"\\\n\u{1}é", .json, .milliseconds)
                == "{\"time\":1700000000042,\"level\":\"notice\",\"pid\":77,\"role\":\"primary\","
                + "\"message\":\"say \\\"hi\\\"\\\\\\n\\u0001é\"}\n")
    }

    @Test func `bytes of a client cannot forge a line`() {
        #expect(
            Log.sanitized("a\n1:M fake\r\t\u{1B}[31m\u{7F}")
                == #"a\n1:M fake\r\t\x1b[31m\x7f"#)
        #expect(Log.sanitized("plain é 鳥") == "plain é 鳥")
    }

    @Test func `long lines are cut, not through a character`() {
        let most = Log.mostLineBytes
        let exact = String(repeating: "a", count: most)
        #expect(Log.cut(exact) == exact)
        #expect(Log.cut(exact + "b") == exact)
        for width in ["é", "鳥", "😀"] {
            let text = String(repeating: width, count: 1000)
            let cut = Log.cut(text)
            #expect(text.hasPrefix(cut))
            #expect(most - cut.utf8.count < width.utf8.count)
            #expect(Log.cut("a" + text).hasPrefix("a" + width))
        }
    }

    @Test func `levels below are not written, nor made`() {
        let log = Log()
        log.capturesLines = true
        var made = 0
        func text() -> String {
            made += 1
            return "line \(made)"
        }
        log.level = .notice
        log.debug(text())
        log.verbose(text())
        log.notice(text())
        log.warning(text())
        #expect(log.lines == ["line 1", "line 2"])
        log.level = .nothing
        log.warning(text())
        #expect(made == 2)
    }
}
