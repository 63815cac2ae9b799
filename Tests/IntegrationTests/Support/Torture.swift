import Foundation

/// How hard the crash tests try: a little in every run, much with `make torture`.
enum Torture {
    /// `APUS_TORTURE`: how many rounds a test of random moments takes.
    private static let rounds = ProcessInfo.processInfo.environment["APUS_TORTURE"].flatMap {
        Int($0)
    }

    /// Whether a test that goes through places or calls takes all of them.
    static var isOn: Bool { rounds != nil }

    /// - Parameter few: in an ordinary run.
    static func rounds(_ few: Int) -> Int { rounds ?? few }
}
