/// What the server says it is.
enum Version {
    /// Our own.
    static let apus = "0.1.0"
    /// The version of Redis whose commands and replies these are: clients read it to know what the
    /// server can do.
    static let redis = "7.4.0"
}
