/// What access control knows of the commands: names, categories, and who contains whom.
///
/// Built once from the command table; a command's place here is its number there. Names are those
/// commands were born with, so that rules mean the same whatever a configuration renames.
struct AccessCatalog {
    struct Command {
        /// In small letters; a subcommand as `config|get`.
        let name: String
        /// A bit for each category.
        let categories: UInt32
        /// The number of the container, nil for a command that stands alone.
        let container: Int?
        let subcommands: [Int]
    }

    let commands: [Command]
    /// By bit.
    let categoryNames: [String]
    private var numbers: [[UInt8]: Int] = [:]

    init(_ commands: [Command], categoryNames: [String]) {
        precondition(commands.count < CommandSet.capacity, "more commands than a set has bits")
        self.commands = commands
        self.categoryNames = categoryNames
        for (number, command) in commands.enumerated() {
            numbers[Array(command.name.utf8)] = number
        }
    }

    /// The number of the command called `name`, in any case; a subcommand's is `config|get`.
    func find(_ name: some Sequence<UInt8>) -> Int? { numbers[Self.folded(name)] }

    /// The bit of the category called `name`, in any case.
    func category(_ name: some Sequence<UInt8>) -> UInt32? {
        let name = Self.folded(name)
        return categoryNames.firstIndex { $0.utf8.elementsEqual(name) }.map { 1 << UInt32($0) }
    }

    /// The numbers of commands that stand alone or contain others, in the table's order.
    var topLevel: [Int] { commands.indices.filter { commands[$0].container == nil } }

    /// ASCII letters made small.
    static func folded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }
}

/// A set of commands, by number: one bit each, in place.
struct CommandSet {
    /// As many as the peers have room for.
    ///
    /// The last bit stands for commands yet to come.
    static let capacity = 1024
    static let future = capacity - 1

    private var words = InlineArray<16, UInt64>(repeating: 0)

    static var all: CommandSet {
        var set = CommandSet()
        for index in set.words.indices { set.words[index] = .max }
        return set
    }

    @inline(__always)
    func contains(_ number: Int) -> Bool {
        precondition(number >= 0 && number < Self.capacity, "no such command")
        return words[number >> 6] >> UInt64(number & 63) & 1 != 0
    }

    mutating func set(_ number: Int, _ isMember: Bool) {
        precondition(number >= 0 && number < Self.capacity, "no such command")
        let bit: UInt64 = 1 << UInt64(number & 63)
        if isMember { words[number >> 6] |= bit } else { words[number >> 6] &= ~bit }
    }
}
