/// A cursor over a command's trailing arguments: options read as they read aloud.
///
///     var options = Options(call.arguments, from: 3)
///     while options.hasMore {
///         if options.take("NX") { … } else if options.take("EX") { seconds = try options.integer() }
///         else { throw .syntax }
///     }
struct Options {
    let arguments: Arguments
    private(set) var index: Int

    init(_ arguments: Arguments, from index: Int) {
        self.arguments = arguments
        self.index = index
    }

    var hasMore: Bool { index < arguments.count }
    var remaining: Int { max(0, arguments.count - index) }

    /// The next argument without taking it; empty at the end.
    var peek: ByteView { hasMore ? arguments[index] : .empty }

    /// Takes the next argument if it is this word, in any case.
    mutating func take(_ word: StaticString) -> Bool {
        guard hasMore, arguments[index].equalsIgnoringCase(word) else { return false }
        index += 1
        return true
    }

    /// Takes the next argument; a syntax error at the end.
    mutating func next() throws(CommandError) -> ByteView {
        guard hasMore else { throw .syntax }
        index += 1
        return arguments[index - 1]
    }

    /// Takes an integer; a syntax error at the end, `notInteger` when it is none.
    mutating func integer() throws(CommandError) -> Int64 {
        guard let value = NumberText.integer(try next()) else { throw .notInteger }
        return value
    }

    mutating func double() throws(CommandError) -> Double {
        guard let value = NumberText.double(try next()) else { throw .notFloat }
        return value
    }
}
