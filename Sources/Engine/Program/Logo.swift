/// What a terminal sees first: a swift on the wing, and what somebody who looks wants to know.
enum Logo {
    static func text(mode: String, port: Int, process: Int32) -> String {
        """

        __                     __     Apus \(Version.apus), speaks Redis \(Version.redis)
          `-.._           _..-'
               `-._ v _.-'            Running in \(mode) mode
                   (_)                Port: \(port)
                   / \\                PID: \(process)
                  '   '


        """
    }
}
