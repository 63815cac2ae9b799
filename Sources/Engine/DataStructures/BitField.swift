/// One operation of BITFIELD on an integer of 1 to 64 bits, and what becomes of the integer.
///
/// Pure arithmetic; where the bits lie is the business of `BitOperations`.
struct BitField {
    enum Operation {
        case get, set, increment
    }

    /// What happens to a value that does not fit.
    enum Overflow {
        /// The bits that do not fit are lost.
        case wrap
        /// The nearest value that fits is taken.
        case saturate
        /// Nothing is done.
        case fail
    }

    /// What an operation writes and replies.
    struct Outcome: Equatable {
        /// Only its lowest bits count.
        var value: UInt64
        var reply: Int64
        /// Whether the value differs from the old one.
        var changed: Bool
    }

    let operation: Operation
    let overflow: Overflow
    let isSigned: Bool
    let width: Int
    let offset: Int
    let operand: Int64

    /// The bits of a field as the integer they stand for.
    func extended(_ bits: UInt64) -> Int64 {
        guard isSigned && width < 64 else { return Int64(bitPattern: bits) }
        let unused = UInt64(64 &- width)
        return Int64(bitPattern: bits << unused) >> Int64(unused)
    }

    /// What the operation makes of a field with these bits; nil when it must not be done.
    func outcome(_ bits: UInt64) -> Outcome? {
        let old = extended(bits)
        switch operation {
        case .get:
            return Outcome(value: bits, reply: old, changed: false)
        case .set:
            guard let new = isSigned ? signed(operand, plus: 0) : unsigned(operand, plus: 0) else {
                return nil
            }
            return Outcome(value: UInt64(bitPattern: new), reply: old, changed: new != old)
        case .increment:
            guard let new = isSigned ? signed(old, plus: operand) : unsigned(old, plus: operand)
            else { return nil }
            return Outcome(value: UInt64(bitPattern: new), reply: new, changed: new != old)
        }
    }

    /// `value` and `amount` added up as a signed integer of this width.
    ///
    /// Whether that overflows is asked in wrapping arithmetic, as in Redis: the least values of 64
    /// bits, SET into a narrower field, count as too large.
    private func signed(_ value: Int64, plus amount: Int64) -> Int64? {
        let largest = Int64.max >> Int64(64 &- width)
        let least = -largest &- 1
        let room = largest &- value
        let depth = least &- value
        let isNarrow = width < 64
        if value > largest || isNarrow && amount > room || value >= 0 && amount > 0 && amount > room
        {
            return resolved(value &+ amount, limit: largest)
        }
        if value < least || isNarrow && amount < depth || value < 0 && amount < 0 && amount < depth
        {
            return resolved(value &+ amount, limit: least)
        }
        return value &+ amount
    }

    /// `value` and `amount` added up as an unsigned integer of this width, below 64 bits.
    private func unsigned(_ value: Int64, plus amount: Int64) -> Int64? {
        let largest = Int64.max >> Int64(63 &- width)
        // A negative value stands for one beyond 63 bits.
        if value < 0 || value > largest || amount > 0 && amount > largest &- value {
            return resolved(value &+ amount, limit: largest)
        }
        if amount < 0 && amount < -value { return resolved(value &+ amount, limit: 0) }
        return value &+ amount
    }

    private func resolved(_ sum: Int64, limit: Int64) -> Int64? {
        switch overflow {
        case .fail: return nil
        case .saturate: return limit
        case .wrap:
            let unused = UInt64(64 &- width)
            let bits = (UInt64(bitPattern: sum) << unused) >> unused
            return extended(bits)
        }
    }
}
