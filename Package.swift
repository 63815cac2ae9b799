// swift-tools-version: 6.3
import PackageDescription

// The Swift 6 language mode with complete concurrency checking, plus the two upcoming features
// that make reading easier: every existential is spelled `any`, every member's module is imported.
// There is no unsafe flag and no `-Ounchecked`: a failed precondition stops the server, it never
// becomes undefined behaviour.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// What crash reports and INFO say was built.
let commit: [CSetting] =
    Context.environment["APUS_COMMIT"].map { [.define("APUS_COMMIT", to: "\"\($0)\"")] } ?? []

// The image of the server is built without the tests' folders.
let tests: [Target] =
    Context.environment["APUS_WITHOUT_TESTS"] != nil
    ? []
    : [
        .testTarget(name: "ReactorTests", dependencies: ["Reactor"], swiftSettings: strict),
        .testTarget(name: "EngineTests", dependencies: ["Engine"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests", dependencies: ["ServerMain"], swiftSettings: strict),
    ]

let package = Package(
    name: "apus",
    products: [
        .executable(name: "apus-server", targets: ["ServerMain"])
    ],
    targets: [
        // What Swift cannot import: epoll's unions, prefetch and vector compares, fork.
        .target(name: "CLinux", cSettings: commit),
        // LZF from Debian's liblzf: the format of Redis's compressed lists and strings.
        .systemLibrary(name: "CLZF", pkgConfig: "liblzf", providers: [.apt(["liblzf-dev"])]),
        // SHA-256 and comparison in constant time, for passwords.
        .systemLibrary(name: "CNettle", providers: [.apt(["nettle-dev"])]),
        // The kernel: descriptors, epoll, timers, clocks, signals, files, the background thread.
        .target(name: "Reactor", dependencies: ["CLinux"], swiftSettings: strict),
        // Everything hot and mutually recursive, in one module, so that the optimiser sees it whole.
        .target(
            name: "Engine", dependencies: ["CLinux", "CLZF", "CNettle", "Reactor"],
            swiftSettings: strict),
        .executableTarget(
            name: "ServerMain", dependencies: ["Engine", "Reactor"], swiftSettings: strict),
    ] + tests
)
