/// A list as commands see it.
struct ListValue {
    static let encodingName: StaticString = "quicklist"

    static func blockCount(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int { 1 }

    static func count(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        Listpack(Block(word: payload), in: arena).count
    }

    static func free(
        _ encoding: UInt8, _ payload: inout UInt64, blocks: Int, in arena: Arena
    ) -> Bool {
        Block(word: payload).free(in: arena)
        return true
    }

    static func memoryBytes(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> Int {
        Block(word: payload).bytes
    }

    static func copy(_ encoding: UInt8, _ payload: UInt64, in arena: Arena) -> UInt64 {
        Listpack(Block(word: payload), in: arena).copied().block.word
    }
}
