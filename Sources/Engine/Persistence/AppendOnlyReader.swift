import Reactor

/// Takes the requests of an append-only file out of it, one after the other, and tells where each ends.
///
/// Promises: no byte of the file reaches a trap; a file that ends in the middle of a request is told
/// from one that is no such file. Costs: one `read` a quarter of a mebibyte; a request longer than that
/// is parsed again each time what is at hand has doubled.
struct AppendOnlyReader: ~Copyable {
    enum Outcome {
        /// A request, whose arguments stay good until the next call.
        case request(Arguments)
        /// A note of the time, in seconds.
        case time(Int64)
        case end
        /// The file ends inside a request.
        case truncated
        /// What follows is no request.
        case malformed
        case failed(SystemError)
    }

    private let descriptor: Int32
    /// Whether what stands behind an argument must be a line's end; who loads takes it as one.
    private let checksLineEnds: Bool
    /// Bytes of the file that were read.
    private var readBytes: Int
    private let batch = RequestBatch()
    private let parser = CommandParser(longestBulk: .max)
    private var buffer = ByteBuffer()
    /// Bytes of the file before those in the buffer.
    private var droppedBytes: Int
    /// Bytes of the buffer that were taken out already.
    private var taken = 0
    private var isAtEnd = false

    private static let blockBytes = 256 * 1024

    /// Reads an open file from `offset` on.
    init(_ descriptor: Int32, from offset: Int = 0, checksLineEnds: Bool = false) {
        self.descriptor = descriptor
        self.checksLineEnds = checksLineEnds
        droppedBytes = offset
        readBytes = offset
    }

    /// Where the last request or note ended, in bytes from the beginning of the file.
    var position: Int { droppedBytes + taken }

    mutating func next() -> Outcome {
        while true {
            let rest = buffer.view.dropFirst(taken)
            if !rest.isEmpty {
                if rest[0] == UInt8(ascii: "#") {
                    if let seconds = takeNote(rest) { return .time(seconds) }
                } else if rest[0] != UInt8(ascii: "*") {
                    return .malformed
                } else if let outcome = parse(rest) {
                    return outcome
                }
            }
            if isAtEnd { return rest.isEmpty ? .end : .truncated }
            do throws(SystemError) {
                try fill()
            } catch {
                return .failed(error)
            }
        }
    }

    /// The time noted at the front of `bytes`, 0 if the line says something else; nil if it is not whole.
    private mutating func takeNote(_ bytes: ByteView) -> Int64? {
        guard let end = bytes.firstIndex(of: 10) else { return nil }
        taken += end + 1
        let mark = ByteView("#TS:")
        let line = bytes.slice(0, end > 0 && bytes[end - 1] == 13 ? end - 1 : end)
        guard line.prefix(mark.count) == mark else { return 0 }
        return NumberText.integer(line.dropFirst(mark.count)) ?? 0
    }

    /// The request at the front of `bytes`; nil if that is not whole.
    private mutating func parse(_ bytes: ByteView) -> Outcome? {
        batch.removeAll()
        batch.beginParse()
        switch parser.parse(bytes, into: batch) {
        case .incomplete: return nil
        case .malformed: return .malformed
        case .request(let consumed):
            guard batch.parsedArguments > 0 else { return .malformed }
            batch.append(slot: 0, command: 0, inputEnd: consumed)
            let arguments = batch.arguments(of: batch[0])
            if checksLineEnds && !Self.linesEnd(bytes, around: arguments) { return .malformed }
            taken += consumed
            return .request(arguments)
        }
    }

    /// Whether each of the arguments, which were found in `bytes`, stands on a line of its own.
    private static func linesEnd(_ bytes: ByteView, around arguments: Arguments) -> Bool {
        func line(after start: Int) -> Int {
            bytes.dropFirst(start).firstIndex(of: 10).map { start + $0 + 1 } ?? bytes.count
        }
        var position = line(after: 0)
        for index in 0..<arguments.count {
            position = line(after: position) + arguments[index].count
            guard position + 2 <= bytes.count, bytes[position] == 13, bytes[position + 1] == 10
            else { return false }
            position += 2
        }
        return true
    }

    private mutating func fill() throws(SystemError) {
        buffer.drain(taken)
        droppedBytes += taken
        taken = 0
        let room = buffer.writable(minimum: max(Self.blockBytes, buffer.count))
        let count = try File.read(from: descriptor, into: room, at: readBytes)
        buffer.commit(count)
        readBytes += count
        if count == 0 { isAtEnd = true }
    }
}
