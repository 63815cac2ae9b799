/// Who speaks on a connection: what HELLO, AUTH, SELECT and CLIENT set.
struct Session {
    var database = 0
    var protocolVersion = 2
    var isAuthenticated = false
    /// As whom the connection speaks; nil: as the server itself, which may do everything.
    var user: AccessUser?
    /// CLIENT SETNAME.
    var name = ""
    /// CLIENT SETINFO.
    var libraryName = ""
    var libraryVersion = ""
    /// CLIENT CAPA: one letter for each thing the client says it can do.
    var capabilities = ""
    /// CLIENT TRACKING.
    var tracking = TrackingMode()
    /// CLIENT REPLY: OFF lasts; SKIP leaves out the reply of the next command.
    var replyMode = ReplyMode.on
    /// CLIENT NO-EVICT, CLIENT NO-TOUCH.
    var isSparedFromEviction = false
    var leavesAccessUntouched = false

    enum ReplyMode {
        case on, off, skipNext, skipThis
    }
}
